#include "runtime/cli/run_tally.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "runtime/engine/forecast.h"
#include "runtime/report/number_format.h"

namespace bgw::cli {
namespace {

double seconds_since(RunTally::Clock::time_point begin) { return std::chrono::duration<double>(RunTally::Clock::now() - begin).count(); }

}  // namespace

void RunTally::begin(const plan::Plan& plan, const std::vector<engine::TaskStatus>& statuses) {
  plan_ = &plan;
  tasks_.assign(plan.tasks.size(), {});
  for (std::size_t task = 0; task < statuses.size(); ++task) {
    if (!statuses[task].needed || statuses[task].cached) continue;
    tasks_[task].state = State::waiting;
    tasks_[task].seconds = statuses[task].estimated_seconds.value_or(0);
    ++total_;
  }
  waiting_ = total_;
}

RunTally::Task* RunTally::find(const plan::TaskSpec& spec) {
  if (!plan_ || plan_->tasks.empty()) return nullptr;
  const plan::TaskSpec* first = plan_->tasks.data();
  if (std::less<>()(&spec, first) || !std::less<>()(&spec, first + plan_->tasks.size())) return nullptr;
  return &tasks_[static_cast<std::size_t>(&spec - first)];
}

void RunTally::leave(const plan::TaskSpec& spec, State state) {
  Task* task = find(spec);
  if (!task) return;
  if (task->state == State::running) --running_;
  if (task->state == State::waiting) --waiting_;
  task->state = state;
}

void RunTally::started(const plan::TaskSpec& spec) {
  leave(spec, State::running);
  ++running_;
  if (Task* task = find(spec)) task->begin = Clock::now();
}

void RunTally::told(const plan::TaskSpec& spec, double seconds_left) {
  if (Task* task = find(spec)) {
    task->left = seconds_left;
    task->told = Clock::now();
  }
}

void RunTally::waits(const plan::TaskSpec& spec) {
  leave(spec, State::waiting);
  ++waiting_;
}

void RunTally::done(const plan::TaskSpec& spec) {
  leave(spec, State::ended);
  ++done_;
}

void RunTally::failed(const plan::TaskSpec& spec) {
  leave(spec, State::ended);
  ++failed_;
}

void RunTally::blocked(const plan::TaskSpec& spec) {
  leave(spec, State::ended);
  ++blocked_;
}

void RunTally::stopped(const plan::TaskSpec& spec) {
  leave(spec, State::ended);
  ++stopped_;
}

double RunTally::left_of(const Task& task) const {
  if (task.state == State::waiting) return task.seconds;
  if (task.state != State::running) return 0;
  const double by_history = std::max(0.0, task.seconds - seconds_since(task.begin));
  return task.left ? std::max(by_history, *task.left - seconds_since(task.told)) : by_history;
}

std::optional<double> RunTally::seconds_left() {
  if (!plan_) return std::nullopt;
  if (forecast_made_ != Clock::time_point() && seconds_since(forecast_made_) < 1) return forecast_;
  forecast_made_ = Clock::now();
  std::vector<engine::ForecastTask> tasks(tasks_.size());
  bool known = false;
  for (std::size_t task = 0; task < tasks.size(); ++task) {
    tasks[task].seconds = left_of(tasks_[task]);
    known = known || tasks[task].seconds > 0;
    if (tasks_[task].state != State::waiting) continue;
    for (const plan::TaskInput& input : plan_->tasks[task].inputs) tasks[task].inputs.push_back(input.task);
  }
  forecast_ = known ? std::optional(engine::seconds_left(tasks, running_)) : std::nullopt;
  return forecast_;
}

std::string RunTally::line() {
  if (!plan_) return "";
  std::vector<std::string> parts;
  for (const auto& [count, word] : {std::pair{running_, "running"}, {waiting_, "waiting"}, {failed_, "failed"}, {blocked_, "blocked"}, {stopped_, "stopped"}}) {
    if (count > 0) parts.push_back(fmt::format("{} {}", count, word));
  }
  parts.push_back(fmt::format("{} of {} done", done_, total_));
  const std::optional<double> left = seconds_left();
  if (left && *left >= 1) parts.push_back(fmt::format("about {} left", report::format_duration(*left < 10 ? *left : std::floor(*left))));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace bgw::cli
