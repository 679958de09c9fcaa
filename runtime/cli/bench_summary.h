#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/schema/value.h"

namespace bgw::cli {

/// What many runs of a route, each with its own seed, say of it. Counts and seconds are those of one run.
struct BenchSummary {
  std::int64_t runs = 0;    // with a value
  std::int64_t failed = 0;  // without one
  std::string failure;      // why the first of them has none
  double value = 0;         // mean
  double value_sigma = 0;   // standard error of the mean, from the spread of the runs; not a number for one
  double rmse = 0;          // root mean square of value - reference
  double claimed = 0;       // root mean square of the standard errors the runs claim
  double claimed_over_actual = 0;  // one where the claims are right and the reference exact
  double energy_calls = 0, force_calls = 0, hessian_calls = 0;  // means
  double seconds = 0, cpu_seconds = 0;                          // medians
};

/// @param runs  as `bgw-task bench` answers
/// @param reference  what the values should be
BenchSummary summarise(const schema::List& runs, double reference);

}  // namespace bgw::cli
