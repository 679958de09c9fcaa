#pragma once

#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// The length of three standard normal numbers: its distribution function P(r) and 1 - P(r), each to full relative
/// precision, and its density.
double chi3_below(double r);
double chi3_above(double r);
double chi3_density(double r);

/// Isotropic normal displacements of standard deviation `width`, none longer than `radius`. They are made from normal
/// numbers by a monotone map of their length, r -> P^-1(P(r) P(radius / width)): the same distribution that rejecting
/// long displacements gives, but in one pass, and smooth in the normal numbers. Where the radius is many widths the map
/// is the identity to the last bit.
class TruncatedNoise {
 public:
  /// @throws std::logic_error unless both are positive
  TruncatedNoise(double width, double radius);

  Tensor displacements(const Tensor& normal) const;  // [B, n, 3] -> [B, n, 3]
  /// Gradient with respect to the normal numbers from that with respect to the displacements.
  Tensor pull_back(const Tensor& normal, const Tensor& displacement_bar) const;
  /// [B]; minus infinity where a displacement is too long.
  Tensor log_density(const Tensor& displacements) const;
  /// Gradient of log_density. [B, n, 3]
  Tensor score(const Tensor& displacements) const;
  double width() const { return width_; }

 private:
  double length_of(double r) const;

  double width_;
  double cut_;  // radius / width
};

}  // namespace bgw::flows
