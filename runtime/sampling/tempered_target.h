#pragma once

#include "runtime/physics/latent_target.h"

namespace bgw::sampling {

/// The crystal of a target at another temperature: with s = beta' / beta of the two, u'(y') = s (|y|^2 / 2 + D(y)) and
/// y' = sqrt(s) y, so that the Gaussian has the width of a harmonic crystal at that temperature. Holds a reference.
class TemperedTarget : public physics::LatentTarget {
 public:
  TemperedTarget(const physics::LatentTarget& target, double scale);
  double scale() const { return scale_; }  // s
  std::int64_t dimension() const override { return target_.dimension(); }
  physics::WhitenedValue evaluate(const Tensor& y) const override;
  physics::Configurations configurations(const Tensor& y, const Tensor& work) const override;
  /// |y|^2 / 2 + D(y) of the target at its own temperature, [B].
  Tensor target_energy(const Tensor& y, const Tensor& work) const;

 private:
  const physics::LatentTarget& target_;
  double scale_;
  double root_;  // sqrt(s)
};

}  // namespace bgw::sampling
