#include "runtime/cli/run_board.h"

#include <algorithm>
#include <set>

#include "compiler/schema/catalog.h"
#include "runtime/catalog/builtin_catalog.h"
#include "runtime/engine/cost_model.h"
#include "runtime/engine/forecast.h"
#include "runtime/store/clock.h"

namespace bgw::cli {
namespace {

namespace fs = std::filesystem;

bool is_made_inside(const schema::Catalog& catalog, const std::string& kind) {
  const schema::KindSchema* schema = catalog.find_kind(kind);
  return schema && schema->makes == schema::Makes::inline_task;
}

bool is_finished(TaskState state) { return state == TaskState::cached || state == TaskState::done; }

struct Survey {
  const store::Cache& cache;
  store::RunHistory* history;
  std::int64_t run = 0;     // whose failures count; 0: those of any run
  bool on = false;          // somebody will do what is not done
};

bool has_result(const BoardTask& task, const Survey& survey) {
  if (!task.child) return survey.history && survey.history->has_row(task.key);
  std::error_code error;
  return fs::exists(survey.cache.layout().object(task.key), error);  // it appears whole or not at all
}

bool has_failed(const BoardTask& task, const Survey& survey) {
  if (!task.attempt || task.attempt->state != "failed" || task.look.claimed) return false;
  return survey.run == 0 || task.attempt->run == survey.run;
}

// All but `blocked`, which takes the other tasks.
void judge(BoardTask& task, bool was_cached, const Survey& survey) {
  std::error_code error;
  const fs::path work = survey.cache.layout().work(task.key);
  if (task.child && fs::exists(work, error)) task.look = engine::look_at_task(work);
  // Before the result: one that is made again stays until the new one is there.
  if (task.look.running) {
    task.state = TaskState::running;
    if (survey.history) task.attempt = survey.history->newest_attempt(task.key);
    return;
  }
  if (has_result(task, survey)) {
    task.state = was_cached ? TaskState::cached : TaskState::done;
    return;
  }
  task.state = survey.on ? TaskState::waiting : TaskState::missing;
  if (!task.child) return;
  if (survey.history) task.attempt = survey.history->newest_attempt(task.key);
  if (has_failed(task, survey))
    task.state = TaskState::failed;
  else if (!survey.on && task.look.checkpoint_age)
    task.state = TaskState::stopped;
}

bool has_failed_input(const Board& board, const BoardTask& task) {
  return std::any_of(task.inputs.begin(), task.inputs.end(), [&](std::size_t input) {
    const TaskState state = board.tasks[input].state;
    return state == TaskState::failed || state == TaskState::blocked;
  });
}

// Goes round until nothing changes: tasks stand in no particular order.
void block_dependents(Board& board) {
  for (bool changed = true; changed;) {
    changed = false;
    for (BoardTask& task : board.tasks) {
      if (task.state != TaskState::waiting && task.state != TaskState::missing) continue;
      if (!has_failed_input(board, task)) continue;
      task.state = TaskState::blocked;
      changed = true;
    }
  }
}

// What a task needs to be estimated by: its kind and its arguments.
plan::TaskSpec work_of(const BoardTask& task, store::RunHistory* history) {
  plan::TaskSpec spec;
  spec.kind = task.kind;
  spec.arguments = task.arguments;
  if (!spec.arguments.is_none() || !history) return spec;
  if (const auto known = history->kind_and_preimage(task.key)) spec.arguments = schema::parse_json(known->second).at("arguments");
  return spec;
}

std::optional<double> seconds_left(const BoardTask& task, engine::CostModel& costs, store::RunHistory* history) {
  std::optional<double> left;
  if (const auto cost = costs.estimate(work_of(task, history))) left = std::max(0.0, cost->seconds - task.elapsed());
  if (task.state == TaskState::running && task.look.progress && task.look.progress->seconds_left)
    left = std::max(left.value_or(0), *task.look.progress->seconds_left);
  return left;
}

void estimate(Board& board, const store::Cache& cache, store::RunHistory* history) {
  engine::CostModel costs(cache);
  std::vector<engine::ForecastTask> forecast;
  for (BoardTask& task : board.tasks) {
    forecast.push_back({0, task.inputs});
    if (!task.child || is_finished(task.state) || task.state == TaskState::failed || task.state == TaskState::blocked) continue;
    task.seconds_left = seconds_left(task, costs, history);
    if (!task.seconds_left) ++board.without_estimate;
    forecast.back().seconds = task.seconds_left.value_or(0);
  }
  board.seconds_left = engine::seconds_left(forecast, board.counts[TaskState::running]);
}

void finish(Board& board, const store::Cache& cache, store::RunHistory* history) {
  block_dependents(board);
  for (const BoardTask& task : board.tasks) ++board.counts[task.state];
  estimate(board, cache, history);
}

}  // namespace

const char* to_text(TaskState state) {
  switch (state) {
    case TaskState::cached: return "cached";
    case TaskState::done: return "done";
    case TaskState::running: return "running";
    case TaskState::waiting: return "waiting";
    case TaskState::failed: return "failed";
    case TaskState::blocked: return "blocked";
    case TaskState::stopped: return "stopped";
    case TaskState::missing: return "missing";
  }
  return "";
}

double BoardTask::elapsed() const {
  if (state != TaskState::running || !look.attempt) return 0;
  return std::max(0.0, static_cast<double>(store::now_in_microseconds() - look.attempt->started) * 1e-6);
}

Board board_of_run(const store::SeenRun& run, const std::vector<std::string>& names, const store::Cache& cache, store::RunHistory& history) {
  const schema::Catalog catalog = catalog::builtin_catalog();
  const std::set<std::string> wanted(names.begin(), names.end());
  Board board{run, engine::life_of(run), {}, {}, 0, 0};
  const Survey survey{cache, &history, run.id, board.life != engine::RunLife::ended};
  std::map<plan::Key, std::size_t> places;
  for (const store::SeenTask& seen : history.planned(run.id)) {
    if (!wanted.empty() && wanted.count(seen.kind + "." + seen.name) == 0) continue;
    BoardTask task;
    task.key = seen.key;
    task.name = seen.name;
    task.kind = seen.kind;
    task.child = !is_made_inside(catalog, seen.kind);
    judge(task, seen.was_cached, survey);
    places.emplace(seen.key, board.tasks.size());
    board.tasks.push_back(std::move(task));
  }
  for (BoardTask& task : board.tasks) {
    if (is_finished(task.state)) continue;
    for (const plan::Key& input : history.inputs_of(task.key)) {
      if (const auto found = places.find(input); found != places.end()) task.inputs.push_back(found->second);
    }
  }
  finish(board, cache, &history);
  return board;
}

Board board_of_plan(const plan::Plan& plan, const std::vector<std::size_t>& tasks, const store::Cache& cache, store::RunHistory* history) {
  Board board;
  std::map<std::size_t, std::size_t> places;
  for (const std::size_t index : tasks) {
    places.emplace(index, board.tasks.size());
    board.tasks.push_back(look_at(plan.tasks[index], cache, history, false));
    if (is_finished(board.tasks.back().state)) continue;
    for (const plan::TaskInput& input : plan.tasks[index].inputs) {
      const auto found = places.find(input.task);
      std::vector<std::size_t>& inputs = board.tasks.back().inputs;
      if (found != places.end() && std::find(inputs.begin(), inputs.end(), found->second) == inputs.end()) inputs.push_back(found->second);
    }
  }
  finish(board, cache, history);
  return board;
}

BoardTask look_at(const plan::TaskSpec& spec, const store::Cache& cache, store::RunHistory* history, bool run_is_on) {
  BoardTask task;
  task.key = spec.key;
  task.name = spec.name;
  task.kind = spec.kind;
  task.child = spec.placement == plan::Placement::child;
  task.arguments = spec.arguments;
  judge(task, true, {cache, history, 0, run_is_on});
  return task;
}

}  // namespace bgw::cli
