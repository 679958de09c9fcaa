#include "runtime/flows/sample_blocks.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace bgw::flows {
namespace {

// Gradients are added up in so many lanes, each of blocks in a row, then lane by lane.
constexpr std::int64_t kLanes = 16;

/// Runs f(0) ... f(count - 1) on the threads there are, each call on one of them.
void on_threads(std::int64_t count, const std::function<void(std::int64_t)>& f) {
  // A region of one piece would leave the threads to the operations within it, which then cut their loops elsewhere.
  at::parallel_for(0, std::max<std::int64_t>(count, 2), 1, [&](std::int64_t begin, std::int64_t end) {
    const at::NoGradGuard no_grad;  // worker threads begin with it on
    for (std::int64_t i = begin; i < std::min(end, count); ++i) f(i);
  });
}

struct Range {
  std::int64_t begin, length;
};

Tensor rows_of(const Tensor& samples, const Range& range) { return samples.narrow(0, range.begin, range.length); }

/// The samples of a block, with copies of the last behind them up to its full size.
Tensor filled(const Tensor& samples, const Range& range, std::int64_t block) {
  const Tensor rows = rows_of(samples, range);
  if (range.length == block) return rows;
  const Tensor last = rows.slice(0, range.length - 1, range.length);
  return at::cat({rows, last.expand({block - range.length, -1, -1})}, 0);
}

std::vector<Range> ranges_of(std::int64_t samples, std::int64_t block) {
  std::vector<Range> ranges;
  for (std::int64_t begin = 0; begin < samples; begin += block)
    ranges.push_back({begin, std::min(block, samples - begin)});
  return ranges;
}

}  // namespace

Tensor SampleBlocks::apply(Map map, const Tensor& x, const Tensor& parameters, Tensor& log_det) const {
  const std::vector<Range> ranges = ranges_of(x.size(0), block_);
  const Tensor y = at::empty_like(x);
  const Tensor added = at::zeros({x.size(0)}, x.options());
  on_threads(static_cast<std::int64_t>(ranges.size()), [&](std::int64_t i) {
    const Range& range = ranges[static_cast<std::size_t>(i)];
    Tensor of_block = at::zeros({block_}, x.options());
    const Tensor moved = (step_.get()->*map)(filled(x, range, block_), own(parameters), of_block);
    rows_of(y, range).copy_(moved.narrow(0, 0, range.length));
    rows_of(added, range).copy_(of_block.narrow(0, 0, range.length));
  });
  log_det = log_det + added;
  return y;
}

// A sum over the batch may depend on it; results by sample may not, so without a gradient blocks are filled up.
Tensor SampleBlocks::derive(const Derivative& derivative, const Tensor& x, const Tensor& bar,
                            const Tensor& parameters, Tensor* gradient) const {
  const std::vector<Range> ranges = ranges_of(x.size(0), block_);
  const auto count = static_cast<std::int64_t>(ranges.size());
  const std::int64_t lanes = std::min(kLanes, count);
  const Tensor result = at::empty_like(x);
  std::vector<Tensor> sums(static_cast<std::size_t>(lanes));
  on_threads(lanes, [&](std::int64_t lane) {
    Tensor& sum = sums[static_cast<std::size_t>(lane)];
    if (gradient != nullptr) sum = at::zeros({size_}, parameters.options());
    for (std::int64_t i = lane * count / lanes; i < (lane + 1) * count / lanes; ++i) {
      const Range& range = ranges[static_cast<std::size_t>(i)];
      const Tensor of_block =
          gradient != nullptr ? derivative(rows_of(x, range), rows_of(bar, range), &sum)
                              : derivative(filled(x, range, block_), filled(bar, range, block_), nullptr);
      rows_of(result, range).copy_(of_block.narrow(0, 0, range.length));
    }
  });
  if (gradient != nullptr) {
    for (const Tensor& sum : sums) own(*gradient).add_(sum);
  }
  return result;
}

Tensor SampleBlocks::forward(const Tensor& x, const Tensor& parameters, Tensor& log_det) const {
  return apply(&Step::forward, x, parameters, log_det);
}

Tensor SampleBlocks::inverse(const Tensor& y, const Tensor& parameters, Tensor& log_det) const {
  return apply(&Step::inverse, y, parameters, log_det);
}

Tensor SampleBlocks::pull_back(const Tensor& x, const Tensor& parameters, const Tensor& y_bar, double log_det_bar,
                               Tensor* gradient) const {
  const Tensor weights = own(parameters);
  return derive(
      [&](const Tensor& rows, const Tensor& bar, Tensor* sum) {
        return step_->pull_back(rows, weights, bar, log_det_bar, sum);
      },
      x, y_bar, parameters, gradient);
}

Tensor SampleBlocks::carry_score(const Tensor& x, const Tensor& parameters, const Tensor& score,
                                 Tensor* gradient) const {
  const Tensor weights = own(parameters);
  return derive(
      [&](const Tensor& rows, const Tensor& before, Tensor* sum) {
        return step_->carry_score(rows, weights, before, sum);
      },
      x, score, parameters, gradient);
}

}  // namespace bgw::flows
