#pragma once

#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// What happens at the ends of the interval: outside it the map is the identity, and at the ends
enum class SplineEnds {
  identity,  // the slope is one, so that the map joins smoothly to the identity
  circular   // the slopes of both ends are equal, for periodic variables
};

struct SplineValue {
  Tensor value;           // like the input
  Tensor log_derivative;  // ln dy/dx (forward) or ln dx/dy (inverse), like the input
};

/// A monotone piecewise rational-quadratic map of [lower, upper] onto itself, element by element, from raw numbers of
/// any size: softmax gives widths and heights, softplus the slopes, zero gives the identity.
/// @source Durkan, Bekasov, Murray, Papamakarios, "Neural spline flows", NeurIPS 2019; circular ends: Rezende et al.,
///         "Normalizing flows on tori and spheres", ICML 2020
class RationalQuadraticSpline {
 public:
  /// @param raw  [..., 3 K + 1]: K widths, K heights, K + 1 slopes; float32 or float64, which sets the precision
  /// @throws ShapeError unless the last size is 3 K + 1 with K >= 1 and lower < upper
  RationalQuadraticSpline(const Tensor& raw, double lower, double upper, SplineEnds ends);

  SplineValue forward(const Tensor& x) const;  // x [...] broadcasts against the raw numbers' leading sizes
  SplineValue inverse(const Tensor& y) const;

 private:
  struct Bin;
  Bin bin_of(const Tensor& value, const Tensor& knots) const;

  double lower_;
  double upper_;
  Tensor x_knots_, y_knots_;  // [..., K + 1]
  Tensor widths_, heights_;   // [..., K]
  Tensor slopes_;             // [..., K + 1]
};

}  // namespace bgw::flows
