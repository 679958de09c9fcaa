#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/machine_warnings.h"
#include "runtime/cli/not_yet_run.h"
#include "runtime/engine/explain.h"
#include "runtime/report/number_format.h"
#include "runtime/report/text_table.h"
#include "runtime/store/cache.h"

namespace bgw::cli {
namespace {

// "draws[64]" -> "draws"; "rdf(draws[64])" is nobody's member.
std::string family(const std::string& name) {
  return !name.empty() && name.back() == ']' && name.find('(') == std::string::npos ? name.substr(0, name.find('['))
                                                                                    : name;
}

// "upstream: draws[64], ref[64]" -> "upstream: draws, ref", so that a family fits on a line.
std::string family_reason(const std::string& reason) {
  constexpr std::string_view kUpstream = "upstream: ";
  if (!reason.starts_with(kUpstream)) return reason;
  std::vector<std::string> names;
  std::string rest = reason.substr(kUpstream.size());
  while (!rest.empty()) {
    // commas inside brackets belong to a name
    int depth = 0;
    std::size_t end = 0;
    while (end < rest.size() && (depth > 0 || rest[end] != ',')) {
      depth += rest[end] == '[' || rest[end] == '(' ? 1 : rest[end] == ']' || rest[end] == ')' ? -1 : 0;
      ++end;
    }
    const std::string name = family(rest.substr(0, end));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    rest = end + 2 <= rest.size() ? rest.substr(end + 2) : "";
  }
  return fmt::format("{}{}", kUpstream, fmt::join(names, ", "));
}

struct Row {
  std::string state, family, reason;
  std::vector<std::string> members;
};

std::string state_of(const engine::TaskStatus& status) {
  if (status.cached) return "cached";
  return status.reason.starts_with("failed") || status.reason.starts_with("interrupted") ? "retry" : "run";
}

void add(std::vector<Row>& rows, const Row& row) {
  for (Row& known : rows) {
    if (known.state == row.state && known.family == row.family && known.reason == row.reason) {
      known.members.push_back(row.members.front());
      return;
    }
  }
  rows.push_back(row);
}

struct Survey {
  Wanted wanted;
  std::vector<std::size_t> reachable;
  std::vector<engine::TaskStatus> statuses;
  std::size_t cached = 0, to_run = 0, without_estimate = 0;
  double seconds = 0;
};

Survey survey_of(const lowering::Program& program, const PlanOptions& options) {
  Survey survey;
  survey.wanted = find_wanted(program, options.targets);
  store::Cache cache = store::Cache::look(cache_directory(options));
  survey.statuses = engine::explain(program.plan, survey.wanted.tasks, cache);
  for (const std::size_t task : with_inputs(program.plan, survey.wanted.tasks)) {
    const engine::TaskStatus& status = survey.statuses[task];
    if (!status.cached && !status.needed) continue;  // gone, but nothing that runs reads it
    survey.reachable.push_back(task);
    ++(status.cached ? survey.cached : survey.to_run);
    if (status.cached || program.plan.tasks[task].placement == plan::Placement::inline_) continue;
    if (status.estimated_seconds)
      survey.seconds += *status.estimated_seconds;
    else
      ++survey.without_estimate;
  }
  return survey;
}

std::string totals(const Survey& survey) {
  if (survey.to_run == 0) return fmt::format("nothing to do ({} cached)", survey.cached);
  std::string text = fmt::format("total    {} cached, {} to run", survey.cached, survey.to_run);
  if (survey.seconds > 0) text += "; est. " + report::format_duration(survey.seconds);
  if (survey.without_estimate > 0) {
    text += fmt::format("{} no estimate for {} {}", survey.seconds > 0 ? "," : ";", survey.without_estimate,
                        survey.without_estimate == 1 ? "task" : "tasks");
  }
  return text;
}

void print_text(const lowering::Program& program, const Survey& survey) {
  fmt::print("{}: target {}, {} {}\n", program.plan.program, survey.wanted.title, survey.reachable.size(),
             survey.reachable.size() == 1 ? "task" : "tasks");
  for (const auto& [name, change] : program.plan.overridden) {
    fmt::print("  param    {} {} -> {}\n", name, change.string_or("old", "?"), change.string_or("new", "?"));
  }
  std::vector<Row> rows;
  for (const char* state : {"cached", "run", "retry"}) {
    for (const std::size_t task : survey.reachable) {
      const plan::TaskSpec& spec = program.plan.tasks[task];
      const engine::TaskStatus& status = survey.statuses[task];
      if (state_of(status) != state) continue;
      add(rows,
          {state, spec.kind + "." + family(spec.name), status.cached ? "" : family_reason(status.reason), {spec.name}});
    }
  }
  std::size_t width = 0;
  std::vector<std::string> names;
  for (const Row& row : rows) {
    const bool many = row.members.size() > 1;
    names.push_back(many ? row.family + "[*]" : row.family.substr(0, row.family.find('.') + 1) + row.members.front());
    width = std::max(width, report::width_of(names.back()));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string blanks(rows[i].reason.empty() ? 0 : width - report::width_of(names[i]) + 2, ' ');
    fmt::print("  {:<6} {:>3}  {}{}{}\n", rows[i].state, rows[i].members.size(), names[i], blanks, rows[i].reason);
  }
  fmt::print("  {}\n", totals(survey));
  for (const std::string& part : not_yet_run(program.plan, survey.reachable)) fmt::print("  not run by this version yet: {}\n", part);
}

void print_json(const lowering::Program& program, const Survey& survey) {
  schema::List tasks;
  for (const std::size_t task : survey.reachable) {
    const plan::TaskSpec& spec = program.plan.tasks[task];
    const engine::TaskStatus& status = survey.statuses[task];
    schema::List changes;
    for (const std::string& change : status.changes) changes.push_back(change);
    schema::Map map{{"name", spec.name},
                    {"kind", spec.kind},
                    {"key", spec.key.hex()},
                    {"status", state_of(status)},
                    {"reason", status.cached ? "" : status.reason},
                    {"changes", std::move(changes)}};
    if (status.estimated_seconds) map.insert_or_assign("estimated_seconds", *status.estimated_seconds);
    tasks.push_back(std::move(map));
  }
  const std::vector<std::string> missing = not_yet_run(program.plan, survey.reachable);
  const schema::Map map{{"program", program.plan.program},
                        {"not_run_yet", schema::List(missing.begin(), missing.end())},
                        {"target", survey.wanted.title},
                        {"overridden", program.plan.overridden},
                        {"tasks", std::move(tasks)},
                        {"cached", static_cast<std::int64_t>(survey.cached)},
                        {"run", static_cast<std::int64_t>(survey.to_run)},
                        {"estimated_seconds", survey.seconds},
                        {"without_estimate", static_cast<std::int64_t>(survey.without_estimate)}};
  fmt::print("{}\n", schema::to_json(map));
}

}  // namespace

int plan(const PlanOptions& options) {
  const LoadedProgram loaded = load_program(options);
  const Survey survey = survey_of(loaded.program, options);
  print_machine_warnings(machine_warnings(loaded.program.plan, survey.reachable));
  if (options.json)
    print_json(loaded.program, survey);
  else
    print_text(loaded.program, survey);
  return options.detailed_exit_code && survey.to_run > 0 ? kThereIsWork : kDone;
}

}  // namespace bgw::cli
