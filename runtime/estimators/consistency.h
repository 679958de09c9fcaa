#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/estimators/bootstrap.h"

namespace bgw::estimators {

/// An estimate with what it becomes when samples are drawn again with replacement.
struct Replicated {
  std::string name;
  double value = 0;
  std::vector<double> replicates;
};

/// How far estimates of one number from the same samples are from each other, in standard errors of their difference. Replicates
/// of all must be of the same resampled sets, so that what the estimates have in common cancels.
struct Consistency {
  double sigmas = 0;  // of the pair that is furthest apart
  std::string pair;   // "lfep and cumulant"
};

/// Few standard errors say that weights are many enough and, where a second cumulant is among the estimates, Gaussian. Differences
/// below 1e-9 are those of rounding and count as none.
/// @param blocks  behind the replicates
/// @throws ShapeError for fewer than two estimates, or replicates that differ in number
Consistency consistency(const std::vector<Replicated>& estimates, std::int64_t blocks);

}  // namespace bgw::estimators
