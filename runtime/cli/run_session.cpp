#include "runtime/cli/run_session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "runtime/cli/failure.h"
#include "runtime/cli/machine_warnings.h"
#include "runtime/cli/not_yet_run.h"
#include "runtime/cli/task_program.h"
#include "runtime/foundation/errors.h"
#include "runtime/inline_tasks/inline_task.h"
#include "runtime/inline_tasks/task_results.h"
#include "runtime/inline_tasks/verdict.h"

namespace bgw::cli {
namespace {

std::vector<std::size_t> requirements(const plan::Plan& plan, const std::vector<std::size_t>& checks) {
  std::vector<std::size_t> found;
  std::copy_if(checks.begin(), checks.end(), std::back_inserter(found),
               [&](std::size_t check) { return plan.checks[check].kind == "require"; });
  return found;
}

}  // namespace

void refuse_not_yet_run(const plan::Plan& plan, const Selection& selection) {
  const std::vector<std::string> missing = not_yet_run(plan, with_inputs(plan, selection.wanted.tasks));
  if (missing.empty()) return;
  throw CommandFailure(kWrongProgram, fmt::format("this version of bgw checks and plans this program, but cannot run all of it yet:\n  {}",
                                                  fmt::join(missing, "\n  ")));
}

engine::RunOptions engine_options(const RunCommandOptions& options, const plan::Plan& plan, const Selection& selection) {
  engine::RunOptions result;
  result.cpus = options.cpus > 0 ? options.cpus : machine_cpus();
  try {
    result.task_program = find_task_program();
  } catch (const StoreError& error) {  // told when a task needs it
    result.no_task_program = error.what();
  }
  result.inline_task = inline_tasks::run_inline_task;
  result.gates = requirements(plan, selection.wanted.checks);
  result.gate_holds = [](const plan::CheckSpec& check, const engine::TaskInputs& inputs) {
    return inline_tasks::judge(check, inline_tasks::TaskResults(inputs)).holds;
  };
  result.forced = selection.forced;
  result.fail_fast = options.fail_fast;
  result.wait = options.wait;
  result.command_line = options.command_line;
  result.target = selection.wanted.title;
  return result;
}

}  // namespace bgw::cli
