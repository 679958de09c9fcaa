#pragma once

#include "runtime/estimators/numbers.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::estimators {

/// The free energy of independent weighted samples and the means under their weights, with what binds them together.
struct Reweighted {
  double log_mean = 0;  // ln mean exp(log_weight): minus the free energy difference, kT
  Tensor means;         // [k]
  Tensor covariance;    // [1 + k, 1 + k], of log_mean and the means, from one bootstrap
};

/// @param log_weight   [n], minus infinity for a weight of zero
/// @param observables  [n, k]; of samples without weight they may be anything
/// @throws ShapeError for other shapes; NumericalError when no weight is left or a number that counts is not finite
Reweighted reweighted(const Tensor& log_weight, const Tensor& observables, const tensor::RandomStream& stream,
                      std::int64_t bootstrap = 200);

}  // namespace bgw::estimators
