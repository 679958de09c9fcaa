#include "runtime/estimators/bootstrap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "runtime/estimators/statistical_inefficiency.h"
#include "runtime/foundation/errors.h"
#include "runtime/foundation/interlude.h"

namespace bgw::estimators {
namespace {

/// Position of each sample within its chain, and the lengths of the chains.
struct Places {
  std::vector<std::int64_t> chain, position, length;
};

Places places_of(const Tensor& chain) {
  const Tensor dense = chain.to(at::kLong).contiguous();
  const std::int64_t* id = dense.data_ptr<std::int64_t>();
  std::map<std::int64_t, std::int64_t> order;
  Places places;
  for (std::int64_t i = 0; i < dense.numel(); ++i) {
    const auto [found, is_new] = order.emplace(id[i], static_cast<std::int64_t>(order.size()));
    if (is_new) places.length.push_back(0);
    places.chain.push_back(found->second);
    places.position.push_back(places.length[static_cast<std::size_t>(found->second)]++);
  }
  return places;
}

constexpr std::int64_t kBlocks = 32;
constexpr double kInefficienciesOfABlock = 5;

/// The series as [chains, steps], each chain up to the length of the shortest.
Tensor in_chains(const Places& places, const Tensor& series) {
  const auto chains = static_cast<std::int64_t>(places.length.size());
  const std::int64_t shortest = *std::min_element(places.length.begin(), places.length.end());
  const Tensor dense = series.to(at::kDouble).contiguous();
  Tensor rows = at::empty({chains, shortest}, at::kDouble);
  for (std::size_t i = 0; i < places.chain.size(); ++i) {
    if (places.position[i] >= shortest) continue;
    rows.data_ptr<double>()[places.chain[i] * shortest + places.position[i]] = dense.data_ptr<double>()[i];
  }
  return rows;
}

/// Into how many stretches a chain may be cut, at least one.
std::int64_t most_stretches(const Places& places, const Tensor& series) {
  const std::int64_t shortest = *std::min_element(places.length.begin(), places.length.end());
  if (shortest < 2) return 1;
  double slowest = 1;
  for (std::int64_t k = 0; k < series.size(1); ++k)
    slowest = std::max(slowest, statistical_inefficiency(in_chains(places, series.select(1, k))));
  const double stretches = static_cast<double>(shortest) / (kInefficienciesOfABlock * slowest);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(stretches));
}

}  // namespace

Blocks single_samples(std::int64_t samples) {
  Blocks blocks{std::vector<std::int64_t>(static_cast<std::size_t>(samples)), samples};
  std::iota(blocks.of_sample.begin(), blocks.of_sample.end(), 0);
  return blocks;
}

Blocks chain_blocks(const Tensor& chain, const Tensor& series) {
  if (chain.dim() != 1 || chain.numel() == 0) throw ShapeError("chain_blocks: needs the chain of each sample");
  if (series.dim() < 1 || series.dim() > 2 || series.size(0) != chain.size(0))
    throw ShapeError("chain_blocks: chains and series differ in number");
  const Places places = places_of(chain);
  const std::int64_t chains = static_cast<std::int64_t>(places.length.size());
  const std::int64_t stretches = std::min((kBlocks + chains - 1) / chains, most_stretches(places, series.reshape({series.size(0), -1})));
  Blocks blocks;
  blocks.count = chains * stretches;
  for (std::size_t i = 0; i < places.chain.size(); ++i) {
    const std::int64_t length = places.length[static_cast<std::size_t>(places.chain[i])];
    blocks.of_sample.push_back(places.chain[i] * stretches + places.position[i] * stretches / length);
  }
  return blocks;
}

Tensor bounded(const Tensor& series) {
  const Tensor numbers = series.to(at::kDouble);
  const Tensor finite = numbers.masked_select(numbers.isfinite());
  if (finite.numel() == 0) return at::zeros_like(numbers);
  const double low = finite.min().item<double>(), high = finite.max().item<double>();
  return at::nan_to_num(numbers, 0.5 * (low + high), high, low);
}

namespace {

constexpr std::int64_t kRedraw = 1 << 20;  // beyond the number of any replicate; a step of a stream has 32 bits
constexpr std::int64_t kFewestFinite = 3;  // of B blocks b: (1 - b/B)^B < e^-b, 5 % for three

/// How many blocks hold a finite number.
std::int64_t blocks_that_tell(const Blocks& blocks, const std::vector<double>& numbers) {
  std::vector<bool> tells(static_cast<std::size_t>(blocks.count), false);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (std::isfinite(numbers[i])) tells[static_cast<std::size_t>(blocks.of_sample[i])] = true;
  }
  return std::count(tells.begin(), tells.end(), true);
}

}  // namespace

std::vector<double> resampled_counts(const Blocks& blocks, const std::vector<double>& numbers, const tensor::RandomStream& stream,
                                     std::int64_t replicate) {
  const auto tells = [&](const std::vector<double>& counts) {
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (counts[i] > 0.0 && std::isfinite(numbers[i])) return true;
    }
    return false;
  };
  std::vector<double> counts = resampled_counts(blocks, stream, replicate);
  for (std::int64_t attempt = 1; !tells(counts); ++attempt) {
    if (const std::int64_t few = blocks_that_tell(blocks, numbers); few < kFewestFinite) {
      throw NumericalError(fmt::format(
          "only {} of {} independent samples lie where both the model and the crystal have a density, too few to know the error; "
          "train longer, take a base that fits better, or more samples", few, blocks.count));
    }
    counts = resampled_counts(blocks, stream, replicate + attempt * kRedraw);
  }
  return counts;
}

std::vector<double> resampled_counts(const Blocks& blocks, const tensor::RandomStream& stream, std::int64_t replicate) {
  interlude();  // once a replicate
  const Tensor draws = stream.integers(replicate, blocks.count, blocks.count);
  std::vector<double> times(static_cast<std::size_t>(blocks.count), 0.0);
  for (std::int64_t i = 0; i < blocks.count; ++i)
    times[static_cast<std::size_t>(draws.data_ptr<std::int64_t>()[i])] += 1.0;
  std::vector<double> counts;
  counts.reserve(blocks.of_sample.size());
  for (const std::int64_t block : blocks.of_sample) counts.push_back(times[static_cast<std::size_t>(block)]);
  return counts;
}

double spread(const std::vector<double>& replicates) {
  const double n = static_cast<double>(replicates.size());
  if (replicates.size() < 2) return 0.0;
  const double mean = std::accumulate(replicates.begin(), replicates.end(), 0.0) / n;
  double sum = 0;
  for (const double x : replicates) sum += (x - mean) * (x - mean);
  return std::sqrt(sum / (n - 1.0));
}

// The quantile of Student's distribution at one Gaussian standard deviation, by its expansion in 1 / degrees of freedom
// (Fisher and Cornish); its error is 2 % for one degree and below 0.1 % from two on.
double student_factor(std::int64_t blocks) {
  if (blocks < 2) return std::numeric_limits<double>::quiet_NaN();
  const double degrees = static_cast<double>(blocks - 1);
  return 1.0 + (0.5 + (0.25 + 0.0625 / degrees) / degrees) / degrees;
}

double few_blocks_factor(std::int64_t blocks) {
  const double n = static_cast<double>(blocks);
  return student_factor(blocks) * std::sqrt(n / (n - 1.0));
}

}  // namespace bgw::estimators
