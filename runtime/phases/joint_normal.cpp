#include "runtime/phases/joint_normal.h"

#include <fmt/format.h>

#include <cmath>

#include "runtime/foundation/errors.h"

namespace bgw::phases {
namespace {

/// Columns, each a principal axis times its standard deviation: their outer products sum to the covariance.
Tensor principal_axes(const Tensor& covariance) {
  const auto [variances, axes] = at::linalg_eigh(0.5 * (covariance + covariance.t()), "L");
  return (axes * variances.clamp_min(0.0).sqrt()).t().contiguous();  // a row each
}

std::vector<double> shifted(const std::vector<double>& mean, const Tensor& axis, double by) {
  std::vector<double> result = mean;
  const double* step = axis.data_ptr<double>();
  for (std::size_t i = 0; i < result.size(); ++i) result[i] += by * step[i];
  return result;
}

void refuse_unless_finite(const std::vector<double>& numbers) {
  for (const double number : numbers) {
    if (!std::isfinite(number)) throw NumericalError("a result cannot be followed over the errors of what it is made of");
  }
}

}  // namespace

double JointNormal::sigma(std::size_t i) const {
  const auto at = static_cast<std::int64_t>(i);
  return std::sqrt(covariance[at][at].item<double>());
}

JointNormal independent(const std::vector<JointNormal>& parts) {
  JointNormal all;
  std::vector<Tensor> blocks;
  for (const JointNormal& part : parts) {
    all.mean.insert(all.mean.end(), part.mean.begin(), part.mean.end());
    blocks.push_back(part.covariance);
  }
  all.covariance = blocks.empty() ? at::zeros({0, 0}, at::kDouble) : at::block_diag(blocks);
  return all;
}

JointNormal propagate(const std::function<std::vector<double>(const std::vector<double>&)>& function,
                      const JointNormal& numbers) {
  JointNormal result{function(numbers.mean), {}};
  refuse_unless_finite(result.mean);
  const auto length = static_cast<std::int64_t>(result.mean.size());
  const auto count = static_cast<std::int64_t>(numbers.size());
  Tensor shares = at::zeros({count, length}, at::kDouble);
  const Tensor axes = principal_axes(numbers.covariance);
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor axis = axes[i];
    const std::vector<double> above = function(shifted(numbers.mean, axis, 1.0));
    const std::vector<double> below = function(shifted(numbers.mean, axis, -1.0));
    refuse_unless_finite(above);
    refuse_unless_finite(below);
    double* share = shares[i].data_ptr<double>();
    for (std::size_t k = 0; k < result.mean.size(); ++k) share[k] = 0.5 * (above[k] - below[k]);
  }
  result.covariance = at::matmul(shares.t(), shares);
  return result;
}

}  // namespace bgw::phases
