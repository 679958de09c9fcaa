#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/lowering/program.h"
#include "runtime/cli/program_options.h"
#include "runtime/inline_tasks/verdict.h"
#include "runtime/store/cache.h"

namespace bgw::cli {

/// The number one asks for first: the free energy where there is one, the bound of a base, the loss of a training.
const artifacts::Result* main_result(const store::Manifest& manifest);

/// A finished task as JSON: {"name","kind","key","value","sigma","unit","convention","n","result" (which one that is),
/// "ess" (of samples, a fraction), "results": {name: {...}}, "cost": {...}, "provenance": {...}}; of an inline task
/// {"name","kind","key","table" or "figure": {...}}. nullopt while there is no result.
std::optional<schema::Value> task_json(const plan::TaskSpec& spec, const std::string& name, store::Cache& cache);

/// A check that was judged, or why it could not be.
struct CheckOutcome {
  std::string name;
  std::optional<inline_tasks::Verdict> verdict;
  std::string problem;  // "F[64] has no result yet"
  bool holds() const { return verdict && verdict->holds; }
};
CheckOutcome judge_check(const plan::CheckSpec& check, const plan::Plan& plan, store::Cache& cache);
schema::Value to_value(const CheckOutcome& outcome);

/// Results of the heavy tasks among `tasks`: number with error, unit, cost in energy calls, seconds; what the numbers
/// mean beneath.
std::string results_text(const plan::Plan& plan, const std::vector<std::size_t>& tasks, store::Cache& cache);
/// A table task's rows, aligned.
std::string table_text(const schema::Value& table);
/// One line a check.
std::string checks_text(const std::vector<CheckOutcome>& outcomes);

}  // namespace bgw::cli
