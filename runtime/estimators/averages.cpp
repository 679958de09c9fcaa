#include "runtime/estimators/averages.h"

#include <algorithm>

#include "runtime/foundation/errors.h"

namespace bgw::estimators {
namespace {

/// Sums over the samples of each block, in the order of the samples.
struct BlockSums {
  Tensor sums;     // [blocks, k]
  Tensor weights;  // [blocks]
};

void check(const Tensor& observables, const Tensor& weights, const Blocks& blocks) {
  if (observables.dim() != 2 || observables.size(0) == 0 || static_cast<std::int64_t>(blocks.of_sample.size()) != observables.size(0)) {
    throw ShapeError("averages: need observables [n, k] and the block of each sample");
  }
  if (weights.defined() && (weights.dim() != 1 || weights.size(0) != observables.size(0))) throw ShapeError("averages: need one weight a sample");
  if (!at::isfinite(observables).all().item<bool>()) throw NumericalError("an observable of a sample is not finite");
  if (weights.defined() && (!at::isfinite(weights).all().item<bool>() || !(weights.sum().item<double>() > 0)))
    throw NumericalError("the weights of the samples are not finite, or none is positive");
}

/// Samples of no weight, draws that have left the crystal, may have any numbers: here those of the heaviest.
Tensor of_weight(const Tensor& rows, const Tensor& weights) {
  if (!weights.defined() || weights.dim() != 1 || weights.size(0) != rows.size(0) || rows.size(0) == 0) return rows;
  return at::where((weights > 0).unsqueeze(1), rows, rows[weights.argmax().item<std::int64_t>()]);
}

BlockSums block_sums(const Tensor& observables, const Tensor& weights, const Blocks& blocks) {
  const std::int64_t n = observables.size(0), k = observables.size(1);
  BlockSums result{at::zeros({blocks.count, k}, at::kDouble), at::zeros({blocks.count}, at::kDouble)};
  const double* x = observables.data_ptr<double>();
  const double* w = weights.data_ptr<double>();
  double* sums = result.sums.data_ptr<double>();
  double* totals = result.weights.data_ptr<double>();
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t block = blocks.of_sample[static_cast<std::size_t>(i)];
    totals[block] += w[i];
    for (std::int64_t j = 0; j < k; ++j) sums[block * k + j] += w[i] * x[i * k + j];
  }
  return result;
}

/// Means of the blocks taken `times` often.
bool combine(const BlockSums& blocks, const std::vector<double>& times, double* means) {
  const std::int64_t count = blocks.sums.size(0), k = blocks.sums.size(1);
  const double* sums = blocks.sums.data_ptr<double>();
  const double* weights = blocks.weights.data_ptr<double>();
  std::fill_n(means, k, 0.0);
  double total = 0;
  for (std::int64_t b = 0; b < count; ++b) {
    const double t = times[static_cast<std::size_t>(b)];
    if (t == 0) continue;
    total += t * weights[b];
    for (std::int64_t j = 0; j < k; ++j) means[j] += t * sums[b * k + j];
  }
  if (!(total > 0)) return false;
  for (std::int64_t j = 0; j < k; ++j) means[j] /= total;
  return true;
}

Tensor resample(const BlockSums& blocks, const tensor::RandomStream& stream, std::int64_t bootstrap) {
  const Blocks each = single_samples(blocks.sums.size(0));
  Tensor replicates = at::empty({bootstrap, blocks.sums.size(1)}, at::kDouble);
  std::int64_t kept = 0;
  for (std::int64_t r = 0; r < bootstrap; ++r) {
    double* row = replicates.data_ptr<double>() + kept * blocks.sums.size(1);
    if (combine(blocks, resampled_counts(each, stream, r), row)) ++kept;
  }
  return replicates.slice(0, 0, kept).contiguous();
}

Means means_of(const BlockSums& sums, const tensor::RandomStream& stream, std::int64_t bootstrap) {
  const std::int64_t blocks = sums.sums.size(0);
  Means means{at::empty({sums.sums.size(1)}, at::kDouble), resample(sums, stream, bootstrap), blocks};
  combine(sums, std::vector<double>(static_cast<std::size_t>(blocks), 1.0), means.value.data_ptr<double>());
  return means;
}

/// Neighbouring blocks joined: a histogram keeps a row of bins for each.
Blocks at_most(const Blocks& blocks, std::int64_t most) {
  if (blocks.count <= most) return blocks;
  Blocks joined{{}, most};
  for (const std::int64_t block : blocks.of_sample) joined.of_sample.push_back(block * most / blocks.count);
  return joined;
}

struct Bins {
  double low = 0, width = 0;
  std::int64_t count = 0;
  std::int64_t of(double x) const { return std::clamp<std::int64_t>(static_cast<std::int64_t>((x - low) / width), 0, count - 1); }
};

Bins bins_of(const Tensor& numbers, std::int64_t count) {
  double low = numbers.min().item<double>(), high = numbers.max().item<double>();
  if (!(high > low)) {
    low -= 0.5;
    high += 0.5;
  }
  return {low, (high - low) / static_cast<double>(count), count};
}

BlockSums binned(const Tensor& numbers, const Tensor& weights, const Blocks& blocks, const Bins& bins) {
  const std::int64_t n = numbers.size(0), m = numbers.size(1);
  BlockSums result{at::zeros({blocks.count, bins.count}, at::kDouble), at::zeros({blocks.count}, at::kDouble)};
  const double* x = numbers.data_ptr<double>();
  const double* w = weights.data_ptr<double>();
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t block = blocks.of_sample[static_cast<std::size_t>(i)];
    result.weights.data_ptr<double>()[block] += w[i];
    double* row = result.sums.data_ptr<double>() + block * bins.count;
    for (std::int64_t j = 0; j < m; ++j) row[bins.of(x[i * m + j])] += w[i] / (static_cast<double>(m) * bins.width);
  }
  return result;
}

Tensor as_rows(const Tensor& numbers) { return (numbers.dim() == 1 ? numbers.unsqueeze(1) : numbers).to(at::kDouble).contiguous(); }

Tensor one_each(const Tensor& weights, std::int64_t samples) {
  return weights.defined() ? weights.to(at::kDouble).contiguous() : at::ones({samples}, at::kDouble);
}

}  // namespace

Tensor Means::sigma() const {
  if (replicates.size(0) < 2) return at::full({value.size(0)}, few_blocks_factor(1), at::kDouble);
  return replicates.std(0) * few_blocks_factor(blocks);
}

Estimate Means::of(const std::function<double(const double*)>& function) const {
  std::vector<double> results;
  for (std::int64_t r = 0; r < replicates.size(0); ++r) results.push_back(function(replicates.data_ptr<double>() + r * replicates.size(1)));
  return {function(value.data_ptr<double>()), spread(results) * few_blocks_factor(blocks)};
}

Means weighted_means(const Tensor& observables, const Tensor& weights, const Blocks& blocks, const tensor::RandomStream& stream,
                     std::int64_t bootstrap) {
  const Tensor rows = of_weight(as_rows(observables), weights);
  check(rows, weights, blocks);
  return means_of(block_sums(rows, one_each(weights, rows.size(0)), blocks), stream, bootstrap);
}

Histogram histogram(const Tensor& rows, const Tensor& weights, const Blocks& blocks, std::int64_t bins,
                    const tensor::RandomStream& stream, std::int64_t bootstrap) {
  if (bins < 1) throw InputError("a histogram has at least one bin");
  const Tensor numbers = of_weight(as_rows(rows), weights);
  check(numbers, weights, blocks);
  constexpr std::int64_t kMostBlocks = 512;
  const Bins range = bins_of(numbers, bins);
  const Means means = means_of(binned(numbers, one_each(weights, numbers.size(0)), at_most(blocks, kMostBlocks), range), stream, bootstrap);
  return {range.low + range.width * (at::arange(bins, at::kDouble) + 0.5), means.value, means.sigma()};
}

}  // namespace bgw::estimators
