#pragma once

#include "runtime/estimators/bootstrap.h"
#include "runtime/estimators/consistency.h"
#include "runtime/estimators/numbers.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::estimators {

// In all of these minus infinity is the logarithm of a weight of zero, that of a sample which left the crystal.

/// What log weights (ln target - ln model of samples of the model) say about the model.
struct WeightSummary {
  double ess_fraction = 0;    // Kish: (sum w)^2 / (n sum w^2), 1 for a perfect model
  double largest_weight = 0;  // normalised; near 1 means that one sample decides
  double variance = 0;        // of the log weights that are finite
  double mean = 0;            // of those; where all are, minus it is a bound of the free energy difference from above
};

/// @param log_weight [n]
/// @throws NumericalError when a number is neither finite nor minus infinity, or when no weight is left
WeightSummary summarise(const Tensor& log_weight);

/// The effective fraction alone.
double ess_fraction(const Tensor& log_weight);
/// The same with the standard error of a bootstrap over independent samples. The fraction is too large where the samples
/// are fewer than a few times its inverse.
Estimate effective_fraction(const Tensor& log_weight, const tensor::RandomStream& stream, std::int64_t bootstrap = 200);

/// Weights that sum to one, [n].
Tensor normalised_weights(const Tensor& log_weight);

/// Free energy difference target - model by exponential averaging, -ln mean exp(log_weight), in kT, with the standard
/// error of a bootstrap over independent samples. Biased upward for few samples; the error is too small when
/// the largest weight is not small.
/// @source Zwanzig, J. Chem. Phys. 22, 1420 (1954); with a flow (targeted): Jarzynski, Phys. Rev. E 65, 046122 (2002)
Estimate lfep(const Tensor& log_weight, const tensor::RandomStream& stream, std::int64_t bootstrap = 200);
/// The same of samples that are independent from block to block only, as those of Markov chains are.
Estimate lfep(const Tensor& log_weight, const Blocks& blocks, const tensor::RandomStream& stream,
              std::int64_t bootstrap = 200);

/// The same to second order in the cumulants, -(mean + variance / 2) of the weights that are not zero, less ln of
/// their share: exact for Gaussian log weights.
Estimate second_cumulant(const Tensor& log_weight, const tensor::RandomStream& stream, std::int64_t bootstrap = 200);
Estimate second_cumulant(const Tensor& log_weight, const Blocks& blocks, const tensor::RandomStream& stream,
                         std::int64_t bootstrap = 200);

/// Both with what they become in the replicates that the stream draws, for comparison with other estimates of those.
std::vector<Replicated> one_sided_replicates(const Tensor& log_weight, const Blocks& blocks,
                                             const tensor::RandomStream& stream, std::int64_t bootstrap = 200);

}  // namespace bgw::estimators
