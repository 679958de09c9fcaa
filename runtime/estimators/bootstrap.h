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

/// Blocks from the chain of each sample, in the order of the chains' first appearance. Where there are fewer chains than
/// 32, each is cut into stretches of equal length, as many as make 32 blocks, but none shorter than
/// five statistical inefficiencies of the series: stretches that know of each other make the error too small, by 5 % at
/// that length.
/// @param chain   [n], int64; samples of a chain in the order of time
/// @param series  [n], the quantity whose correlation counts, such as the work; or [n, k], of which the slowest counts
Blocks chain_blocks(const Tensor& chain, const Tensor& series);

/// A series as `chain_blocks` can take it: float64, infinite numbers as the nearest that is finite.
Tensor bounded(const Tensor& series);

/// How often each sample occurs in a resampled set: blocks are drawn with replacement.
/// An interlude (foundation/interlude.h) comes before each.
/// @return per sample, a whole number
std::vector<double> resampled_counts(const Blocks& blocks, const tensor::RandomStream& stream, std::int64_t replicate);

/// The same for numbers of which some are infinite: a set without any finite one tells nothing and is drawn again. That happens
/// to one set in twenty at most, so that the spread of those kept is that of all.
/// @param numbers  of the samples
/// @throws NumericalError where finite numbers are in so few blocks, below three and not all, that it would be more
std::vector<double> resampled_counts(const Blocks& blocks, const std::vector<double>& numbers, const tensor::RandomStream& stream,
                                     std::int64_t replicate);

/// Standard deviation of replicates.
double spread(const std::vector<double>& replicates);

/// The half width, in standard errors, of an interval that holds the truth 68.3 times in 100 where the standard error is
/// itself known from n blocks only: a quantile of Student's distribution of n-1 degrees of freedom, 1.84 for two blocks,
/// 1.08 for eight. Not a number for one block.
double student_factor(std::int64_t blocks);

/// What turns the spread of a bootstrap over n blocks into a standard error that holds the truth 68.3 times in 100: its
/// variance is too small by (n-1)/n, and there is the student_factor. Not a number for one block, which tells nothing about
/// its error.
double few_blocks_factor(std::int64_t blocks);

}  // namespace bgw::estimators
