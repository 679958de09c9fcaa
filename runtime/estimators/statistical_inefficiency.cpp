#include "runtime/estimators/statistical_inefficiency.h"

#include <algorithm>
#include <numeric>

#include "runtime/foundation/errors.h"

namespace bgw::estimators {
namespace {

/// Mean of [chains, steps], one chain after the other, so that it does not depend on threads.
double mean_of(const Tensor& rows) {
  double sum = 0;
  for (std::int64_t c = 0; c < rows.size(0); ++c) {
    const double* x = rows.data_ptr<double>() + c * rows.size(1);
    sum += std::accumulate(x, x + rows.size(1), 0.0);
  }
  return sum / static_cast<double>(rows.numel());
}

/// Mean over chains and times of x(t) x(t + lag).
double covariance_at(const Tensor& centred, std::int64_t lag) {
  const std::int64_t steps = centred.size(1);
  return mean_of((centred.slice(1, 0, steps - lag) * centred.slice(1, lag, steps)).contiguous());
}

}  // namespace

double statistical_inefficiency(const Tensor& series) {
  if (series.dim() != 2 || series.size(1) < 2) throw ShapeError("statistical_inefficiency: needs [chains, steps >= 2]");
  const Tensor dense = series.to(at::kDouble).contiguous();
  const Tensor centred = dense - mean_of(dense);
  const double variance = covariance_at(centred, 0);
  if (!(variance > 0.0)) return 1.0;
  // Sums of the lags (2 k, 2 k + 1) are positive for a reversible chain; the first that is not is noise.
  double g = -1.0;
  for (std::int64_t lag = 0; lag + 1 < series.size(1); lag += 2) {
    const double pair = (covariance_at(centred, lag) + covariance_at(centred, lag + 1)) / variance;
    if (pair <= 0.0) break;
    g += 2.0 * pair;
  }
  return std::max(1.0, g);
}

}  // namespace bgw::estimators
