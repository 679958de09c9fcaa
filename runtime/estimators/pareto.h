#pragma once

#include "runtime/tensor/tensor.h"

namespace bgw::estimators {

/// The shape k of the generalised Pareto distribution of the largest weights, which says how heavy their tail is. Weights of
/// k below 1/2 have a variance, so that averages with them obey the central limit theorem; up to about 0.7 averages still
/// converge in practice; above, neither averages nor their errors or the effective fraction can be trusted, and more
/// samples hardly help. It is a statement of what the samples show: a part of the crystal that none of them has met is not seen.
///
/// The tail is the largest fifth of the weights, at most 3 sqrt(n) of them, above the next smaller one. The fit is
/// that of Zhang and Stephens, drawn toward 1/2 with the weight of ten samples, both as published.
/// @param log_weight  [n]
/// @return            not a number where fewer than five weights make the tail; 0 where equal weights leave no tail
/// @throws NumericalError when a number is neither finite nor minus infinity, which is a weight of zero
/// @source Vehtari, Simpson, Gelman, Yao, Gabry, "Pareto smoothed importance sampling", JMLR 25 (2024); Zhang and Stephens,
///         Technometrics 51, 316 (2009)
double pareto_k(const Tensor& log_weight);

}  // namespace bgw::estimators
