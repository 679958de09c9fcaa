#include "runtime/estimators/anchored.h"

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"

namespace bgw::estimators {
namespace {

void check(const Tensor& values, const Tensor& covariance, std::int64_t floating, const std::vector<Anchor>& anchors) {
  if (!covariance.isfinite().all().item<bool>()) {
    throw NumericalError("the errors of the ladder are not known: its samples are one block; give it more chains, or more steps");
  }
  if (anchors.empty()) throw ShapeError("anchored: needs an anchor");
  for (const Anchor& anchor : anchors) {
    if (anchor.index < 0 || anchor.index >= floating || floating > values.size(0)) throw ShapeError("anchored: an anchor is beyond the numbers");
    if (!(anchor.value.sigma > 0.0)) throw NumericalError("an anchor has no error");
  }
}

std::vector<Disagreement> disagreements_of(const Tensor& values, const Tensor& covariance, const std::vector<Anchor>& anchors) {
  const auto v = values.accessor<double, 1>();
  const auto c = covariance.accessor<double, 2>();
  std::vector<Disagreement> all;
  for (std::size_t b = 1; b < anchors.size(); ++b) {
    for (std::size_t a = 0; a < b; ++a) {
      const std::int64_t i = anchors[a].index, j = anchors[b].index;
      const double apart = (anchors[b].value.value - anchors[a].value.value) - (v[j] - v[i]);
      const double own = std::hypot(anchors[a].value.sigma, anchors[b].value.sigma);
      all.push_back({std::abs(apart) / std::sqrt(own * own + std::max(0.0, c[i][i] + c[j][j] - 2.0 * c[i][j])), a, b});
    }
  }
  return all;
}

/// The first anchor takes the constant's place.
void tie(Tensor& values, Tensor& covariance, std::int64_t floating, const Anchor& anchor) {
  Tensor constant = at::zeros_like(values);
  constant.slice(0, 0, floating).fill_(1.0);
  Tensor change = at::eye(values.size(0), at::kDouble);
  change.select(1, anchor.index) -= constant;
  values += constant * (anchor.value.value - values[anchor.index].item<double>());
  covariance = at::mm(change, at::mm(covariance, change.t())) + anchor.value.sigma * anchor.value.sigma * at::outer(constant, constant);
}

/// What one more measurement of a number leaves: the least-squares estimate, one equation at a time.
/// @return  chi^2 of the measurement against what was known
double condition(Tensor& values, Tensor& covariance, const Anchor& anchor) {
  const Tensor with = covariance.select(1, anchor.index).clone();
  const double variance = with[anchor.index].item<double>() + anchor.value.sigma * anchor.value.sigma;
  const double apart = anchor.value.value - values[anchor.index].item<double>();
  values += with * (apart / variance);
  covariance = covariance - at::outer(with, with) / variance;
  return apart * apart / variance;
}

}  // namespace

Anchored anchored(const Tensor& values, const Tensor& covariance, std::int64_t floating, const std::vector<Anchor>& anchors) {
  check(values, covariance, floating, anchors);
  Anchored result{values.clone(), covariance.contiguous(), disagreements_of(values.contiguous(), covariance.contiguous(), anchors), 0.0};
  tie(result.values, result.covariance, floating, anchors.front());
  for (std::size_t i = 1; i < anchors.size(); ++i) result.chi_square += condition(result.values, result.covariance, anchors[i]);
  if (anchors.size() > 1) result.covariance = result.covariance * std::max(1.0, result.chi_square / static_cast<double>(anchors.size() - 1));
  return result;
}

}  // namespace bgw::estimators
