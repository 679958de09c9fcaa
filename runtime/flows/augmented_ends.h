#pragma once

#include "runtime/flows/coupling_flow.h"

namespace bgw::flows {

/// A crystal and a second copy of its atoms: states are displacements x, rows 0..N-1, without a mean, and auxiliary
/// ones a, rows N..2N-1. The base is the Gaussian of the crystal with a = x + width e, e ~ N(0, 1); so is the target's
/// a about its x, so that the density of x alone is the crystal's. Latent numbers are those of the whitened modes, then
/// e.
class AugmentedEnds : public Ends {
 public:
  /// @param target  must outlive this
  /// @param width   standard deviation of a - x, angstrom
  /// @throws InputError unless the width is positive
  AugmentedEnds(const physics::WhitenedTarget& target, double width);

  const physics::WhitenedTarget& target() const override { return target_; }
  std::int64_t latent_dimension() const override { return target_.dimension() + auxiliary_dimension(); }
  std::int64_t auxiliary_dimension() const override { return 3 * target_.particles(); }

  Tensor state_of_latent(const Tensor& latent) const override;
  Tensor pull_back_to_latent(const Tensor& latent, const Tensor& state_bar) const override;
  Tensor log_base(const Tensor& state) const override;
  Tensor base_score(const Tensor& state) const override;

  TargetValue log_target(const Tensor& state, bool with_gradient) const override;
  Tensor displacements(const Tensor& state) const override;
  Tensor state_of(const Tensor& displacements, const Tensor& auxiliary) const override;

 private:
  Tensor crystal(const Tensor& state) const;  // x
  Tensor noise(const Tensor& state) const;    // e
  Tensor state_with(const Tensor& x, const Tensor& e) const;

  const physics::WhitenedTarget& target_;
  double width_;
};

}  // namespace bgw::flows
