#include "runtime/estimators/jackknife.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/estimators/bootstrap.h"
#include "runtime/estimators/statistical_inefficiency.h"
#include "runtime/foundation/errors.h"

namespace bgw::estimators {
namespace {

constexpr double kCorrelationTimes = 5.0;

struct Block {
  std::vector<double> sums;  // of the columns
  double samples = 0;
};

std::vector<double> sums_of(const Tensor& rows) {
  const Tensor sums = rows.sum(0).contiguous();
  const double* x = sums.data_ptr<double>();
  return {x, x + sums.numel()};
}

std::vector<Block> blocks_of(const std::vector<Tensor>& chains, std::int64_t length) {
  std::vector<Block> blocks;
  for (const Tensor& chain : chains) {
    if (chain.dim() != 2) throw ShapeError("jackknife: a chain must have the shape [samples, columns]");
    const std::int64_t samples = chain.size(0);
    const std::int64_t count = samples == 0 ? 0 : std::max<std::int64_t>(1, samples / length);
    for (std::int64_t b = 0; b < count; ++b) {
      const std::int64_t end = b + 1 == count ? samples : (b + 1) * length;
      blocks.push_back({sums_of(chain.slice(0, b * length, end)), static_cast<double>(end - b * length)});
      if (blocks.back().sums.size() != blocks.front().sums.size())
        throw ShapeError("jackknife: chains differ in their columns");
    }
  }
  if (blocks.empty()) throw ShapeError("jackknife: there are no samples");
  return blocks;
}

}  // namespace

std::int64_t block_length(const std::vector<Tensor>& chains) {
  std::int64_t longest = 0;
  for (const Tensor& chain : chains) longest = std::max(longest, chain.numel());
  if (longest < 2) return 1;
  // A chain that ended early does not show how long correlations last, and must not cut those of others short.
  const auto tells = [&](const Tensor& chain) { return chain.numel() >= 2 && 2 * chain.numel() >= longest; };
  std::int64_t common = longest;
  for (const Tensor& chain : chains) {
    if (tells(chain)) common = std::min(common, chain.numel());
  }
  std::vector<Tensor> ends;  // of equal length
  for (const Tensor& chain : chains) {
    if (tells(chain)) ends.push_back(chain.slice(0, chain.numel() - common));
  }
  const double inefficiency = statistical_inefficiency(at::stack(ends));
  return std::clamp(static_cast<std::int64_t>(std::ceil(kCorrelationTimes * inefficiency)), std::int64_t{1}, longest);
}

Estimate jackknife(const std::vector<Tensor>& chains, std::int64_t block,
                   const std::function<double(const std::vector<double>&)>& function) {
  if (block < 1) throw ShapeError("jackknife: a block holds at least one sample");
  const std::vector<Block> blocks = blocks_of(chains, block);
  Block all{std::vector<double>(blocks.front().sums.size()), 0};
  for (const Block& part : blocks) {
    for (std::size_t k = 0; k < all.sums.size(); ++k) all.sums[k] += part.sums[k];
    all.samples += part.samples;
  }
  const auto of_means = [&](const Block& without) {
    std::vector<double> means(all.sums.size());
    for (std::size_t k = 0; k < means.size(); ++k) {
      means[k] = (all.sums[k] - without.sums[k]) / (all.samples - without.samples);
    }
    return function(means);
  };
  const double value = of_means({std::vector<double>(all.sums.size()), 0});
  const auto count = static_cast<double>(blocks.size());
  if (blocks.size() < 2) return {value, std::numeric_limits<double>::quiet_NaN()};
  std::vector<double> partial;
  double mean = 0;
  for (const Block& left_out : blocks) {
    partial.push_back(of_means(left_out));
    mean += partial.back() / count;
  }
  double squares = 0;
  for (const double x : partial) squares += (x - mean) * (x - mean);
  return {value, student_factor(static_cast<std::int64_t>(blocks.size())) * std::sqrt(squares * (count - 1) / count)};
}

}  // namespace bgw::estimators
