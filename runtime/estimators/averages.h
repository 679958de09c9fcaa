#pragma once

#include <functional>

#include "runtime/estimators/bootstrap.h"
#include "runtime/estimators/numbers.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::estimators {

/// Weighted means of k observables, and what they become when blocks of samples are drawn again with replacement.
struct Means {
  Tensor value;       // [k]
  Tensor replicates;  // [bootstrap, k]; a replicate whose weights are all zero does not occur
  std::int64_t blocks = 0;

  /// Standard error of each, [k]; not a number for one block.
  Tensor sigma() const;
  /// A function of the means, with its error from the same function of each replicate.
  Estimate of(const std::function<double(const double* means)>& function) const;
};

/// @param observables  [n, k] or [n]
/// @param weights      [n], any scale, or undefined for equal weights
/// @param blocks       samples that are resampled together
/// @throws ShapeError for other shapes, NumericalError when a number is not finite or no weight is positive
Means weighted_means(const Tensor& observables, const Tensor& weights, const Blocks& blocks, const tensor::RandomStream& stream,
                     std::int64_t bootstrap = 200);

/// A normalised histogram: the densities integrate to one.
struct Histogram {
  Tensor centre;   // [bins]
  Tensor density;  // [bins], per unit of the number
  Tensor sigma;    // [bins], standard errors
};

/// From the smallest number to the largest; where all are equal, of width one around them.
/// @param rows  [n] one number a sample, or [n, m] several, which count alike
/// @throws as weighted_means; InputError for bins < 1
Histogram histogram(const Tensor& rows, const Tensor& weights, const Blocks& blocks, std::int64_t bins,
                    const tensor::RandomStream& stream, std::int64_t bootstrap = 200);

}  // namespace bgw::estimators
