#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/lock_file.h"
#include "runtime/cli/progress_display.h"
#include "runtime/cli/result_view.h"
#include "runtime/cli/run_session.h"
#include "runtime/cli/saved_plan.h"
#include "runtime/cli/terminal.h"
#include "runtime/engine/executor.h"
#include "runtime/report/number_format.h"
#include "runtime/report/program_units.h"

namespace bgw::cli {
namespace {

using engine::Outcome;
using schema::Map;

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
    if (const auto row = cache.row(spec.key)) fmt::print("\n{}\n{}", spec.name, table_text(report::table_in_units_of_program(*row, spec, program.plan)));
  }
  if (tables > kTablesShown) fmt::print("\nand {} tables more: `bgw show` prints each\n", tables - kTablesShown);
  if (!outcomes.empty()) fmt::print("\n{}", checks_text(outcomes));
}

void print_json_summary(const lowering::Program& program, const Wanted& wanted, const engine::RunSummary& summary,
                        const std::vector<CheckOutcome>& outcomes, int exit_code, store::Cache& cache) {
  Map results;
  for (const std::size_t task : with_inputs(program.plan, wanted.tasks)) {
    const plan::TaskSpec& spec = program.plan.tasks[task];
    // Blocks of two kinds may share a name; the second one stands under its kind, too.
    const std::string name = results.count(spec.name) == 0 ? spec.name : spec.kind + "." + spec.name;
    if (auto json = task_json(spec, spec.name, cache)) results.insert_or_assign(name, *std::move(json));
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
  const Map map{{"event", "run_finished"},
                {"exit_code", exit_code},
                {"tasks", std::move(counts)},
                {"results", std::move(results)},
                {"checks", std::move(checks)}};
  put(stdout, document_line(map));
}

// A run goes by the command line, or by a saved plan as long as that holds.
int run_as(const RunCommandOptions& options, const std::optional<SavedPlan>& saved) {
  const LoadedProgram loaded = load_program(options);
  const lowering::Program& program = loaded.program;
  if (options.locked) refuse_drift(program, options);
  const Selection selection = select(program, options);
  const Wanted& wanted = selection.wanted;
  refuse_not_yet_run(program.plan, selection);
  store::Cache cache = store::Cache::open(cache_directory(options));
  if (saved || selection.only) {
    const std::vector<engine::TaskStatus> statuses = explain(program.plan, selection, cache);
    if (saved) refuse_stale(*saved, program, options, selection, statuses);
    refuse_others(program.plan, selection, statuses, options);
  }
  const engine::RunOptions engine_run = engine_options(options, program.plan, selection);

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
    put(stdout, summary_line(summary) + "\n");  // a terminal that was closed takes nothing, which is no failure of the run
  }
  if (summary.stopped()) {
    if (speaks) put(stdout, "interrupted; the same command goes on from what is saved\n");
    return exit_code;
  }
  print_results(program, wanted, outcomes, cache);
  return exit_code;
}

}  // namespace

int run(const RunCommandOptions& options) {
  if (!is_saved_plan(options.program)) return run_as(options, std::nullopt);
  const SavedPlan saved = read_saved_plan(options.program);
  RunCommandOptions planned = options;
  static_cast<SelectionOptions&>(planned) = saved.selection(options);
  return run_as(planned, saved);
}

}  // namespace bgw::cli
