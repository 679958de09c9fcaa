#include "runtime/flows/fourier_features.h"

#include <numbers>

namespace bgw::flows {

Tensor fourier_features(const Tensor& y, const FourierRange& range, std::int64_t frequencies) {
  const Tensor n = at::arange(1, frequencies + 1, y.options());
  const Tensor angle = (2.0 * std::numbers::pi / range.period) * (y - range.lower);
  const Tensor angles = (angle.unsqueeze(-1) * n).flatten(-2);
  return at::cat({angles.cos(), angles.sin()}, -1);
}

}  // namespace bgw::flows
