#pragma once

#include <cstdint>
#include <vector>

namespace bgw::sampling {

/// Where a move of hybrid Monte Carlo is kicked: with the shares `kicks` of its whole kick before, between and after
/// rotations by the shares `turns` of its whole turn. A plan reads the same backwards. Only then is the move the inverse
/// of itself with the momentum turned round, which is what the Metropolis test takes for granted.
struct KickPlan {
  std::vector<double> turns;  // [rotations], sum 1
  std::vector<double> kicks;  // [rotations + 1], sum 1
};

/// Gauss-Lobatto quadrature of the whole turn, in panels of at most four rotations, or of five where an odd number is
/// better divided so.
/// @param rotations  at least 1
KickPlan kick_plan(std::int64_t rotations);

}  // namespace bgw::sampling
