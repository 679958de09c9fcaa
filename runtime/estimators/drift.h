#pragma once

#include <optional>

#include "runtime/tensor/tensor.h"

namespace bgw::estimators {

/// By how many standard errors the second half of some chains lies above the first, with the error from the scatter of the
/// chains: 0 +- 1 where they are stationary. Chains that all creep the same way have not forgotten where they began; ones shorter than
/// that memory do not show it.
/// @param series  [chains, steps]
/// @return        none for fewer than two chains or steps, or where they do not scatter
/// @throws ShapeError unless two-dimensional
std::optional<double> drift(const Tensor& series);

}  // namespace bgw::estimators
