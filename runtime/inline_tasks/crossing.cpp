#include "runtime/inline_tasks/crossing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/foundation/errors.h"

namespace bgw::inline_tasks {
namespace {

constexpr std::size_t kBeside = 1;  // points beyond each end of the interval: a cubic
constexpr int kHalvings = 200;

struct Point {
  double x;
  const Estimate* y;
};

std::vector<Point> sorted(const std::vector<Estimate>& x, const std::vector<Estimate>& y) {
  if (x.size() != y.size()) throw InputError(fmt::format("`crossing` has {} abscissae for {} values: give one of each", x.size(), y.size()));
  if (x.size() < 2) throw InputError("`crossing` needs two points at least");
  std::vector<Point> points;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i].sigma().value_or(0) > 0) throw InputError("the abscissae of `crossing` are exact numbers: exchange the two lists");
    common_unit(x[i], x.front());
    points.push_back({x[i].value(), &y[i]});
  }
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (points[i].x == points[i - 1].x) throw InputError(fmt::format("`crossing` has two points at {:g}: leave one out", points[i].x));
  }
  return points;
}

/// Factors of the values in the polynomial through the points: L_k(at).
std::vector<double> lagrange(const std::vector<Point>& points, double at) {
  std::vector<double> factors(points.size(), 1.0);
  for (std::size_t k = 0; k < points.size(); ++k) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (i != k) factors[k] *= (at - points[i].x) / (points[k].x - points[i].x);
    }
  }
  return factors;
}

double value_at(const std::vector<Point>& points, double at) {
  const std::vector<double> factors = lagrange(points, at);
  return std::inner_product(points.begin(), points.end(), factors.begin(), 0.0, std::plus<>{}, [](const Point& point, double factor) { return point.y->value() * factor; });
}

/// The place of the first point of the interval with the crossing.
std::size_t interval_of(const std::vector<Point>& points, double level) {
  std::vector<std::size_t> found;
  for (std::size_t i = 1; i < points.size(); ++i) {
    const bool before = points[i - 1].y->value() >= level, behind = points[i].y->value() >= level;
    if (before != behind) found.push_back(i - 1);
  }
  if (found.size() == 1) return found.front();
  std::vector<double> values;
  for (const Point& point : points) values.push_back(point.y->value());
  if (found.empty()) throw InputError(fmt::format("the values {:.6g} do not cross {:.6g}: add points beyond", fmt::join(values, ", "), level));
  throw InputError(fmt::format("the values {:.6g} cross {:.6g} {} times: leave out the points beyond the one that is meant", fmt::join(values, ", "), level, found.size()));
}

}  // namespace

Estimate crossing(const std::vector<Estimate>& x, const std::vector<Estimate>& y, const Estimate& level) {
  const std::vector<Point> all = sorted(x, y);
  for (const Estimate& value : y) common_unit(value, level);
  const std::size_t first = interval_of(all, level.value());
  const std::size_t from = first - std::min(first, kBeside), to = std::min(all.size(), first + 2 + kBeside);
  const std::vector<Point> points(all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(to));

  double low = all[first].x, high = all[first + 1].x;
  const bool above = all[first].y->value() >= level.value();
  for (int k = 0; k < kHalvings && low < high; ++k) {
    const double middle = low + 0.5 * (high - low);
    if (middle == low || middle == high) break;
    ((value_at(points, middle) >= level.value()) == above ? low : high) = middle;
  }
  const double step = 1e-4 * (all[first + 1].x - all[first].x);
  const double slope = (value_at(points, low + step) - value_at(points, low - step)) / (2 * step);
  if (slope == 0 || !std::isfinite(slope)) throw NumericalError("the curve is flat where it crosses");

  const std::string unit = x.front().unit();
  const std::vector<double> factors = lagrange(points, low);
  Estimate result = Estimate::apply(level, low, 1 / slope, unit);
  for (std::size_t k = 0; k < points.size(); ++k) result = Estimate::apply(result, *points[k].y, low, 1, -factors[k] / slope, unit);
  return result;
}

}  // namespace bgw::inline_tasks
