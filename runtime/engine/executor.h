#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/engine/machine.h"
#include "runtime/engine/observer.h"
#include "runtime/engine/task_inputs.h"
#include "runtime/store/cache.h"

namespace bgw::engine {

/// Computes the value of an inline task. Runs on a thread of the arena, several at once. Throws InputError,
/// NumericalError or StoreError when it cannot.
using InlineFunction = std::function<schema::Value(const plan::TaskSpec&, const TaskInputs&)>;

/// Judges a `require` whose inputs are there: whether it holds. Throws like an InlineFunction.
using GateFunction = std::function<bool(const plan::CheckSpec&, const TaskInputs&)>;

struct RunOptions {
  int cpus = 1;                        // threads all children together may use
  std::optional<Machine> machine;      // memory and GPUs for them; absent: those of this machine
  std::filesystem::path task_program;  // bgw-task; may be empty where no task needs it
  std::string no_task_program;         // what is told then when one does
  InlineFunction inline_task;
  std::vector<std::size_t> gates;  // indices of Plan::checks: tasks that read what a failed one has judged are blocked
  GateFunction gate_holds;
  std::vector<std::size_t> forced;  // tasks made again, with what is made from them; the old results stay until success
  bool fail_fast = false;           // after a failure nothing more is started
  bool wait = true;  // for tasks that another run is doing; without it they are given up, exit code 7
  std::vector<std::string> command_line;  // for the history
  std::string target;                     // likewise: "default", "F[64], rdf"
  double grace = 60;    // seconds that a task whose time is over has to save its state
  double silence = 300; // seconds without progress after which a task is said to be silent
};

/// What became of a task of the plan.
enum class Outcome {
  not_needed,  // no wanted task asks for it
  cached,      // its result was there
  done,
  failed,
  blocked,     // an input failed, or a `require` does not hold
  stopped      // the run was ended before it finished
};

struct RunSummary {
  std::vector<Outcome> outcomes;  // one a task of the plan
  std::int64_t run = 0;           // its number in the history
  std::size_t cached = 0;         // results behind the wanted tasks that were there, read by a task to run or not
  std::size_t count(Outcome outcome) const;
  /// 0 all wanted results are there, 4 a task failed, 6 the disk is full, 7 another run holds what is needed, 129 130 143 ended by a signal.
  int exit_code = 0;
  bool stopped() const { return exit_code > 128; }
};

/// Runs what is missing of the wanted tasks and their inputs; siblings of a failed task go on.
///
/// For its duration SIGINT, SIGTERM and SIGHUP are taken over: the first ends the run cleanly (children save their
/// state), the second kills. Call it before the process has other threads, or block these signals in them.
/// @param wanted  indices of Plan::tasks
/// @throws InputError when a task asks for more than the machine has, StoreError when the cache cannot be used
RunSummary run(const plan::Plan& plan, const std::vector<std::size_t>& wanted, store::Cache& cache,
               const RunOptions& options, Observer& observer);

}  // namespace bgw::engine
