#include "runtime/estimators/reweighted.h"

#include <algorithm>
#include <cmath>

#include "runtime/estimators/bootstrap.h"
#include "runtime/foundation/errors.h"

namespace bgw::estimators {
namespace {

/// ln mean w and the means, of samples taken `times` often. False when none has weight.
bool evaluate(const std::vector<double>& weights, const double* observables, std::int64_t k, const std::vector<double>& times, double* out) {
  std::fill_n(out, 1 + k, 0.0);
  double taken = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    taken += times[i];
    const double w = times[i] * weights[i];
    if (w == 0) continue;
    out[0] += w;
    for (std::int64_t j = 0; j < k; ++j) out[1 + j] += w * observables[static_cast<std::int64_t>(i) * k + j];
  }
  if (!(out[0] > 0)) return false;
  for (std::int64_t j = 0; j < k; ++j) out[1 + j] /= out[0];
  out[0] = std::log(out[0] / taken);
  return true;
}

}  // namespace

Reweighted reweighted(const Tensor& log_weight, const Tensor& observables, const tensor::RandomStream& stream, std::int64_t bootstrap) {
  if (observables.dim() != 2 || log_weight.dim() != 1 || observables.size(0) != log_weight.size(0)) {
    throw ShapeError("reweighting: need log weights [n] and observables [n, k]");
  }
  std::vector<double> weights = log_weights_of(log_weight);
  const double largest = *std::max_element(weights.begin(), weights.end());
  for (double& w : weights) w = std::exp(w - largest);
  const Tensor rows = observables.to(at::kDouble).contiguous();
  const std::int64_t k = rows.size(1);
  const Tensor counts = at::tensor(at::ArrayRef<double>(weights), at::kDouble) > 0;
  if (!at::isfinite(rows.index_select(0, counts.nonzero().view({-1}))).all().item<bool>()) throw NumericalError("an observable of a sample is not finite");

  Tensor all = at::empty({1 + k}, at::kDouble), replicates = at::empty({bootstrap, 1 + k}, at::kDouble);
  evaluate(weights, rows.data_ptr<double>(), k, std::vector<double>(weights.size(), 1.0), all.data_ptr<double>());
  const Blocks each = single_samples(std::ssize(weights));
  std::int64_t kept = 0;
  for (std::int64_t r = 0; r < bootstrap; ++r) {
    if (evaluate(weights, rows.data_ptr<double>(), k, resampled_counts(each, stream, r), replicates.data_ptr<double>() + kept * (1 + k))) ++kept;
  }
  const Tensor apart = replicates.slice(0, 0, kept) - replicates.slice(0, 0, kept).mean(0, true);
  Reweighted result;
  result.log_mean = all[0].item<double>() + largest;
  result.means = all.slice(0, 1).clone();
  result.covariance = at::matmul(apart.t(), apart) / static_cast<double>(std::max<std::int64_t>(1, kept - 1));
  return result;
}

}  // namespace bgw::estimators
