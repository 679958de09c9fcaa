#include "runtime/estimators/time_curve.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "runtime/foundation/errors.h"
#include "runtime/foundation/interlude.h"

namespace bgw::estimators {
namespace {

/// The samples begin .. end of one chain.
struct Stretch {
  std::int64_t begin = 0, end = 0;
  std::int64_t length() const { return end - begin; }
};

std::vector<Stretch> stretches_of(const Tensor& chain) {
  const Tensor dense = chain.to(at::kLong).contiguous();
  const std::int64_t* id = dense.data_ptr<std::int64_t>();
  std::vector<Stretch> stretches;
  for (std::int64_t i = 0; i < dense.numel(); ++i) {
    if (i == 0 || id[i] != id[i - 1]) stretches.push_back({i, i});
    stretches.back().end = i + 1;
  }
  return stretches;
}

double step_of(const std::vector<Stretch>& stretches, const double* time) {
  const double step = time[stretches.front().begin + 1] - time[stretches.front().begin];
  for (const Stretch& stretch : stretches) {
    for (std::int64_t i = stretch.begin + 1; i < stretch.end; ++i) {
      if (!(step > 0) || std::abs(time[i] - time[i - 1] - step) > 1e-6 * step)
        throw InputError("the mean squared displacement over time needs configurations at equal steps of time");
    }
  }
  return step;
}

/// One configuration after the other, so that the sum does not depend on threads.
double sum_of_squares(const Tensor& moved) {
  const Tensor each = moved.square().sum(2).sum(1).contiguous();
  return std::accumulate(each.data_ptr<double>(), each.data_ptr<double>() + each.numel(), 0.0);
}

}  // namespace

TimeCurve msd_over_time(const Tensor& displacements, const Tensor& time, const Tensor& chain, std::int64_t points) {
  if (displacements.dim() != 3 || time.dim() != 1 || chain.dim() != 1 || time.size(0) != displacements.size(0) ||
      chain.size(0) != displacements.size(0) || displacements.size(0) == 0 || points < 1) {
    throw ShapeError("msd over time: needs displacements [n, N, 3], a time and a chain of each, and at least one point");
  }
  const std::vector<Stretch> stretches = stretches_of(chain);
  const auto shorter = [](const Stretch& a, const Stretch& b) { return a.length() < b.length(); };
  const std::int64_t longest_lag = std::min_element(stretches.begin(), stretches.end(), shorter)->length() / 2;
  if (longest_lag < 1) throw InputError("the mean squared displacement over time needs at least two configurations of every chain");
  const Tensor times = time.to(at::kDouble).contiguous();
  const double step = step_of(stretches, times.data_ptr<double>());
  const Tensor u = displacements.to(at::kDouble);
  const Tensor inner = u - u.mean(1, true);

  const std::int64_t count = std::min(points, longest_lag);
  TimeCurve curve{at::empty({count}, at::kDouble), at::empty({count}, at::kDouble)};
  for (std::int64_t p = 0; p < count; ++p) {
    interlude();
    const std::int64_t lag = longest_lag * (p + 1) / count;
    double sum = 0;
    std::int64_t pairs = 0;
    for (const Stretch& stretch : stretches) {
      const Tensor moved = inner.slice(0, stretch.begin + lag, stretch.end) - inner.slice(0, stretch.begin, stretch.end - lag);
      sum += sum_of_squares(moved);
      pairs += moved.size(0) * moved.size(1);
    }
    curve.time.data_ptr<double>()[p] = step * static_cast<double>(lag);
    curve.value.data_ptr<double>()[p] = sum / static_cast<double>(pairs);
  }
  return curve;
}

}  // namespace bgw::estimators
