#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/known_tasks.h"
#include "runtime/engine/compare.h"
#include "runtime/engine/explain.h"
#include "runtime/engine/program_identity.h"
#include "runtime/report/number_format.h"

namespace bgw::cli {
namespace {

using engine::Comparison;
using schema::Map;

// The task with which another is compared.
struct Nearest {
  KnownTask task;
  Comparison comparison;  // from it to the task in question
  std::int64_t run = 0;   // that planned it last; 0: none did
  std::int64_t planned = 0;  // UTC, microseconds
};

// A task behind the changed inputs whose own fields differ.
struct Cause {
  KnownTask before, now;
  std::vector<ShownChange> changes;
};

struct Explanation {
  KnownTask task;
  std::string status, reason;
  std::optional<Nearest> nearest;
  std::vector<Cause> causes;
  std::optional<store::Manifest> manifest;  // of its result
  std::optional<std::int64_t> row_made;     // UTC, microseconds; of the result of an inline task
  std::int64_t made_in = 0;                 // the run; 0: not known
};

std::string count_of(std::size_t count, const char* one) { return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s"); }

std::string status_of(const engine::TaskStatus& status) {
  if (status.cached) return "cached";
  return status.reason.starts_with("failed") || status.reason.starts_with("interrupted") ? "retry" : "run";
}

void add_status(Explanation& explanation, KnownTasks& tasks, const std::vector<engine::TaskStatus>& statuses) {
  if (explanation.task.task) {
    const engine::TaskStatus& status = statuses[*explanation.task.task];
    explanation.status = status_of(status);
    explanation.reason = status.cached ? "" : status.reason;
    return;
  }
  const bool there = tasks.cache().manifest(explanation.task.key) || (tasks.history() && tasks.history()->has_row(explanation.task.key));
  explanation.status = there ? "cached" : "gone";
  explanation.reason = tasks.program() ? "not of the program as it stands" : "";
}

// More in common is nearer; of equals the one with fewer changes, then the younger.
bool is_nearer(const engine::Likeness& a, const engine::Likeness& b) {
  return a.same != b.same ? a.same > b.same : a.different < b.different;
}

// What was planned of a kind lately, read once for all members of a family that are asked about.
class Neighbourhood {
 public:
  explicit Neighbourhood(KnownTasks& tasks) : tasks_(tasks) {}

  std::optional<KnownTask> nearest(const KnownTask& task) {
    const engine::Preimage preimage = engine::read_preimage(task.preimage);
    const Neighbour* nearest = nullptr;
    engine::Likeness best;
    for (const Neighbour& other : of_kind(task.kind)) {
      if (other.task.key == task.key) continue;
      const engine::Likeness likeness = engine::likeness(other.preimage, preimage);
      if (nearest && !is_nearer(likeness, best)) continue;
      best = likeness;
      nearest = &other;
    }
    return nearest ? std::optional(nearest->task) : std::nullopt;
  }
  KnownTasks& tasks() { return tasks_; }

 private:
  struct Neighbour {
    KnownTask task;
    engine::Preimage preimage;
  };

  const std::vector<Neighbour>& of_kind(const std::string& kind) {
    constexpr int kLooked = 200;
    const auto [known, is_new] = kinds_.try_emplace(kind);
    if (!is_new) return known->second;
    for (const plan::Key& key : tasks_.history()->recent_of_kind(kind, kLooked)) {
      if (std::optional<KnownTask> task = tasks_.find(key)) known->second.push_back({*task, engine::read_preimage(task->preimage)});
    }
    return known->second;
  }

  KnownTasks& tasks_;
  std::map<std::string, std::vector<Neighbour>> kinds_;
};

// Earlier under the same name, as a person thinks of "before"; else whatever of that kind shares most with it.
std::optional<KnownTask> find_nearest(const KnownTask& task, Neighbourhood& neighbours) {
  KnownTasks& tasks = neighbours.tasks();
  if (!tasks.history()) return std::nullopt;
  if (tasks.program() && task.task) {
    const plan::Plan& plan = tasks.program()->plan;
    if (const auto earlier = tasks.cache().records().latest_other(engine::program_identity(plan), plan.tasks[*task.task])) return tasks.find(earlier->key);
  }
  return neighbours.nearest(task);
}

void add_nearest(Explanation& explanation, Neighbourhood& neighbours) {
  std::optional<KnownTask> other = find_nearest(explanation.task, neighbours);
  if (!other) return;
  Nearest nearest{*std::move(other), {}, 0, 0};
  nearest.comparison = engine::compare(nearest.task.preimage, explanation.task.preimage);
  if (const auto planned = neighbours.tasks().last_plan(nearest.task.key)) std::tie(nearest.run, nearest.planned) = std::pair{planned->run, planned->started};
  explanation.nearest = std::move(nearest);
}

// Goes up along the inputs that differ, to the tasks whose own fields do.
void collect_causes(const Comparison& comparison, KnownTasks& tasks, std::set<plan::Key>& seen, std::vector<Cause>& causes) {
  for (const engine::InputChange& input : comparison.inputs) {
    if (!input.before || !input.now || !seen.insert(*input.now).second) continue;
    const std::optional<KnownTask> before = tasks.find(*input.before);
    const std::optional<KnownTask> now = tasks.find(*input.now);
    if (!before || !now) continue;
    const Comparison above = engine::compare(before->preimage, now->preimage);
    if (!above.fields.empty()) causes.push_back({*before, *now, shown_changes(above, *before, *now)});
    collect_causes(above, tasks, seen, causes);
  }
}

void add_maker(Explanation& explanation, KnownTasks& tasks) {
  const plan::Key& key = explanation.task.key;
  explanation.manifest = tasks.cache().manifest(key);
  if (!tasks.history()) return;
  if (!explanation.manifest) explanation.row_made = tasks.history()->row_made(key);
  if (const auto attempt = tasks.history()->successful_attempt(key)) explanation.made_in = attempt->run;
}

Explanation explain_key(const plan::Key& key, Neighbourhood& neighbours, const std::vector<engine::TaskStatus>& statuses) {
  KnownTasks& tasks = neighbours.tasks();
  Explanation explanation{tasks.get(key), "", "", std::nullopt, {}, std::nullopt, std::nullopt, 0};
  add_status(explanation, tasks, statuses);
  add_nearest(explanation, neighbours);
  if (explanation.nearest) {
    std::set<plan::Key> seen;
    collect_causes(explanation.nearest->comparison, tasks, seen, explanation.causes);
  }
  add_maker(explanation, tasks);
  return explanation;
}

std::string called(const std::optional<plan::Key>& key, KnownTasks& tasks) {
  if (!key) return "none";
  const std::optional<KnownTask> known = tasks.find(*key);
  return known && !known->name.empty() ? fmt::format("{} {}", known->name, key->short_hex()) : key->short_hex();
}

std::string joined_changes(const std::vector<ShownChange>& changes) {
  std::string text;
  for (const ShownChange& change : changes) text += (text.empty() ? "" : ", ") + to_text(change);
  return text;
}

void print_nearest(const Explanation& explanation, KnownTasks& tasks) {
  if (!explanation.nearest) {
    fmt::print("  nothing earlier to compare it with\n");
    return;
  }
  const Nearest& nearest = *explanation.nearest;
  const std::string when = nearest.run == 0 ? "" : fmt::format(", run {} of {}", nearest.run, report::format_time(nearest.planned));
  fmt::print("  nearest earlier: {} ({}{})\n", nearest.task.key.short_hex(), nearest.task.called(), when);
  for (const ShownChange& change : shown_changes(nearest.comparison, nearest.task, explanation.task)) fmt::print("  Changed: {}\n", to_text(change));
  for (const engine::InputChange& input : nearest.comparison.inputs) {
    fmt::print("  Changed: input {}: {} -> {}\n", input.role, called(input.before, tasks), called(input.now, tasks));
  }
  fmt::print("  Same: {}{}, {}\n", nearest.comparison.same_fields, nearest.comparison.fields.empty() ? (nearest.comparison.same_fields == 1 ? " field" : " fields") : " other fields",
             count_of(nearest.comparison.same_inputs, "input"));
  for (const Cause& cause : explanation.causes) fmt::print("  Root cause: {}: {}\n", cause.now.called(), joined_changes(cause.changes));
}

void print_maker(const Explanation& explanation) {
  const std::string run = explanation.made_in == 0 ? "" : fmt::format(" by run {}", explanation.made_in);
  if (explanation.manifest) {
    const store::Provenance& made = explanation.manifest->provenance;
    fmt::print("  made{} on {} ({}, cpus: {}), {}, in {}, by bgw {}\n", run, made.host, made.device, made.cpus, report::format_time(made.ended),
               report::format_duration(explanation.manifest->cost.seconds), made.bgw_version);
    if (made.extended_from) fmt::print("  went on from finished work, key {}\n", made.extended_from->short_hex());
  } else if (explanation.row_made) {
    fmt::print("  made{} {}\n", run, report::format_time(*explanation.row_made));
  }
}

void print_text(const Explanation& explanation, KnownTasks& tasks) {
  const KnownTask& task = explanation.task;
  fmt::print("{} ({}), key {}: {}{}\n", task.called(), task.kind, task.key.short_hex(), explanation.status,
             explanation.reason.empty() ? "" : ", " + explanation.reason);
  print_nearest(explanation, tasks);
  print_maker(explanation);
}

schema::Value key_or_none(const std::optional<plan::Key>& key) { return key ? schema::Value(key->hex()) : schema::Value(); }

schema::Value to_value(const Nearest& nearest, const KnownTask& task, KnownTasks& tasks) {
  schema::List inputs;
  for (const engine::InputChange& input : nearest.comparison.inputs) {
    inputs.push_back(Map{{"role", input.role},
                         {"before", key_or_none(input.before)},
                         {"now", key_or_none(input.now)},
                         {"name", input.now && tasks.find(*input.now) ? tasks.find(*input.now)->name : ""}});
  }
  Map map{{"key", nearest.task.key.hex()},
          {"name", nearest.task.name},
          {"changes", cli::to_value(shown_changes(nearest.comparison, nearest.task, task))},
          {"same_fields", static_cast<std::int64_t>(nearest.comparison.same_fields)},
          {"inputs", std::move(inputs)},
          {"same_inputs", static_cast<std::int64_t>(nearest.comparison.same_inputs)}};
  if (nearest.run != 0) {
    map.insert_or_assign("run", nearest.run);
    map.insert_or_assign("planned_us", nearest.planned);
  }
  return map;
}

schema::Value made_by(const Explanation& explanation) {
  Map map;
  if (explanation.made_in != 0) map.insert_or_assign("run", explanation.made_in);
  if (explanation.row_made) map.insert_or_assign("ended_us", *explanation.row_made);
  if (explanation.manifest) {
    const store::Provenance& made = explanation.manifest->provenance;
    map.insert({{"host", made.host}, {"device", made.device}, {"cpus", made.cpus}, {"started_us", made.started},
                {"ended_us", made.ended}, {"seconds", explanation.manifest->cost.seconds}, {"bgw_version", made.bgw_version}});
    if (made.extended_from) map.insert_or_assign("extended_from", made.extended_from->hex());
  }
  return map;
}

schema::Value to_value(const Explanation& explanation, KnownTasks& tasks) {
  schema::List causes;
  for (const Cause& cause : explanation.causes) {
    causes.push_back(Map{{"name", cause.now.name},
                         {"before", cause.before.key.hex()},
                         {"now", cause.now.key.hex()},
                         {"changes", cli::to_value(cause.changes)}});
  }
  Map map{{"name", explanation.task.name},       {"kind", explanation.task.kind},     {"key", explanation.task.key.hex()},
          {"status", explanation.status},        {"reason", explanation.reason},      {"causes", std::move(causes)}};
  map.insert_or_assign("nearest", explanation.nearest ? to_value(*explanation.nearest, explanation.task, tasks) : schema::Value());
  map.insert_or_assign("made_by", explanation.manifest || explanation.row_made ? made_by(explanation) : schema::Value());
  return map;
}

}  // namespace

int why(const WhyOptions& options) {
  const LoadedProgram loaded = load_program(options);
  store::Cache cache = store::Cache::look(cache_directory(options));
  KnownTasks tasks(&loaded.program, cache);
  const std::vector<plan::Key> keys = tasks.named(options.name);
  std::vector<std::size_t> wanted;
  for (const plan::Key& key : keys) {
    if (const std::optional<KnownTask> known = tasks.find(key); known && known->task) wanted.push_back(*known->task);
  }
  const std::vector<engine::TaskStatus> statuses = engine::explain(loaded.program.plan, wanted, cache);
  Neighbourhood neighbours(tasks);
  schema::List list;
  for (const plan::Key& key : keys) {
    const Explanation explanation = explain_key(key, neighbours, statuses);
    if (options.json)
      list.push_back(to_value(explanation, tasks));
    else
      print_text(explanation, tasks);
  }
  if (options.json) put_document(list.size() == 1 ? list.front() : schema::Value(list));
  return kDone;
}

}  // namespace bgw::cli
