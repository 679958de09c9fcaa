#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/machine_warnings.h"
#include "runtime/cli/not_yet_run.h"
#include "runtime/cli/progress_display.h"
#include "runtime/cli/result_view.h"
#include "runtime/cli/task_program.h"
#include "runtime/cli/terminal.h"
#include "runtime/engine/executor.h"
#include "runtime/foundation/errors.h"
#include "runtime/inline_tasks/inline_task.h"
#include "runtime/inline_tasks/task_results.h"
#include "runtime/inline_tasks/verdict.h"
#include "runtime/report/number_format.h"

namespace bgw::cli {
namespace {

using engine::Outcome;
using schema::Map;

engine::RunOptions engine_options(const RunCommandOptions& options) {
  engine::RunOptions result;
  result.cpus = options.cpus > 0 ? options.cpus : machine_cpus();
  try {
    result.task_program = find_task_program();
  } catch (const StoreError& error) {  // told when a task needs it
    result.no_task_program = error.what();
  }
  result.inline_task = inline_tasks::run_inline_task;
  result.command_line = options.command_line;
  result.wait = options.wait;
  result.gate_holds = [](const plan::CheckSpec& check, const engine::TaskInputs& inputs) {
    return inline_tasks::judge(check, inline_tasks::TaskResults(inputs)).holds;
  };
  return result;
}

std::vector<std::size_t> requirements(const plan::Plan& plan, const std::vector<std::size_t>& checks) {
  std::vector<std::size_t> found;
  std::copy_if(checks.begin(), checks.end(), std::back_inserter(found),
               [&](std::size_t check) { return plan.checks[check].kind == "require"; });
  return found;
}

// The verdicts of a run, for `bgw query`; one that could not be judged is none.
void remember(const lowering::Program& program, const Wanted& wanted, const std::vector<CheckOutcome>& outcomes, std::int64_t run,
              store::Cache& cache) {
  std::vector<store::CheckRecord> records;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].verdict) continue;
    records.push_back({outcomes[i].name, program.plan.checks[wanted.checks[i]].kind, outcomes[i].holds(), to_value(outcomes[i])});
  }
  if (!records.empty()) cache.records().put_checks(run, records);
}

std::vector<CheckOutcome> judge_all(const lowering::Program& program, const Wanted& wanted, store::Cache& cache) {
  std::vector<CheckOutcome> outcomes;
  for (const std::size_t check : wanted.checks)
    outcomes.push_back(judge_check(program.plan.checks[check], program.plan, cache));
  return outcomes;
}

// A failed task explains checks that could not be judged; a check that does not hold is news only without one.
int exit_code_of(const engine::RunSummary& summary, const std::vector<CheckOutcome>& outcomes) {
  if (summary.exit_code != kDone) return summary.exit_code;
  const bool all_hold =
      std::all_of(outcomes.begin(), outcomes.end(), [](const CheckOutcome& outcome) { return outcome.holds(); });
  return all_hold ? kDone : kCheckFailed;
}

std::string summary_line(const engine::RunSummary& summary) {
  const std::size_t made = summary.count(Outcome::done);
  const std::size_t cached = summary.count(Outcome::cached);
  std::string text = fmt::format("{} done, {} cached", made, cached);
  for (const auto& [outcome, word] :
       {std::pair{Outcome::failed, "failed"}, {Outcome::blocked, "blocked"}, {Outcome::stopped, "stopped"}}) {
    if (summary.count(outcome) > 0) text += fmt::format(", {} {}", summary.count(outcome), word);
  }
  return text;
}

void print_results(const lowering::Program& program, const Wanted& wanted, const std::vector<CheckOutcome>& outcomes,
                   store::Cache& cache) {
  const std::vector<std::size_t> tasks = with_inputs(program.plan, wanted.tasks);
  if (const std::string results = results_text(program.plan, tasks, cache); !results.empty())
    fmt::print("\n{}", results);
  constexpr std::size_t kTablesShown = 50;
  std::size_t tables = 0;
  for (const std::size_t task : tasks) {
    const plan::TaskSpec& spec = program.plan.tasks[task];
    if (spec.kind != "table" || ++tables > kTablesShown) continue;
    if (const auto row = cache.row(spec.key)) fmt::print("\n{}\n{}", spec.name, table_text(*row));
  }
  if (tables > kTablesShown) fmt::print("\nand {} tables more: `bgw show` prints each\n", tables - kTablesShown);
  if (!outcomes.empty()) fmt::print("\n{}", checks_text(outcomes));
}

void print_json_summary(const lowering::Program& program, const Wanted& wanted, const engine::RunSummary& summary,
                        const std::vector<CheckOutcome>& outcomes, int exit_code, store::Cache& cache) {
  Map results;
  for (const std::size_t task : with_inputs(program.plan, wanted.tasks)) {
    const plan::TaskSpec& spec = program.plan.tasks[task];
    if (auto json = task_json(spec, spec.name, cache)) results.insert_or_assign(spec.name, *std::move(json));
  }
  schema::List checks;
  for (const CheckOutcome& outcome : outcomes) checks.push_back(to_value(outcome));
  Map counts;
  for (const auto& [outcome, word] : {std::pair{Outcome::done, "done"},
                                      {Outcome::cached, "cached"},
                                      {Outcome::failed, "failed"},
                                      {Outcome::blocked, "blocked"},
                                      {Outcome::stopped, "stopped"}}) {
    counts.insert_or_assign(word, static_cast<std::int64_t>(summary.count(outcome)));
  }
  const Map map{{"schema", 1},
                {"event", "run_finished"},
                {"exit_code", exit_code},
                {"tasks", std::move(counts)},
                {"results", std::move(results)},
                {"checks", std::move(checks)}};
  fmt::print("{}\n", schema::to_json(map));
}

}  // namespace

int run(const RunCommandOptions& options) {
  const LoadedProgram loaded = load_program(options);
  const lowering::Program& program = loaded.program;
  const Wanted wanted = find_wanted(program, options.targets);
  if (const std::vector<std::string> missing = not_yet_run(program.plan, with_inputs(program.plan, wanted.tasks)); !missing.empty()) {
    throw CommandFailure(kWrongProgram, fmt::format("this version of bgw checks and plans this program, but cannot run all of it yet:\n  {}", fmt::join(missing, "\n  ")));
  }
  store::Cache cache = store::Cache::open(cache_directory(options));
  engine::RunOptions engine_run = engine_options(options);
  engine_run.gates = requirements(program.plan, wanted.checks);
  engine_run.target = wanted.title;

  const bool speaks = !options.quiet && !options.json;
  if (speaks) {
    for (const auto& [name, change] : program.plan.overridden) {
      fmt::print("param {} {} -> {}\n", name, change.string_or("old", "?"), change.string_or("new", "?"));
    }
    std::fflush(stdout);
  }
  engine::RunSummary summary;
  {
    const auto display = choose_display(options.quiet, options.json, stderr);
    summary = engine::run(program.plan, wanted.tasks, cache, engine_run, *display);
  }
  const std::vector<CheckOutcome> outcomes = judge_all(program, wanted, cache);
  const int exit_code = exit_code_of(summary, outcomes);
  remember(program, wanted, outcomes, summary.run, cache);
  if (options.json) {
    print_json_summary(program, wanted, summary, outcomes, exit_code, cache);
    return exit_code;
  }
  const std::size_t touched =
      summary.outcomes.size() - summary.count(Outcome::not_needed) - summary.count(Outcome::cached);
  if (speaks && touched == 0) {
    fmt::print("nothing to do ({} cached)\n", summary.cached);
  } else if (speaks) {
    fmt::print("{}\n", summary_line(summary));
  }
  if (summary.stopped()) {
    if (speaks) fmt::print("interrupted; the same command goes on from what is saved\n");
    return exit_code;
  }
  print_results(program, wanted, outcomes, cache);
  return exit_code;
}

}  // namespace bgw::cli
