#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/engine/explain.h"

namespace bgw::cli {

/// How far a run is, kept up as its events come in: what a display says in one line, however many tasks there are.
class RunTally {
 public:
  using Clock = std::chrono::steady_clock;

  /// @param plan  has to outlive the tally
  void begin(const plan::Plan& plan, const std::vector<engine::TaskStatus>& statuses);
  void started(const plan::TaskSpec& spec);
  /// A running task is expected to take so much longer.
  void told(const plan::TaskSpec& spec, double seconds_left);
  /// A running task runs no more and will be started again.
  void waits(const plan::TaskSpec& spec);
  void done(const plan::TaskSpec& spec);
  void failed(const plan::TaskSpec& spec);
  void blocked(const plan::TaskSpec& spec);
  void stopped(const plan::TaskSpec& spec);

  std::size_t total() const { return total_; }
  std::size_t finished() const { return done_; }
  /// "2 running, 11 waiting, 3 of 16 done, about 4 min left"; "" before begin().
  std::string line();
  /// Seconds until the end, an estimate from history, made at most once a second; nullopt where history tells nothing.
  std::optional<double> seconds_left();

 private:
  enum class State { not_run, waiting, running, ended };
  struct Task {
    State state = State::not_run;
    double seconds = 0;  // it takes; 0: not known
    Clock::time_point begin;
    std::optional<double> left;  // as it was told
    Clock::time_point told;
  };

  Task* find(const plan::TaskSpec& spec);
  void leave(const plan::TaskSpec& spec, State state);
  double left_of(const Task& task) const;

  const plan::Plan* plan_ = nullptr;
  std::vector<Task> tasks_;  // as in the plan
  std::size_t total_ = 0, running_ = 0, waiting_ = 0, done_ = 0, failed_ = 0, blocked_ = 0, stopped_ = 0;
  Clock::time_point forecast_made_;
  std::optional<double> forecast_;
};

}  // namespace bgw::cli
