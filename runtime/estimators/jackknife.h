#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "runtime/estimators/numbers.h"

namespace bgw::estimators {

/// How many successive samples of chains make a block that hardly knows of the next: five times the statistical
/// inefficiency, at most a whole chain. Chains of less than half the longest do not tell.
/// @param chains  [n_c] of each chain, one quantity in the order of time
std::int64_t block_length(const std::vector<Tensor>& chains);

/// A function of the means of several correlated quantities, with the standard error of a jackknife over blocks of the
/// chains, widened where the blocks are few as that of a bootstrap is (bootstrap.h). Chains may differ in length; the error is not a number for fewer than two blocks.
/// @param chains    [n_c, columns] of each chain, in the order of time
/// @param block     samples of a block; what is left at the end of a chain joins its last block
/// @param function  of the means of the columns
/// @throws ShapeError when the chains hold no sample or differ in their columns
/// @source Quenouille, Biometrika 43, 353 (1956); Tukey, Ann. Math. Stat. 29, 614 (1958)
Estimate jackknife(const std::vector<Tensor>& chains, std::int64_t block,
                   const std::function<double(const std::vector<double>&)>& function);

}  // namespace bgw::estimators
