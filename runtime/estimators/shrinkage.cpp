#include "runtime/estimators/shrinkage.h"

#include <algorithm>

#include "runtime/foundation/errors.h"

namespace bgw::estimators {

Tensor shrunk_covariance(const Tensor& covariance, std::int64_t degrees) {
  if (covariance.dim() != 2 || covariance.size(0) != covariance.size(1)) throw ShapeError("shrunk_covariance: needs a square matrix");
  if (degrees < 1) throw ShapeError("shrunk_covariance: needs a degree of freedom");
  const std::int64_t n = covariance.size(0);
  const Tensor scale = covariance.diagonal().clamp_min(0.0).sqrt();
  const Tensor inverse = at::where(scale > 0.0, scale.reciprocal(), at::zeros_like(scale));
  const Tensor others = 1.0 - at::eye(n, at::kDouble);
  const Tensor correlation = covariance * inverse.unsqueeze(0) * inverse.unsqueeze(1) * others;
  const Tensor squares = correlation.square();
  const double sum = squares.sum().item<double>();
  if (!(sum > 0.0)) return covariance.clone();
  const Tensor known = (scale > 0.0).to(at::kDouble);
  const Tensor pairs = others * known.unsqueeze(0) * known.unsqueeze(1);
  const double noise = (pairs * (1.0 - squares).square()).sum().item<double>() / static_cast<double>(degrees);
  const double share = std::clamp(noise / sum, 0.0, 1.0);
  return covariance * (1.0 - share * others);
}

Tensor shrunk_between(const Tensor& covariance, const Tensor& combinations, std::int64_t degrees) {
  const auto inverse = [](const Tensor& scale) { return at::where(scale > 0.0, scale.reciprocal(), at::zeros_like(scale)); };
  const Tensor scale = covariance.diagonal().clamp_min(0.0).sqrt(), down = inverse(scale);
  const Tensor correlation = covariance * down.unsqueeze(0) * down.unsqueeze(1);
  const Tensor shrunk = shrunk_covariance(at::mm(combinations, at::mm(correlation, combinations.t())), degrees);
  const Tensor back = at::mm(combinations.t(), at::mm(shrunk, combinations));
  const Tensor rescale = scale * inverse(back.diagonal().clamp_min(0.0).sqrt());
  return back * rescale.unsqueeze(0) * rescale.unsqueeze(1);
}

}  // namespace bgw::estimators
