#pragma once

#include <vector>

#include "runtime/inline_tasks/estimate.h"

namespace bgw::inline_tasks {

/// Where a curve through points takes a value: the root of the polynomial through the points of the interval in which
/// `y - level` changes its sign and, where there are, its two neighbours. Errors are those of `y` and `level`, to first order; what the
/// polynomial misses between the points is none of them.
/// @param x      exact, in any order, no two alike
/// @param y      as many, at least two
/// @return in the unit of x
/// @throws InputError when the curve does not cross the level, or more than once, with the values that it has; NumericalError when it is
///         flat there
Estimate crossing(const std::vector<Estimate>& x, const std::vector<Estimate>& y, const Estimate& level);

}  // namespace bgw::inline_tasks
