#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/machine_warnings.h"
#include "runtime/cli/not_yet_run.h"
#include "runtime/cli/terminal.h"

namespace bgw::cli {
namespace {

std::string counted(std::size_t count, const char* noun, const char* plural) {
  return fmt::format("{} {}", count, count == 1 ? noun : plural);
}

}  // namespace

int check(const ProgramOptions& options) {
  const LoadedProgram loaded = load_program(options, options.json);
  const plan::Plan& plan = loaded.program.plan;
  const Wanted wanted = find_wanted(loaded.program, {});
  const std::size_t wanted_tasks = with_inputs(plan, wanted.tasks).size();
  const std::size_t axes = loaded.program.axes;
  std::vector<std::size_t> every(plan.tasks.size());
  std::iota(every.begin(), every.end(), 0U);
  const std::vector<std::string> machine = machine_warnings(plan, every);
  const std::size_t warnings = loaded.warnings + machine.size();
  const std::vector<std::string> missing = not_yet_run(plan, every);
  if (options.json) {
    const schema::Map map{{"ok", true},
                          {"diagnostics", loaded.diagnostics},
                          {"not_run_yet", schema::List(missing.begin(), missing.end())},
                          {"tasks", static_cast<std::int64_t>(plan.tasks.size())},
                          {"default_tasks", static_cast<std::int64_t>(wanted_tasks)},
                          {"checks", static_cast<std::int64_t>(plan.checks.size())},
                          {"axes", static_cast<std::int64_t>(axes)},
                          {"warnings", static_cast<std::int64_t>(warnings)},
                          {"machine_warnings", schema::List(machine.begin(), machine.end())},
                          {"milliseconds", loaded.milliseconds}};
    fmt::print("{}\n", schema::to_json(map));
    return kDone;
  }
  print_machine_warnings(machine);
  if (!missing.empty()) {
    put(stderr, fmt::format("note: {} of this program {} checked, but not run by this version yet; `bgw plan` lists {}\n",
                            counted(missing.size(), "part", "parts"), missing.size() == 1 ? "is" : "are", missing.size() == 1 ? "it" : "them"));
  }
  fmt::print("ok: {} (target default: {}), {}, {} ({:.0f} ms)\n", counted(plan.tasks.size(), "task", "tasks"),
             wanted_tasks, counted(axes, "axis", "axes"), counted(warnings, "warning", "warnings"),
             loaded.milliseconds);
  return kDone;
}

}  // namespace bgw::cli
