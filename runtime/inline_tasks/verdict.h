#pragma once

#include <optional>
#include <string>

#include "compiler/plan/plan.h"
#include "runtime/inline_tasks/estimate.h"
#include "runtime/inline_tasks/results.h"

namespace bgw::inline_tasks {

/// How a check came out.
struct Verdict {
  std::string name;  // "published[64]"
  std::string kind;  // "expect" or "require"
  bool holds = false;
  std::optional<Estimate> value;  // of an expect, as the next three
  std::optional<Estimate> reference;
  std::optional<Estimate> difference;  // value - reference, its error with common sources counted once
  std::optional<double> distance;      // |difference| in its standard errors; nullopt without an error
  std::string criterion;               // "within 4 sigma", "within 0.04"
  std::string source;                  // where the reference comes from
  std::string message;                 // why it does not hold, beyond the numbers; may be empty
};

/// Judges an `expect` or a `require`. A difference that is not a number never holds, nor does a distance in sigmas
/// from numbers without an error bar, unless the difference is zero.
/// @throws InputError, NumericalError, StoreError when its expressions have no value
Verdict judge(const plan::CheckSpec& check, const Results& results);

schema::Value to_value(const Verdict& verdict);

}  // namespace bgw::inline_tasks
