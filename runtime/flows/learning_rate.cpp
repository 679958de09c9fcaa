#include "runtime/flows/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bgw::flows {
namespace {

/// From `start` at 0 to `end` at 1 by half a cosine.
double glide(double start, double end, double fraction) {
  return end + 0.5 * (start - end) * (1.0 + std::cos(std::numbers::pi * fraction));
}

double one_cycle(double peak, double step, double steps) {
  const double last = steps - 1.0;
  const double top = 0.3 * last;
  if (last <= 0.0) return peak;
  if (step <= top) return glide(peak / 25.0, peak, step / top);
  return glide(peak, peak / 2500.0, (step - top) / (last - top));
}

}  // namespace

double LearningRate::at(std::int64_t step, std::int64_t steps) const {
  const double now = static_cast<double>(step);
  const double all = static_cast<double>(steps);
  switch (kind) {
    case Kind::constant: return peak;
    case Kind::one_cycle: return one_cycle(peak, now, all);
    case Kind::cosine: return glide(peak, 0.0, now / all);
    case Kind::decay:
      return peak * std::pow(factor, std::count_if(drops.begin(), drops.end(), [&](auto drop) { return step >= drop; }));
  }
  return peak;
}

}  // namespace bgw::flows
