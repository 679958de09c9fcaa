#include <fmt/format.h>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/lock_file.h"
#include "runtime/cli/machine_warnings.h"
#include "runtime/cli/plan_view.h"
#include "runtime/cli/saved_plan.h"

namespace bgw::cli {
namespace {

void print(const PlanView& view, const PlanOptions& options) {
  if (options.json) {
    put_document(to_map(view));
    return;
  }
  fmt::print("{}", plan_text(view));
  if (options.seeds) fmt::print("\n{}", seeds_text(view));
}

int print_saved(const PlanOptions& options) {
  const SavedPlan saved = read_saved_plan(options.program);
  saved.selection(options);  // refuses what it cannot heed
  if (options.locked)
    throw CommandFailure(kWrongUse, fmt::format("{} is shown as it was saved; `bgw run {} --locked` compares with the lock", options.program, options.program));
  if (!options.output.empty())
    throw CommandFailure(kWrongUse, fmt::format("{} is a saved plan already; copy it, or plan its program", options.program));
  if (!options.json) fmt::print("{}", saved.heading());
  print(saved.view, options);
  return options.detailed_exit_code ? saved.exit_code() : kDone;
}

}  // namespace

int plan(const PlanOptions& options) {
  if (is_saved_plan(options.program)) return print_saved(options);
  const LoadedProgram loaded = load_program(options);
  const plan::Plan& plan = loaded.program.plan;
  if (options.locked) refuse_drift(loaded.program, options);
  const Selection selection = select(loaded.program, options);
  store::Cache cache = store::Cache::look(cache_directory(options));
  const std::vector<engine::TaskStatus> statuses = explain(plan, selection, cache);
  refuse_others(plan, selection, statuses, options);
  print_machine_warnings(machine_warnings(plan, shown_tasks(plan, selection, statuses)));
  const PlanView view = view_of(plan, selection, statuses, cache);
  if (!options.output.empty()) save_plan(options.output, loaded.program, options, selection, view);
  print(view, options);
  return options.detailed_exit_code && view.to_run() > 0 ? kThereIsWork : kDone;
}

}  // namespace bgw::cli
