#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/artifacts/artifact.h"
#include "runtime/engine/task.h"

namespace bgw::engine {

struct TaskStatus;

/// A child task has begun.
struct TaskStarted {
  int cpus = 1;
  std::optional<double> checkpoint_age;  // seconds; there when the task goes on from a checkpoint
  std::vector<std::string> gpus = {};    // those it has for itself, as CUDA_VISIBLE_DEVICES names them
};

/// A task has its result.
struct TaskFinished {
  artifacts::Cost cost;                    // of all attempts; zero for inline tasks
  std::vector<artifacts::Result> results;  // empty for inline tasks
  bool by_another_run = false;             // another run made it while this one waited
  double peak_memory = 0;                  // bytes, of the last attempt; 0 when not known
};

/// A task has no result.
struct TaskFailed {
  std::string cause;  // one of those that policy.h names
  std::string message;
  std::vector<std::string> last_log_lines = {};  // at most 20
  std::filesystem::path log = {};                // empty for inline tasks
  int attempts = 1;                              // made in this run
};

/// A task failed and will be tried again.
struct TaskWaiting {
  std::string cause;
  std::string message;
  double seconds = 0;  // until then
  int attempt = 2;     // the one that follows, of those that count
  int attempts = 2;    // that it may make
};

/// What keeps a task from running.
struct Obstacle {
  std::string name;         // of the task that failed, or of the `require` that does not hold
  bool is_require = false;
};

/// Who else works on a task.
struct ClaimOwner {
  int pid = 0;
  std::string host;
  std::string since;    // local time, "12:04"; empty when unknown
  double seconds = 0;   // since then
  bool gone = false;    // of this machine and no longer alive: a task process that it left is about to stop
};

/// Hears what a run does. All calls come from one thread, one after another; they should be quick, because the run
/// waits for them. Override what you want to show.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void run_started(std::size_t /*cached*/, std::size_t /*to_run*/) {}
  /// Comes with run_started: what the run has to do, one entry a task of the plan; both outlive the run.
  virtual void run_planned(const plan::Plan&, const std::vector<TaskStatus>&) {}
  virtual void task_started(const plan::TaskSpec&, const TaskStarted&) {}
  /// The child has found a state to go on from; comes after task_started.
  virtual void task_resumed(const plan::TaskSpec&, const Resumption&) {}
  virtual void task_progress(const plan::TaskSpec&, const Progress&) {}
  virtual void task_finished(const plan::TaskSpec&, const TaskFinished&) {}
  virtual void task_failed(const plan::TaskSpec&, const TaskFailed&) {}
  /// The task failed and is tried again.
  virtual void task_waiting(const plan::TaskSpec&, const TaskWaiting&) {}
  /// A running task has told no progress for so many seconds; it is left alone.
  virtual void task_silent(const plan::TaskSpec&, double /*seconds*/) {}
  /// The task ended because the run is being ended: it saved its state, or was killed before it could.
  virtual void task_stopped(const plan::TaskSpec&, bool /*saved*/) {}
  /// The task cannot run because of another.
  virtual void task_blocked(const plan::TaskSpec&, const Obstacle&) {}
  /// "attached: bg is being run by pid 4121 on vm (since 12:04)".
  virtual void attached(const plan::TaskSpec&, const ClaimOwner&) {}
  /// The task is given up because another run holds it and this one may not wait.
  virtual void held_elsewhere(const plan::TaskSpec&, const ClaimOwner&) {}
  /// The first signal came: `running` child tasks are saving their state.
  virtual void stopping(std::size_t /*running*/) {}
  /// Anything else worth a line: a damaged object moved aside, a full disk.
  virtual void notice(const std::string&) {}
};

}  // namespace bgw::engine
