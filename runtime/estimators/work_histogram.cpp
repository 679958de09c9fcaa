#include "runtime/estimators/work_histogram.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "runtime/estimators/numbers.h"

namespace bgw::estimators {
namespace {

struct Grid {
  double low = 0, width = 0;
  std::int64_t bins = 0;

  Tensor centres() const { return low + width * (at::arange(bins, at::kDouble) + 0.5); }

  Tensor density(const std::vector<double>& numbers) const {
    Tensor result = at::zeros({bins}, at::kDouble);
    const double each = 1.0 / (width * static_cast<double>(numbers.size()));
    for (const double number : numbers) {
      if (!std::isfinite(number)) continue;
      const auto bin = static_cast<std::int64_t>((number - low) / width);
      result.data_ptr<double>()[std::clamp<std::int64_t>(bin, 0, bins - 1)] += each;  // the largest closes the last bin
    }
    return result;
  }
};

Grid grid_over(const std::vector<double>& numbers, std::int64_t bins) {
  std::vector<double> finite;
  std::copy_if(numbers.begin(), numbers.end(), std::back_inserter(finite), [](double x) { return std::isfinite(x); });
  const auto [low, high] = std::minmax_element(finite.begin(), finite.end());
  const double width = (*high - *low) / static_cast<double>(bins);
  const double least = 1e-12 * std::max(std::abs(*low), std::abs(*high));
  if (!(width > least)) return {0.5 * (*low + *high) - 0.5, 1.0 / static_cast<double>(bins), bins};
  return {*low, width, bins};
}

}  // namespace

WorkHistograms work_histograms(const Tensor& forward, const Tensor& reverse, std::int64_t bins) {
  const std::vector<double> from_model = works_of(forward, "forward work");
  std::vector<double> all = from_model, from_crystal;
  if (reverse.defined()) {
    from_crystal = works_of(-reverse, "reverse work");
    for (double& work : from_crystal) work = -work;
    all.insert(all.end(), from_crystal.begin(), from_crystal.end());
  }
  const Grid grid = grid_over(all, bins);
  WorkHistograms result{grid.centres(), grid.density(from_model), {}};
  if (reverse.defined()) result.reverse = grid.density(from_crystal);
  return result;
}

}  // namespace bgw::estimators
