#include "runtime/report/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bgw::report {

schema::Value histogram_series(const std::string& label, const std::vector<double>& values, double low, double high) {
  const auto finite =
      static_cast<double>(std::count_if(values.begin(), values.end(), [](double v) { return std::isfinite(v); }));
  const auto bins = static_cast<std::size_t>(std::clamp(std::sqrt(finite), 10.0, 60.0));
  const double width = (high - low) / static_cast<double>(bins);
  std::vector<double> counts(bins);
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    const double place = std::clamp((value - low) / width, 0.0, static_cast<double>(bins) - 1);
    counts[static_cast<std::size_t>(place)] += 1;
  }
  // The outline of the bars, from the axis and back to it.
  schema::List x{low}, y{0.0};
  for (std::size_t bin = 0; bin < bins; ++bin) {
    const double density = finite > 0 ? counts[bin] / (finite * width) : 0;
    x.emplace_back(low + static_cast<double>(bin) * width);
    y.emplace_back(density);
    x.emplace_back(low + static_cast<double>(bin + 1) * width);
    y.emplace_back(density);
  }
  x.emplace_back(high);
  y.emplace_back(0.0);
  schema::Map series{{"label", label}, {"style", "line"}};
  series["x"] = std::move(x);
  series["y"] = std::move(y);
  return series;
}

Range common_range(const std::vector<const std::vector<double>*>& sets) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const std::vector<double>* values : sets) {
    for (const double value : *values) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  if (low > high) return {0, 1};
  if (low == high) return {low - 0.5, high + 0.5};
  return {low, high};
}

}  // namespace bgw::report
