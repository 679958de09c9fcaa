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

struct Known {
  Tensor values, covariance, weighing;
};

/// The first anchor takes the constant's place.
void tie(Known& known, std::int64_t floating, const Anchor& anchor) {
  Tensor constant = at::zeros_like(known.values);
  constant.slice(0, 0, floating).fill_(1.0);
  Tensor change = at::eye(known.values.size(0), at::kDouble);
  change.select(1, anchor.index) -= constant;
  known.values += constant * (anchor.value.value - known.values[anchor.index].item<double>());
  const Tensor common = anchor.value.sigma * anchor.value.sigma * at::outer(constant, constant);
  for (Tensor* covariance : {&known.covariance, &known.weighing}) *covariance = at::mm(change, at::mm(*covariance, change.t())) + common;
}

/// What one more measurement of a number leaves, one equation at a time: the least-squares estimate by `weighing`, and the error of
/// that estimate by `covariance`, in the form of Joseph, which holds for any gain.
/// @return  chi^2 of the measurement against what was known
double condition(Known& known, const Anchor& anchor) {
  const double own = anchor.value.sigma * anchor.value.sigma;
  const Tensor with = known.weighing.select(1, anchor.index).clone();
  const double variance = with[anchor.index].item<double>() + own;
  const double apart = anchor.value.value - known.values[anchor.index].item<double>();
  const double expected = known.covariance[anchor.index][anchor.index].item<double>() + own;
  known.values += with * (apart / variance);
  known.weighing = known.weighing - at::outer(with, with) / variance;
  Tensor left = at::eye(with.size(0), at::kDouble);
  left.select(1, anchor.index) -= with / variance;
  known.covariance = at::mm(left, at::mm(known.covariance, left.t())) + at::outer(with, with) * (own / (variance * variance));
  return apart * apart / expected;
}

}  // namespace

Anchored anchored(const Tensor& values, const Tensor& covariance, std::int64_t floating, const std::vector<Anchor>& anchors, const Tensor& weighing) {
  check(values, covariance, floating, anchors);
  Known known{values.clone(), covariance.contiguous(), weighing.defined() ? weighing.contiguous() : covariance.contiguous()};
  const std::vector<Disagreement> disagreements = disagreements_of(values.contiguous(), known.covariance, anchors);
  tie(known, floating, anchors.front());
  double chi_square = 0;
  for (std::size_t i = 1; i < anchors.size(); ++i) chi_square += condition(known, anchors[i]);
  if (anchors.size() > 1) known.covariance = known.covariance * std::max(1.0, chi_square / static_cast<double>(anchors.size() - 1));
  return {known.values, known.covariance, disagreements};
}

}  // namespace bgw::estimators
