#pragma once

#include "runtime/tensor/tensor.h"

namespace bgw::estimators {

/// How many correlated samples are worth one independent sample, g = 1 + 2 sum of the autocorrelation, from several
/// chains of one quantity. The sum ends where a pair of neighbouring lags turns negative; g is 1 for independent
/// samples and for a constant.
/// @param series  [chains, steps]
/// @throws ShapeError unless two-dimensional with at least two steps
/// @source Geyer, Statistical Science 7, 473 (1992), initial positive sequence
double statistical_inefficiency(const Tensor& series);

}  // namespace bgw::estimators
