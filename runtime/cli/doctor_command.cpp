#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "runtime/cli/cache_findings.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/machine_findings.h"
#include "runtime/cli/machine_warnings.h"
#include "runtime/cli/terminal.h"
#include "runtime/engine/cost_model.h"
#include "runtime/engine/explain.h"
#include "runtime/engine/policy.h"
#include "runtime/foundation/errors.h"
#include "runtime/report/number_format.h"
#include "runtime/report/text_table.h"
#include "runtime/store/file_system.h"
#include "runtime/store/run_history.h"

namespace bgw::cli {
namespace {

using schema::Map;

// What the tasks of one kind that have to run need; from their resources and from history.
struct KindNeeds {
  std::size_t to_run = 0;
  engine::Policy most;        // the largest that one of them asks for
  std::size_t estimated = 0;  // of them
  double seconds = 0;         // of those estimated, one after the other
  double bytes = 0;           // that those estimated write
  double peak_memory = 0;     // bytes, of earlier ones; 0: not known
};

struct ProgramNeeds {
  std::map<std::string, KindNeeds> kinds;
  std::vector<std::string> too_large;  // "task X asks for 4 gpus, …"
};

void keep_larger(engine::Policy& most, const engine::Policy& policy) {
  most.cpus = std::max(most.cpus, policy.cpus);
  most.gpus = std::max(most.gpus, policy.gpus);
  most.memory = std::max(most.memory, policy.memory);
  most.walltime = std::max(most.walltime, policy.walltime);
}

ProgramNeeds needs_of(const plan::Plan& plan, store::Cache& cache) {
  std::vector<std::size_t> all(plan.tasks.size());
  for (std::size_t task = 0; task < all.size(); ++task) all[task] = task;
  const std::vector<engine::TaskStatus> statuses = engine::explain(plan, all, cache);
  engine::CostModel costs(cache);
  ProgramNeeds needs;
  std::vector<std::size_t> to_run;
  for (const std::size_t task : all) {
    const plan::TaskSpec& spec = plan.tasks[task];
    if (spec.placement != plan::Placement::child || statuses[task].cached) continue;
    to_run.push_back(task);
    KindNeeds& kind = needs.kinds[spec.kind];
    ++kind.to_run;
    keep_larger(kind.most, engine::policy_of(spec));
    if (const auto cost = costs.estimate(spec)) {
      ++kind.estimated;
      kind.seconds += cost->seconds;
      kind.bytes += cost->bytes;
    }
  }
  needs.too_large = machine_warnings(plan, to_run);
  if (!cache.has_records()) return needs;
  for (const auto& [name, peak] : store::RunHistory(cache.layout().database()).peak_memory()) {
    if (const auto kind = needs.kinds.find(name); kind != needs.kinds.end()) kind->second.peak_memory = peak;
  }
  return needs;
}

Findings program_findings(const ProgramNeeds& needs, const std::filesystem::path& cache) {
  Findings findings;
  for (const std::string& text : needs.too_large) findings.push_back({"resources", Verdict::bad, text, ""});
  double bytes = 0;
  std::size_t unknown = 0;
  for (const auto& [name, kind] : needs.kinds) {
    bytes += kind.bytes;
    unknown += kind.to_run - kind.estimated;
  }
  const double free = store::file_system_of(cache).free_bytes;
  std::string text = fmt::format("{:.2f} GB to write", bytes * 1e-9);
  if (unknown > 0) text += fmt::format(", not known for {} {}", unknown, unknown == 1 ? "task" : "tasks");
  if (free > 0 && bytes > free)
    findings.push_back({"disk", Verdict::bad, fmt::format("{}, {:.2f} GB free", text, free * 1e-9), "make room, or choose another place with --cache"});
  else
    findings.push_back({"disk", Verdict::ok, text, ""});
  return findings;
}

// ---- text ------------------------------------------------------------------------------------------------------------

std::string word_for(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok: return painted("ok  ", Colour::green, stdout);
    case Verdict::warn: return painted("warn", Colour::yellow, stdout);
    case Verdict::bad: return painted("bad ", Colour::red, stdout);
  }
  return "";
}

void print_findings(const Findings& findings) {
  std::size_t width = 0;
  for (const Finding& finding : findings) width = std::max(width, finding.what.size());
  for (const Finding& finding : findings) {
    fmt::print("{}  {:<{}}  {}{}\n", word_for(finding.verdict), finding.what, width, finding.text, finding.way_out.empty() ? "" : "; " + finding.way_out);
  }
}

std::string amount(double value, double one, const char* unit) { return value > 0 ? fmt::format("{:.1f} {}", value / one, unit) : ""; }

void print_needs(const ProgramNeeds& needs) {
  if (needs.kinds.empty()) {
    fmt::print("\nnothing of it has to run\n");
    return;
  }
  report::TextTable table{{{"kind"}, {"to run", true}, {"cpus", true}, {"gpus", true}, {"memory", true}, {"walltime", true},
                           {"time of all", true}, {"peak memory", true}, {"disk of all", true}}, {}};
  for (const auto& [name, kind] : needs.kinds) {
    table.rows.push_back({name, std::to_string(kind.to_run), kind.most.cpus > 0 ? std::to_string(kind.most.cpus) : "a share",
                          std::to_string(kind.most.gpus), amount(kind.most.memory, 1e9, "GB"),
                          kind.most.walltime > 0 ? report::format_duration(kind.most.walltime) : "",
                          kind.estimated > 0 ? report::format_duration(kind.seconds) : "", amount(kind.peak_memory, 1e9, "GB"),
                          amount(kind.bytes, 1e6, "MB")});
  }
  fmt::print("\nwhat the tasks ask for, each, and what history says of them\n{}", report::render(table));
}

// ---- JSON ------------------------------------------------------------------------------------------------------------

const char* name_of(Verdict verdict) { return verdict == Verdict::ok ? "ok" : verdict == Verdict::warn ? "warn" : "bad"; }

schema::Value to_value(const std::string& name, const KindNeeds& kind) {
  Map map{{"kind", name},
          {"to_run", static_cast<std::int64_t>(kind.to_run)},
          {"cpus", kind.most.cpus},
          {"gpus", kind.most.gpus},
          {"memory_bytes", kind.most.memory},
          {"walltime_s", kind.most.walltime}};
  map.insert_or_assign("estimated", static_cast<std::int64_t>(kind.estimated));
  if (kind.estimated > 0) map.insert({{"estimated_seconds", kind.seconds}, {"estimated_bytes", kind.bytes}});
  if (kind.peak_memory > 0) map.insert_or_assign("peak_memory_bytes", kind.peak_memory);
  return map;
}

void print_json(const Findings& findings, Verdict worst, const std::optional<ProgramNeeds>& needs) {
  schema::List list;
  for (const Finding& finding : findings)
    list.push_back(Map{{"what", finding.what}, {"verdict", name_of(finding.verdict)}, {"text", finding.text}, {"way_out", finding.way_out}});
  Map map{{"verdict", name_of(worst)}, {"findings", std::move(list)}};
  if (needs) {
    schema::List kinds;
    for (const auto& [name, kind] : needs->kinds) kinds.push_back(to_value(name, kind));
    map.insert_or_assign("kinds", std::move(kinds));
  }
  put_document(map);
}

void append(Findings& findings, const Findings& more) { findings.insert(findings.end(), more.begin(), more.end()); }

}  // namespace

int doctor(const DoctorOptions& options) {
  // The program first: one that is wrong is told before half a second of measuring.
  std::optional<LoadedProgram> loaded;
  if (!options.program.empty()) loaded.emplace(load_program(options));
  const std::filesystem::path place = cache_directory(options);
  Findings findings = machine_findings();
  append(findings, environment_findings());
  append(findings, task_program_findings());
  append(findings, cache_findings(place));
  append(findings, gnuplot_findings());
  std::optional<ProgramNeeds> needs;
  const bool readable = std::none_of(findings.begin(), findings.end(), [](const Finding& finding) { return finding.what == "database" && finding.verdict == Verdict::bad; });
  if (loaded && readable) {
    store::Cache cache = store::Cache::look(place);
    needs = needs_of(loaded->program.plan, cache);
    append(findings, program_findings(*needs, place));
  }
  Verdict worst = Verdict::ok;
  for (const Finding& finding : findings) worst = std::max(worst, finding.verdict);
  if (options.json) {
    print_json(findings, worst, needs);
  } else {
    print_findings(findings);
    if (needs) print_needs(*needs);
  }
  return worst == Verdict::bad ? kEnvironment : kDone;
}

}  // namespace bgw::cli
