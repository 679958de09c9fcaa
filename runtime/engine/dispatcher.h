#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "runtime/engine/admission.h"
#include "runtime/engine/attached_tasks.h"
#include "runtime/engine/claim.h"
#include "runtime/engine/executor.h"
#include "runtime/engine/retry_book.h"
#include "runtime/engine/running_child.h"
#include "runtime/engine/wakeups.h"

namespace bgw::engine {

/// What a task of a run hands to its dependents along the edges of the graph.
struct Arrival {
  Outcome outcome = Outcome::done;
  std::size_t task = 0;  // whose outcome it is; for a blocked task the one that failed
  std::optional<std::size_t> check;  // the `require` that blocks, if that is why
};

/// The one thread that decides: it admits tasks, starts children, watches them, hears signals, tells the observer and
/// writes the history. It sleeps in Wakeups and never anywhere else.
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
    Machine machine;
    Observer& observer;
    std::int64_t run = 0;
    std::vector<bool> forced;               // made again though their results are there
    std::vector<double> remaining_seconds;  // longest path behind each task
    std::size_t tasks = 0;                  // how many will be submitted
  };

  /// The signals of stop_signals() must be blocked in all threads by now.
  Dispatcher(Assignment assignment, Enqueue enqueue);
  /// Waits for the thread.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// From any thread: the inputs of a task have their outcomes, `worst` is the worst of them.
  void submit(std::size_t task, Arrival worst, Answer answer);
  /// From any thread, once: all tasks that wait for no other are submitted. Nothing is admitted before.
  void open();
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
    RunningChild child;
    Claim claim;
    std::int64_t attempt = 0;
  };

  const plan::TaskSpec& spec(std::size_t task) const { return work_.plan.tasks[task]; }
  std::filesystem::path work_directory(std::size_t task) const { return work_.cache.layout().work(spec(task).key); }

  void post(std::function<void()> message);
  void loop();
  void serve();
  void handle(const Wakeups::Event& event);
  void take_messages();
  void hear_signals();
  void tick();
  void hear(Running& running, SteadyClock::time_point now);
  void break_off(std::exception_ptr cause);

  void receive(std::size_t task, const Arrival& worst, Answer answer);
  void queue_child(std::size_t task);
  void admit();
  /// False when nothing was started: another run works on it, or has done it.
  bool start(const Admission::Start& next);
  std::optional<Claim> take_claim(std::size_t task);
  void leave_to_its_owner(std::size_t task);
  void launch(const Admission::Start& next, Claim claim);
  std::int64_t begin_attempt(const Admission::Start& next);
  void run_inline(std::size_t task);
  void inline_ended(std::size_t task, std::optional<schema::Value> value, double seconds, const TaskFailed& failure);
  void enter_inline_results();

  void child_ended(Running& running);
  void child_stopped(Running& running, const RunningChild::End& end);
  /// What its process has made, if it has; throws StoreError when that cannot be read, or is damaged.
  std::optional<store::Manifest> made_by(const Running& running, const RunningChild::End& end) const;
  void child_succeeded(Running& running, const RunningChild::End& end, const store::Manifest& made);
  void child_failed(Running& running, const RunningChild::End& end, const TaskFailed& failure);
  void try_again(Running& running, const TaskFailed& failure, const RetryBook::Next& next);
  void end_attempt(const Running& running, const RunningChild::End& end, const std::string& state, const TaskFailed& failure = {});

  void queue_those_due();
  void take_up_freed_tasks();
  void take_up(AttachedTasks::Freed& freed);
  void hold(std::size_t task, Claim claim);

  bool admits() const { return stop_signal_ == 0 && !disk_full_ && !failed_fast_ && !broken_; }
  /// Its result is there, and good enough.
  bool is_made(std::size_t task) const;
  void stop_waiting_tasks();
  void answer(std::size_t task, Outcome outcome);
  void finish_by_another(std::size_t task);
  void fail(std::size_t task, const TaskFailed& failure);
  void distrust_inputs(std::size_t task);
  void in_history(const std::function<void(store::Records&)>& write);

  Assignment work_;
  Enqueue enqueue_;
  Wakeups wakeups_;

  std::mutex mutex_;
  std::vector<std::function<void()>> messages_;

  Admission admission_;
  AttachedTasks attached_;
  RetryBook book_;
  std::map<int, Running> running_;                             // by pidfd
  std::multimap<SteadyClock::time_point, std::size_t> later_;  // tasks to be tried again, by when
  std::map<std::size_t, Claim> held_;                          // claims of tasks that wait
  std::vector<store::InlineResult> inline_results_;            // made and not yet entered
  std::unordered_map<std::size_t, Answer> answers_;            // of tasks not yet answered
  std::vector<Outcome> outcomes_;
  std::size_t answered_ = 0;
  bool open_ = false;
  std::size_t inline_running_ = 0;
  int stop_signal_ = 0;
  SteadyClock::time_point stop_asked_;
  bool disk_full_ = false;
  bool others_hold_work_ = false;
  bool failed_fast_ = false;
  std::exception_ptr broken_;
  std::thread thread_;
};

}  // namespace bgw::engine
