#include "runtime/cli/selection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "runtime/cli/failure.h"

namespace bgw::cli {
namespace {

bool contains(const std::vector<std::size_t>& sorted, std::size_t task) {
  return std::binary_search(sorted.begin(), sorted.end(), task);
}

// The tasks behind names, as far as they are `among` those that are meant anyway.
std::vector<std::size_t> tasks_among(const lowering::Program& program, const std::vector<std::string>& names,
                                     const std::vector<std::size_t>& among, const char* option, const std::string& problem) {
  std::set<std::size_t> tasks;
  for (const std::string& name : names) {
    const std::vector<std::size_t> named = find_wanted(program, {name}).tasks;
    std::copy_if(named.begin(), named.end(), std::inserter(tasks, tasks.end()),
                 [&](std::size_t task) { return contains(among, task); });
    const bool known = std::any_of(named.begin(), named.end(), [&](std::size_t task) { return contains(among, task); });
    if (!known) {
      throw CommandFailure(kWrongProgram, fmt::format("{} {}: {}", option, name, problem));
    }
  }
  return {tasks.begin(), tasks.end()};
}

std::string not_needed(const Wanted& wanted) {
  return fmt::format("target {} does not need it; leave it out, or name a target that does", wanted.title);
}

// The checks whose results are all made.
std::vector<std::size_t> judged_with(const plan::Plan& plan, const std::vector<std::size_t>& checks,
                                     const std::vector<std::size_t>& made) {
  std::vector<std::size_t> judged;
  for (const std::size_t check : checks) {
    const std::vector<plan::TaskInput>& inputs = plan.checks[check].inputs;
    if (std::all_of(inputs.begin(), inputs.end(), [&](const plan::TaskInput& input) { return contains(made, input.task); }))
      judged.push_back(check);
  }
  return judged;
}

}  // namespace

Selection select(const lowering::Program& program, const SelectionOptions& options) {
  Selection selection;
  selection.only = !options.only.empty();
  selection.wanted = find_wanted(program, selection.only ? options.only : options.targets);
  Wanted& wanted = selection.wanted;
  std::vector<std::size_t> meant = with_inputs(program.plan, wanted.tasks);
  if (!options.until.empty()) {
    wanted.tasks = tasks_among(program, options.until, meant, "--until", not_needed(wanted));
    meant = with_inputs(program.plan, wanted.tasks);
    wanted.checks = judged_with(program.plan, wanted.checks, meant);
    wanted.title += fmt::format(", until {}", fmt::join(options.until, ", "));
  }
  if (selection.only) wanted.title = "only " + wanted.title;
  selection.forced = tasks_among(program, options.force, selection.only ? wanted.tasks : meant, "--force",
                                 selection.only ? "it is not among those that --only names" : not_needed(wanted));
  return selection;
}

std::vector<engine::TaskStatus> explain(const plan::Plan& plan, const Selection& selection, store::Cache& cache) {
  return engine::explain(plan, selection.wanted.tasks, cache, selection.forced);
}

void refuse_others(const plan::Plan& plan, const Selection& selection, const std::vector<engine::TaskStatus>& statuses,
                   const ProgramOptions& options) {
  if (!selection.only) return;
  constexpr std::size_t kNamed = 5;
  std::vector<std::string> missing;
  std::size_t more = 0;
  for (std::size_t task = 0; task < statuses.size(); ++task) {
    if (!statuses[task].needed || statuses[task].cached || contains(selection.wanted.tasks, task)) continue;
    if (missing.size() < kNamed)
      missing.push_back(plan.tasks[task].name);
    else
      ++more;
  }
  if (missing.empty()) return;
  throw CommandFailure(
      kTaskFailed, fmt::format("{} cannot run alone: {}{} {} no result yet; `{}` makes {}", selection.wanted.title.substr(5),
                               fmt::join(missing, ", "), more > 0 ? fmt::format(" and {} more", more) : "",
                               missing.size() + more == 1 ? "has" : "have", run_command(options, missing),
                               missing.size() + more == 1 ? "it" : "them"));
}

}  // namespace bgw::cli
