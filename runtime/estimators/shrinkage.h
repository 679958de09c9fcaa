#pragma once

#include <cstdint>

#include "runtime/tensor/tensor.h"

namespace bgw::estimators {

/// A covariance from fewer independent samples than it has rows says that combinations of the numbers are known exactly, which
/// a fit would believe. Its correlations are multiplied with 1 - a, a the share of them that is noise, as
/// the scatter (1 - r^2) / sqrt(degrees) of a correlation r tells; the variances stay.
/// @param covariance  [n, n]; rows of zeros stay zero
/// @param degrees     of freedom behind it, at least 1
/// @return            [n, n], invertible but for those rows
/// @source Schaefer and Strimmer, Stat. Appl. Genet. Mol. Biol. 4, 32 (2005)
Tensor shrunk_covariance(const Tensor& covariance, std::int64_t degrees);

/// The same where it is known which combinations of the numbers go together: errors that go the same way would be lost if they were shrunk
/// one by one. Correlations are shrunk between the combinations, and each number keeps its variance.
/// @param combinations  [n, n], orthonormal rows, of the numbers in units of their errors
Tensor shrunk_between(const Tensor& covariance, const Tensor& combinations, std::int64_t degrees);

}  // namespace bgw::estimators
