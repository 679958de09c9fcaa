#include "runtime/engine/explain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>

#include "compiler/plan/preimage.h"
#include "runtime/engine/checkpoints.h"
#include "runtime/engine/cost_model.h"
#include "runtime/engine/compare.h"
#include "runtime/engine/extension.h"
#include "runtime/engine/program_identity.h"
#include "runtime/engine/schedule.h"

namespace bgw::engine {
namespace {

using schema::Value;

std::string shown(const Value& value) {
  if (value.is_none()) return "none";
  return value.is_string() ? value.as_string() : schema::to_json(value);
}

// Everything explain() knows while it goes through the tasks.
struct Survey {
  const plan::Plan& plan;
  store::Cache& cache;
  std::string program;
  WorkList work;
  std::vector<store::ObjectState> states;  // of objects and rows alike
  CostModel costs;  // the one of the plan that is shown, so that both say the same
};

// Whether the results are there, for the tasks `behind` the wanted ones.
std::vector<store::ObjectState> states_of(const plan::Plan& plan, const std::vector<bool>& behind, store::Cache& cache) {
  std::vector<std::size_t> objects;
  std::vector<std::size_t> rows;
  for (std::size_t task = 0; task < behind.size(); ++task) {
    if (behind[task]) (plan.tasks[task].placement == plan::Placement::child ? objects : rows).push_back(task);
  }
  const auto keys_of = [&](const std::vector<std::size_t>& tasks) {
    std::vector<plan::Key> keys;
    keys.reserve(tasks.size());
    for (const std::size_t task : tasks) keys.push_back(plan.tasks[task].key);
    return keys;
  };
  std::vector<store::ObjectState> states(plan.tasks.size(), store::ObjectState::absent);
  const std::vector<store::ObjectState> object_states = cache.look_at_objects(keys_of(objects));
  for (std::size_t i = 0; i < objects.size(); ++i) states[objects[i]] = object_states[i];
  const std::vector<bool> there = cache.has_rows(keys_of(rows));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (there[i]) states[rows[i]] = store::ObjectState::sound;
  }
  return states;
}

std::string upstream_reason(const Survey& survey, const plan::TaskSpec& spec) {
  std::set<std::string> names;
  for (const plan::TaskInput& input : spec.inputs) {
    if (survey.work.to_run[input.task]) names.insert(survey.plan.tasks[input.task].name);
  }
  if (names.empty()) {
    for (const plan::TaskInput& input : spec.inputs) names.insert(survey.plan.tasks[input.task].name);
  }
  return names.empty() ? "new" : fmt::format("upstream: {}", fmt::join(names, ", "));
}

std::optional<std::string> reason_from_attempts(const Survey& survey, const plan::TaskSpec& spec) {
  const std::optional<store::AttemptRecord> last = survey.cache.records().last_attempt(spec.key);
  const bool child = spec.placement == plan::Placement::child;
  const bool resumes = child && newest_checkpoint_time(survey.cache.layout().work(spec.key)).has_value();
  const char* how = resumes ? ", goes on from its checkpoint" : "";
  if (last && last->state == "failed") return fmt::format("failed ({}){}", last->cause, how);
  if (resumes) return "interrupted, goes on from its checkpoint";
  if (last && last->state == "done") return "its result is gone from the cache";
  return std::nullopt;
}

std::string summary_of(const std::vector<std::string>& changes) {
  if (changes.size() <= 2) return fmt::format("{}", fmt::join(changes, ", "));
  return fmt::format("{}, {} and {} more", changes[0], changes[1], changes.size() - 2);
}

void explain_task(Survey& survey, std::size_t task, TaskStatus& status) {
  const plan::TaskSpec& spec = survey.plan.tasks[task];
  status.reason = "new";
  if (survey.states[task] == store::ObjectState::damaged) status.reason = "its object is damaged";
  if (!survey.cache.has_records()) return;
  store::Records& records = survey.cache.records();
  if (spec.placement == plan::Placement::child) {
    if (const std::optional<CostEstimate> cost = survey.costs.estimate(spec)) status.estimated_seconds = cost->seconds;
  }
  if (status.forced) {
    status.reason = upstream_reason(survey, spec);
    return;
  }
  const std::optional<store::EarlierTask> earlier = records.latest_other(survey.program, spec);
  if (earlier) status.changes = differing_fields(earlier->preimage, plan::preimage(spec));
  if (survey.states[task] == store::ObjectState::damaged) return;
  if (const std::optional<std::string> reason = reason_from_attempts(survey, spec)) {
    status.reason = *reason;
  } else if (const std::optional<Extension> extension = find_extension(spec, survey.cache)) {
    status.reason = extension->text();
    status.extends = extension->key;
  } else if (earlier) {
    status.reason = status.changes.empty() ? upstream_reason(survey, spec) : summary_of(status.changes);
  }
}

}  // namespace

std::vector<std::string> differing_fields(const std::string& earlier_preimage, const std::string& preimage) {
  std::vector<std::string> changes;
  for (const FieldChange& change : compare(earlier_preimage, preimage).fields) {
    changes.push_back(fmt::format("{} {} -> {}", shown_place(change.place), shown(change.before), shown(change.now)));
  }
  return changes;
}

std::vector<bool> with_dependents(const plan::Plan& plan, const std::vector<std::size_t>& tasks) {
  std::vector<bool> among(plan.tasks.size());
  for (const std::size_t task : tasks) among.at(task) = true;
  for (std::size_t task = 0; task < among.size(); ++task) {
    const std::vector<plan::TaskInput>& inputs = plan.tasks[task].inputs;
    if (std::any_of(inputs.begin(), inputs.end(), [&](const plan::TaskInput& input) { return among[input.task]; })) among[task] = true;
  }
  return among;
}

std::vector<bool> with_all_inputs(const plan::Plan& plan, const std::vector<std::size_t>& tasks) {
  std::vector<bool> among(plan.tasks.size());
  for (const std::size_t task : tasks) among.at(task) = true;
  for (std::size_t task = among.size(); task-- > 0;) {
    if (!among[task]) continue;
    for (const plan::TaskInput& input : plan.tasks[task].inputs) among[input.task] = true;
  }
  return among;
}

std::vector<store::ObjectState> results_behind(const plan::Plan& plan, const std::vector<std::size_t>& wanted, store::Cache& cache) {
  return states_of(plan, with_all_inputs(plan, wanted), cache);
}

std::vector<TaskStatus> explain(const plan::Plan& plan, const std::vector<std::size_t>& wanted, store::Cache& cache,
                                const std::vector<std::size_t>& forced) {
  return explain(plan, wanted, cache, forced, results_behind(plan, wanted, cache));
}

std::vector<TaskStatus> explain(const plan::Plan& plan, const std::vector<std::size_t>& wanted, store::Cache& cache,
                                const std::vector<std::size_t>& forced, std::vector<store::ObjectState> results) {
  Survey survey{plan, cache, program_identity(plan), {}, std::move(results), CostModel(cache)};
  const std::vector<bool> again = with_dependents(plan, forced);
  std::vector<TaskStatus> statuses(plan.tasks.size());
  std::vector<bool> cached(plan.tasks.size());
  for (std::size_t task = 0; task < statuses.size(); ++task) {
    const store::ObjectState state = survey.states[task];
    const bool is_there = state == store::ObjectState::sound || state == store::ObjectState::untouched;
    statuses[task].forced = is_there && again[task];
    statuses[task].cached = cached[task] = is_there && !again[task];
  }
  survey.work = make_work_list(plan, wanted, cached);
  for (std::size_t task = 0; task < statuses.size(); ++task) {
    statuses[task].needed = survey.work.needed[task];
    if (survey.work.to_run[task]) explain_task(survey, task, statuses[task]);
  }
  for (const std::size_t task : forced) {
    if (statuses[task].forced) statuses[task].reason = "forced";
  }
  return statuses;
}

}  // namespace bgw::engine
