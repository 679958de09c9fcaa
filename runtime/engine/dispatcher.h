#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "runtime/engine/claim.h"
#include "runtime/engine/executor.h"
#include "runtime/engine/policy.h"
#include "runtime/engine/process.h"
#include "runtime/engine/progress_file.h"
#include "runtime/engine/schedule.h"

namespace bgw::engine {

/// What a task of a run hands to its dependents along the edges of the graph.
struct Arrival {
  Outcome outcome = Outcome::done;
  std::size_t task = 0;  // whose outcome it is; for a blocked task the one that failed
  std::optional<std::size_t> check;  // the `require` that blocks, if that is why
};

/// The one thread that decides: it admits tasks, starts children, watches them, hears signals, tells the observer and
/// writes the history. It waits in epoll for children (pidfds), signals (signalfd), messages of other threads
/// (eventfd) and a clock (timerfd), and never for anything else.
///
/// Free of TBB: the graph comes in as submit() and goes out as the `answer` of each task.
class Dispatcher {
 public:
  using Answer = std::function<void(Outcome)>;
  /// Runs a function on another thread, soon.
  using Enqueue = std::function<void(std::function<void()>)>;

  struct Assignment {
    const plan::Plan& plan;
    store::Cache& cache;
    const RunOptions& options;
    Observer& observer;
    std::int64_t run = 0;
    std::vector<bool> forced;               // made again though their results are there
    std::vector<double> remaining_seconds;  // longest path behind each task
    std::size_t tasks = 0;                  // how many will be submitted
  };

  /// SIGINT, SIGTERM and SIGHUP must be blocked in all threads by now.
  Dispatcher(Assignment assignment, Enqueue enqueue);
  /// Waits for the thread.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// From any thread: the inputs of a task have their outcomes, `worst` is the worst of them.
  void submit(std::size_t task, Arrival worst, Answer answer);
  /// Waits until every task has been answered; throws what broke the dispatcher itself, if anything did.
  void wait();

  // after wait():
  const std::vector<Outcome>& outcomes() const { return outcomes_; }
  int stop_signal() const { return stop_signal_; }
  bool disk_is_full() const { return disk_full_; }
  bool others_hold_work() const { return others_hold_work_; }

 private:
  using SteadyClock = std::chrono::steady_clock;

  struct Running {
    std::size_t task = 0;
    int cpus = 1;
    ChildProcess child;
    Claim claim;
    ProgressReader progress;
    std::int64_t attempt = 0;
    SteadyClock::time_point begin;
    Policy policy;
    bool out_of_time = false;  // told to stop because its walltime is over
  };
  // Failures of a task in this run; the first one is what the user hears of.
  struct Failures {
    TaskFailed first;
    std::vector<SteadyClock::time_point> times;
  };

  const plan::TaskSpec& spec(std::size_t task) const { return work_.plan.tasks[task]; }
  std::filesystem::path work_directory(std::size_t task) const { return work_.cache.layout().work(spec(task).key); }

  void post(std::function<void()> message);
  void loop();
  void serve();
  void handle_event(int descriptor);
  void take_messages();
  void hear_signal();
  void tick();
  void hear(Running& running);
  void break_off(std::exception_ptr cause);

  void receive(std::size_t task, const Arrival& worst, Answer answer);
  void queue_child(std::size_t task);
  void admit();
  /// False when it holds no cpus: another run works on it, or has done it.
  bool start(const Admission::Start& next);
  void launch(const Admission::Start& next, Claim claim);
  void run_inline(std::size_t task);
  void inline_ended(std::size_t task, std::optional<schema::Value> value, double seconds, const TaskFailed& failure);
  void enter_inline_results();
  void child_ended(Running& running);
  void child_succeeded(Running& running);
  void child_failed(Running& running, TaskFailed failure, int exit_code);
  bool may_retry(const Running& running, const TaskFailed& failure);
  void end_overlong_children();
  void poll_attached();

  bool admits() const { return stop_signal_ == 0 && !disk_full_ && !failed_fast_ && !broken_; }
  bool is_forced(std::size_t task) const { return work_.forced[task]; }
  void stop_waiting_tasks();
  void answer(std::size_t task, Outcome outcome);
  void finish_by_another(std::size_t task);
  void fail(std::size_t task, TaskFailed failure);
  void end_attempt(const Running& running, const store::AttemptRecord& record);
  void in_history(const std::function<void(store::Records&)>& write);

  Assignment work_;
  Enqueue enqueue_;
  store::Descriptor epoll_;
  store::Descriptor signals_;
  store::Descriptor bell_;
  store::Descriptor clock_;

  std::mutex mutex_;
  std::vector<std::function<void()>> messages_;

  Admission admission_;
  std::map<int, Running> running_;         // by pidfd
  std::map<std::size_t, Claim> held_;      // claims of tasks that wait for cpus
  std::map<std::size_t, Failures> failures_;
  std::list<std::size_t> attached_;        // tasks another run works on
  std::vector<store::InlineResult> inline_results_;  // made and not yet entered
  std::unordered_map<std::size_t, Answer> answers_;  // of tasks not yet answered
  std::vector<Outcome> outcomes_;
  std::size_t answered_ = 0;
  int stop_signal_ = 0;
  SteadyClock::time_point stop_asked_;
  bool disk_full_ = false;
  bool others_hold_work_ = false;
  bool failed_fast_ = false;
  std::exception_ptr broken_;
  std::thread thread_;
};

}  // namespace bgw::engine
