#pragma once

#include <cstdint>
#include <vector>

#include "runtime/estimators/numbers.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::estimators {

/// Groups of samples that are resampled together: every sample its own (independent samples), or the chain or the
/// stretch of a chain it belongs to (correlated samples).
struct Blocks {
  std::vector<std::int64_t> of_sample;  // per sample, 0 .. count-1
  std::int64_t count = 0;
};

Blocks single_samples(std::int64_t samples);

/// Blocks from the chain of each sample, in the order of the chains' first appearance. Where there are fewer than
/// `least` chains, each is cut into stretches of equal length, so that there are at least that many blocks, if
/// the samples suffice.
/// @param chain  [n], int64; samples of a chain in the order of time
Blocks chain_blocks(const Tensor& chain, std::int64_t least = 8);

/// How often each sample occurs in a resampled set: blocks are drawn with replacement.
/// An interlude (foundation/interlude.h) comes before each.
/// @return per sample, a whole number
std::vector<double> resampled_counts(const Blocks& blocks, const tensor::RandomStream& stream, std::int64_t replicate);

/// Standard deviation of replicates.
double spread(const std::vector<double>& replicates);

/// A bootstrap's variance is too small by (n-1)/n for n blocks; the factor that mends the standard error. Not a
/// number for one block, which tells nothing about its error.
double few_blocks_factor(std::int64_t blocks);

}  // namespace bgw::estimators
