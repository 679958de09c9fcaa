#include "runtime/cli/plan_view.h"

#include <algorithm>
#include <stdexcept>

#include "runtime/cli/not_yet_run.h"

namespace bgw::cli {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

std::string state_of(const engine::TaskStatus& status) {
  if (status.cached) return "cached";
  return status.reason.starts_with("failed") || status.reason.starts_with("interrupted") ? "retry" : "run";
}

// Results that the database does not know are asked themselves.
std::optional<store::Origin> origin_in_manifest(const store::Cache& cache, const plan::Key& key) {
  const std::optional<store::Manifest> manifest = cache.manifest(key);
  if (!manifest) return std::nullopt;
  const store::Provenance& made = manifest->provenance;
  return store::Origin{made.device, made.bgw_version, made.ended};
}

// Who made the cached results.
void put_origins(const plan::Plan& plan, const std::vector<std::size_t>& shown, const store::Cache& cache, PlanView& view) {
  std::vector<plan::Key> keys;
  std::vector<PlannedTask*> made;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (!view.tasks[i].heavy || view.tasks[i].status != "cached") continue;
    keys.push_back(plan.tasks[shown[i]].key);
    made.push_back(&view.tasks[i]);
  }
  std::vector<std::optional<store::Origin>> origins(keys.size());
  if (cache.has_records()) origins = store::History(cache.layout()).origins(keys);
  for (std::size_t i = 0; i < keys.size(); ++i) made[i]->origin = origins[i] ? origins[i] : origin_in_manifest(cache, keys[i]);
}

// What the work was that a task goes on from.
std::optional<Value> finished_arguments(const engine::TaskStatus& status, const store::Cache& cache) {
  if (!status.extends) return std::nullopt;
  try {
    return cache.objects().task(*status.extends).arguments;
  } catch (const std::runtime_error&) {
    return std::nullopt;  // the run will find it damaged and begin anew
  }
}

PlannedTask planned(const plan::TaskSpec& spec, const engine::TaskStatus& status, const store::Cache& cache, engine::CostModel& costs) {
  PlannedTask task;
  task.name = spec.name;
  task.kind = spec.kind;
  task.key = spec.key.hex();
  task.status = state_of(status);
  if (!status.cached) task.reason = status.reason;
  task.changes = status.changes;
  task.heavy = spec.placement == plan::Placement::child;
  if (!task.heavy) return task;
  if (!status.cached) task.cost = costs.estimate(spec, finished_arguments(status, cache));
  if (status.extends) task.extends = status.extends->hex();
  task.precision = spec.arguments.string_or("precision", "");
  if (const Value* seed = spec.arguments.find("seed"); seed && seed->is_int()) {
    task.seed = seed->as_int();
    task.stream_key = spec.stream_key.hex();
  }
  return task;
}

Map to_map(const PlannedTask& task) {
  Map map{{"name", task.name},     {"kind", task.kind},
          {"key", task.key},       {"status", task.status},
          {"reason", task.reason}, {"changes", List(task.changes.begin(), task.changes.end())},
          {"heavy", task.heavy}};
  if (task.cost) {
    map["estimated_seconds"] = task.cost->seconds;
    map["estimated_core_seconds"] = task.cost->core_seconds;
    map["estimated_bytes"] = task.cost->bytes;
  }
  if (task.origin) {
    map["made"] = Map{{"device", task.origin->device},
                      {"bgw_version", task.origin->bgw_version},
                      {"ended_us", task.origin->made}};
  }
  if (!task.extends.empty()) map["extends"] = task.extends;
  if (!task.precision.empty()) map["precision"] = task.precision;
  if (task.seed) {
    map["seed"] = *task.seed;
    map["stream_key"] = task.stream_key;
  }
  return map;
}

PlannedTask task_from(const Value& value) {
  PlannedTask task;
  task.name = value.at("name").as_string();
  task.kind = value.at("kind").as_string();
  task.key = value.at("key").as_string();
  task.status = value.at("status").as_string();
  task.reason = value.at("reason").as_string();
  for (const Value& change : value.at("changes").as_list()) task.changes.push_back(change.as_string());
  task.heavy = value.at("heavy").as_bool();
  if (value.has("estimated_seconds")) {
    task.cost = engine::CostEstimate{value.at("estimated_seconds").as_double(),
                                     value.at("estimated_core_seconds").as_double(),
                                     value.at("estimated_bytes").as_double()};
  }
  if (const Value* made = value.find("made")) {
    task.origin = store::Origin{made->at("device").as_string(), made->at("bgw_version").as_string(),
                                made->at("ended_us").as_int()};
  }
  task.extends = value.string_or("extends", "");
  task.precision = value.string_or("precision", "");
  if (value.has("seed")) task.seed = value.at("seed").as_int();
  task.stream_key = value.string_or("stream_key", "");
  return task;
}

}  // namespace

std::size_t PlanView::to_run() const {
  return static_cast<std::size_t>(
      std::count_if(tasks.begin(), tasks.end(), [](const PlannedTask& task) { return task.status != "cached"; }));
}

std::vector<std::size_t> shown_tasks(const plan::Plan& plan, const Selection& selection,
                                     const std::vector<engine::TaskStatus>& statuses) {
  std::vector<std::size_t> tasks = with_inputs(plan, selection.wanted.tasks);
  std::erase_if(tasks, [&](std::size_t task) { return !statuses[task].cached && !statuses[task].needed; });
  return tasks;
}

PlanView view_of(const plan::Plan& plan, const Selection& selection, const std::vector<engine::TaskStatus>& statuses,
                 store::Cache& cache) {
  PlanView view;
  view.program = plan.program;
  view.title = selection.wanted.title;
  view.overridden = plan.overridden;
  engine::CostModel costs(cache);
  const std::vector<std::size_t> shown = shown_tasks(plan, selection, statuses);
  view.tasks.reserve(shown.size());
  for (const std::size_t task : shown) view.tasks.push_back(planned(plan.tasks[task], statuses[task], cache, costs));
  put_origins(plan, shown, cache, view);
  view.not_run_yet = not_yet_run(plan, shown);
  view.earlier_tasks = costs.earlier_tasks();
  return view;
}

schema::Map to_map(const PlanView& view) {
  List tasks;
  engine::CostEstimate together;
  std::int64_t without_estimate = 0;
  for (const PlannedTask& task : view.tasks) {
    tasks.push_back(to_map(task));
    if (task.cost) {
      together.seconds += task.cost->seconds;
      together.core_seconds += task.cost->core_seconds;
      together.bytes += task.cost->bytes;
    } else if (task.heavy && task.status != "cached") {
      ++without_estimate;
    }
  }
  return Map{{"program", view.program},
             {"not_run_yet", List(view.not_run_yet.begin(), view.not_run_yet.end())},
             {"target", view.title},
             {"overridden", view.overridden},
             {"tasks", std::move(tasks)},
             {"cached", static_cast<std::int64_t>(view.cached())},
             {"run", static_cast<std::int64_t>(view.to_run())},
             {"estimated_seconds", together.seconds},
             {"estimated_core_seconds", together.core_seconds},
             {"estimated_bytes", together.bytes},
             {"earlier_tasks", static_cast<std::int64_t>(view.earlier_tasks)},
             {"without_estimate", without_estimate}};
}

PlanView plan_view_from(const Value& value) {
  PlanView view;
  view.program = value.at("program").as_string();
  view.title = value.at("target").as_string();
  view.overridden = value.at("overridden").as_map();
  for (const Value& task : value.at("tasks").as_list()) view.tasks.push_back(task_from(task));
  for (const Value& part : value.at("not_run_yet").as_list()) view.not_run_yet.push_back(part.as_string());
  view.earlier_tasks = static_cast<std::size_t>(value.at("earlier_tasks").as_int());
  return view;
}

}  // namespace bgw::cli
