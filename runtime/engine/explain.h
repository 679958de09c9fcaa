#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/store/cache.h"

namespace bgw::engine {

/// What a run would do with one task of a plan, and why.
struct TaskStatus {
  bool needed = false;  // wanted, or read by one that will run
  bool cached = false;
  std::string reason;   // for a task to run: "new", "upstream: bg", "stage main.steps 60 -> 600", "failed (nan) ..."
  std::vector<std::string> changes;  // the differing fields against the latest earlier task of that name
  std::optional<double> estimated_seconds;  // from history; for tasks to run only
  std::optional<plan::Key> extends;  // finished work that it goes on from
  bool forced = false;  // its result is there and is made again all the same
};

/// What is there of the results of the wanted tasks and of those behind them, objects and rows alike; one entry a task of
/// the plan, absent for the others.
std::vector<store::ObjectState> results_behind(const plan::Plan& plan, const std::vector<std::size_t>& wanted, store::Cache& cache);

/// Looks, runs nothing, creates nothing. One entry a task of the plan; those that no wanted task needs are left as they
/// are by default.
/// @param forced   tasks to be made again, and with them what is made from them
std::vector<TaskStatus> explain(const plan::Plan& plan, const std::vector<std::size_t>& wanted, store::Cache& cache,
                                const std::vector<std::size_t>& forced = {});
/// The same for results that were looked at already.
std::vector<TaskStatus> explain(const plan::Plan& plan, const std::vector<std::size_t>& wanted, store::Cache& cache,
                                const std::vector<std::size_t>& forced, std::vector<store::ObjectState> results);

/// The tasks and all that is made from them.
std::vector<bool> with_dependents(const plan::Plan& plan, const std::vector<std::size_t>& tasks);
/// The tasks and all that they are made from.
std::vector<bool> with_all_inputs(const plan::Plan& plan, const std::vector<std::size_t>& tasks);

/// The fields in which two key pre-images differ, as "stage main.steps 60 -> 600", "seed 1 -> 2"; keys of inputs are
/// left out. Members only one side has show as "none".
std::vector<std::string> differing_fields(const std::string& earlier_preimage, const std::string& preimage);

}  // namespace bgw::engine
