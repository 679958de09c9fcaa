#include "runtime/estimators/bar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/foundation/errors.h"

namespace bgw::estimators {
namespace {

using Numbers = std::vector<double>;

double total(const Numbers& counts) { return std::accumulate(counts.begin(), counts.end(), 0.0); }

struct ValueAndSlope {
  double value = 0, slope = 0;
};

/// The two-sided equation: increasing in delta_f, from -n_R to n_F.
class BarEquation {
 public:
  BarEquation(const Numbers& forward, const Numbers& forward_counts, const Numbers& reverse,
              const Numbers& reverse_counts)
      : forward_(forward),
        forward_counts_(forward_counts),
        reverse_(reverse),
        reverse_counts_(reverse_counts),
        offset_(std::log(total(forward_counts) / total(reverse_counts))) {}

  ValueAndSlope at(double delta_f) const {
    ValueAndSlope sum;
    for (std::size_t i = 0; i < forward_.size(); ++i) {
      const double p = fermi(offset_ + forward_[i] - delta_f);
      sum.value += forward_counts_[i] * p;
      sum.slope += forward_counts_[i] * p * (1.0 - p);
    }
    for (std::size_t i = 0; i < reverse_.size(); ++i) {
      const double p = fermi(-offset_ + reverse_[i] + delta_f);
      sum.value -= reverse_counts_[i] * p;
      sum.slope += reverse_counts_[i] * p * (1.0 - p);
    }
    return sum;
  }

  double offset() const { return offset_; }

 private:
  const Numbers& forward_;
  const Numbers& forward_counts_;
  const Numbers& reverse_;
  const Numbers& reverse_counts_;
  double offset_;
};

struct Bracket {
  double low = 0, high = 0;
};

/// The smallest and the largest finite work that counts.
Bracket range_of(const Numbers& works, const Numbers& counts) {
  Bracket range{INFINITY, -INFINITY};
  for (std::size_t i = 0; i < works.size(); ++i) {
    if (counts[i] == 0.0 || !std::isfinite(works[i])) continue;
    range.low = std::min(range.low, works[i]);
    range.high = std::max(range.high, works[i]);
  }
  if (range.low <= range.high) return range;
  throw NumericalError("bar: model and target do not overlap: no sample of one is where the other has a density");
}

/// An interval that holds the root: the range of the works of both sides, widened until the signs differ.
Bracket bracket_of(const BarEquation& equation, const Bracket& forward, const Bracket& reverse) {
  Bracket b{std::min(forward.low, -reverse.high), std::max(forward.high, -reverse.low)};
  double margin = 1.0 + std::abs(equation.offset());
  while (equation.at(b.low).value > 0.0) b.low -= (margin *= 2.0);
  while (equation.at(b.high).value < 0.0) b.high += (margin *= 2.0);
  return b;
}

double overlap_of(const Numbers& forward, const Numbers& reverse, double delta_f) {
  const double n0 = static_cast<double>(forward.size());
  const double n1 = static_cast<double>(reverse.size());
  const Numbers ones_f(forward.size(), 1.0), ones_r(reverse.size(), 1.0);
  return BarEquation(forward, ones_f, reverse, ones_r).at(delta_f).slope * (1.0 / n0 + 1.0 / n1);
}

}  // namespace

// Newton's step where it stays in the bracket and shrinks, bisection elsewhere; both ends move, so it cannot fail.
double bar_root(const Numbers& forward, const Numbers& forward_counts, const Numbers& reverse,
                const Numbers& reverse_counts) {
  const BarEquation equation(forward, forward_counts, reverse, reverse_counts);
  Bracket b = bracket_of(equation, range_of(forward, forward_counts), range_of(reverse, reverse_counts));
  double x = 0.5 * (b.low + b.high);
  for (int iteration = 0; iteration < 500; ++iteration) {
    const ValueAndSlope f = equation.at(x);
    if (f.value == 0.0) return x;
    (f.value > 0.0 ? b.high : b.low) = x;
    double next = x - f.value / f.slope;
    if (!(next > b.low && next < b.high)) next = 0.5 * (b.low + b.high);
    const double resolution = 2.0 * std::numeric_limits<double>::epsilon() * (1.0 + std::abs(x));
    if (std::abs(next - x) <= resolution || b.high - b.low <= resolution) return next;
    x = next;
  }
  return x;
}

tensor::RandomStream bar_forward_stream(const plan::Key& stream_key) { return {stream_key, "bar.forward"}; }

BarResult bar(const Tensor& forward, const Blocks& forward_blocks, const Tensor& reverse, const Blocks& reverse_blocks,
              const plan::Key& stream_key, const BarOptions& options) {
  const Numbers f = works_of(forward, "forward work");
  const Numbers r = works_of(reverse, "reverse work");
  if (f.size() != forward_blocks.of_sample.size() || r.size() != reverse_blocks.of_sample.size()) {
    throw ShapeError("bar: blocks and works differ in number");
  }
  BarResult result;
  result.delta_f.value = bar_root(f, Numbers(f.size(), 1.0), r, Numbers(r.size(), 1.0));
  result.overlap = overlap_of(f, r, result.delta_f.value);
  if (!(result.overlap >= options.least_overlap)) {
    throw NumericalError(
        fmt::format("bar: model and target do not overlap: {:.2g}, below {:.2g}; train longer, take more splits, or "
                    "use a reference "
                    "with more states",
                    result.overlap, options.least_overlap));
  }
  const tensor::RandomStream forward_stream = bar_forward_stream(stream_key);
  const tensor::RandomStream reverse_stream(stream_key, "bar.reverse");
  for (std::int64_t i = 0; i < options.bootstrap; ++i) {
    result.replicates.push_back(bar_root(f, resampled_counts(forward_blocks, f, forward_stream, i), r,
                                         resampled_counts(reverse_blocks, r, reverse_stream, i)));
  }
  result.delta_f.sigma = spread(result.replicates) * few_blocks_factor(std::min(forward_blocks.count, reverse_blocks.count));
  return result;
}

}  // namespace bgw::estimators
