#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "compiler/schema/value.h"
#include "runtime/store/cache.h"

namespace bgw::cli {

/// A number that was computed twice.
struct ComparedNumber {
  enum class Verdict {
    same,     // every bit
    within,   // the difference is within the allowed number of its standard errors
    outside,
    unjudged, // it differs and has no error bar
    missing   // the second time there is no result
  };
  std::string name;  // "F[64].per_particle"
  std::string unit;
  std::optional<double> value, sigma;              // the one that was there
  std::optional<double> again, again_sigma;        // the other
  std::optional<double> difference, distance;      // again - value; in standard errors of the difference
  Verdict verdict = Verdict::same;
};
std::string to_word(ComparedNumber::Verdict verdict);

/// All named results of a task, in the units of the program; arrays (`rdf(…)`, the trained parameters) as one more entry
/// without numbers when they alone differ; of a table its numbers. A difference has the error of two independent results.
/// Empty when `cached` has no result.
std::vector<ComparedNumber> compare_results(const plan::TaskSpec& spec, store::Cache& cached, store::Cache& again, double allowed_sigmas);

schema::Value to_value(const ComparedNumber& number);

}  // namespace bgw::cli
