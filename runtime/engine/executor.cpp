// The tasks of a run are a oneTBB flow graph: one async_node a task. A node's body hands its task to the dispatcher and
// returns at once; the dispatcher answers through the node's gateway. So no worker ever waits for a child, and outcomes,
// not exceptions, travel along the edges: siblings of a failed task go on. The only file that includes TBB.
#include "runtime/engine/executor.h"

#include <fmt/format.h>
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <mutex>

#include "runtime/engine/claim.h"
#include "runtime/engine/dispatcher.h"
#include "runtime/engine/explain.h"
#include "runtime/engine/policy.h"
#include "runtime/engine/program_identity.h"
#include "runtime/engine/schedule.h"
#include "runtime/foundation/errors.h"

namespace bgw::engine {
namespace {

using TaskNode = tbb::flow::async_node<Arrival, Arrival>;

// Blocks the signals that end a run in this thread and in those it makes; the dispatcher reads them from a signalfd.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

bool is_worse(Outcome a, Outcome b) { return static_cast<int>(a) > static_cast<int>(b); }

// A node waits for as many arrivals as it has predecessors and remembers the worst.
class Gate {
 public:
  explicit Gate(std::size_t arrivals) : missing_(arrivals) {}
  /// True for the last arrival; `worst` is complete then.
  bool arrive(const Arrival& arrival) {
    const std::lock_guard guard(mutex_);
    if (is_worse(arrival.outcome, worst_.outcome)) worst_ = arrival;
    return --missing_ == 0;
  }
  const Arrival& worst() const { return worst_; }

 private:
  std::mutex mutex_;
  std::size_t missing_;
  Arrival worst_;
};

// The graph of the tasks to run, fed and drained by a dispatcher.
class TaskGraph {
 public:
  TaskGraph(const plan::Plan& plan, const std::vector<bool>& to_run, Dispatcher& dispatcher) : nodes_(plan.tasks.size()) {
    for (std::size_t task = 0; task < plan.tasks.size(); ++task) {
      if (!to_run[task]) continue;
      const std::vector<std::size_t> before = predecessors(plan, task, to_run);
      const auto gate = std::make_shared<Gate>(std::max<std::size_t>(1, before.size()));
      nodes_[task] = make_node(task, gate, dispatcher);
      for (const std::size_t earlier : before) tbb::flow::make_edge(*nodes_[earlier], *nodes_[task]);
      if (before.empty()) sources_.push_back(task);
    }
  }
  void run() {
    for (const std::size_t task : sources_) nodes_[task]->try_put(Arrival{});
    graph_.wait_for_all();
  }

 private:
  std::unique_ptr<TaskNode> make_node(std::size_t task, const std::shared_ptr<Gate>& gate, Dispatcher& dispatcher) {
    return std::make_unique<TaskNode>(
        graph_, tbb::flow::unlimited, [task, gate, &dispatcher](const Arrival& arrival, TaskNode::gateway_type& gateway) {
          if (!gate->arrive(arrival)) return;
          gateway.reserve_wait();
          const Arrival worst = gate->worst();
          dispatcher.submit(task, worst, [task, worst, &gateway](Outcome outcome) {
            gateway.try_put(Arrival{outcome, outcome == Outcome::blocked ? worst.task : task});
            gateway.release_wait();
          });
        });
  }

  tbb::flow::graph graph_;
  std::vector<std::unique_ptr<TaskNode>> nodes_;
  std::vector<std::size_t> sources_;
};

void check_all_resources(const plan::Plan& plan, const std::vector<TaskStatus>& statuses, const Machine& machine) {
  for (std::size_t task = 0; task < statuses.size(); ++task) {
    if (statuses[task].needed && !statuses[task].cached) check_resources(plan.tasks[task], machine);
  }
}

// A controller that was killed after its child had published left the work directory and may have left no rows.
void finish_what_was_left(const plan::TaskSpec& spec, store::Cache& cache) {
  const std::filesystem::path work = cache.layout().work(spec.key);
  std::error_code ignored;
  if (!std::filesystem::exists(work, ignored)) return;
  const std::optional<Claim> claim = Claim::try_take(work);
  if (!claim) return;  // its run is still at it
  cache.records().put_object(cache.objects().manifest(spec.key), cache.objects().stamp(spec.key));
  std::filesystem::remove_all(work, ignored);
}

// Objects behind the wanted tasks are read once and compared with their checksums: a damaged one counts as absent.
void inspect_objects(const plan::Plan& plan, const std::vector<std::size_t>& wanted, store::Cache& cache, Observer& observer) {
  std::vector<bool> behind(plan.tasks.size());
  for (const std::size_t task : wanted) behind.at(task) = true;
  for (std::size_t task = plan.tasks.size(); task-- > 0;) {
    if (!behind[task]) continue;
    for (const plan::TaskInput& input : plan.tasks[task].inputs) behind[input.task] = true;
    const plan::TaskSpec& spec = plan.tasks[task];
    if (spec.placement != plan::Placement::child) continue;
    const store::ObjectState state = cache.objects().verify(spec.key);
    if (state == store::ObjectState::sound) finish_what_was_left(spec, cache);
    if (state != store::ObjectState::damaged) continue;
    const std::optional<std::filesystem::path> where = cache.objects().set_aside(spec.key);
    if (!where) continue;  // another run saw it too and moved it
    cache.records().forget_object(spec.key);
    observer.notice(fmt::format("the object of {} ({}) is damaged; it was moved to {} and is made again", spec.name,
                                spec.key.short_hex(), where->string()));
  }
}

std::vector<std::size_t> needed_tasks(const std::vector<TaskStatus>& statuses) {
  std::vector<std::size_t> tasks;
  for (std::size_t task = 0; task < statuses.size(); ++task) {
    if (statuses[task].needed) tasks.push_back(task);
  }
  return tasks;
}

std::int64_t record_plan(const plan::Plan& plan, const std::vector<TaskStatus>& statuses, store::Records& records,
                         const RunOptions& options) {
  const std::int64_t run = records.begin_run({program_identity(plan), plan.program_sha256, options.command_line, plan.overridden, options.target});
  const std::vector<std::size_t> tasks = needed_tasks(statuses);
  std::vector<std::string> reasons;
  for (const std::size_t task : tasks) reasons.push_back(statuses[task].cached ? "cached" : statuses[task].reason);
  records.plan_tasks(run, plan, tasks, reasons);
  return run;
}

std::vector<double> estimates(const std::vector<TaskStatus>& statuses) {
  std::vector<double> seconds;
  for (const TaskStatus& status : statuses) seconds.push_back(status.estimated_seconds.value_or(1.0));
  return seconds;
}

// Runs the tasks to run; gives what became of them and the exit code.
RunSummary run_graph(const plan::Plan& plan, const std::vector<TaskStatus>& statuses, store::Cache& cache,
                     const RunOptions& options, Observer& observer, std::int64_t run) {
  std::vector<bool> to_run;
  for (const TaskStatus& status : statuses) to_run.push_back(status.needed && !status.cached);
  const auto tasks = static_cast<std::size_t>(std::count(to_run.begin(), to_run.end(), true));
  RunSummary summary;
  if (tasks > 0) {
    const SignalsBlocked blocked;
    // One thread waits for the graph, one more keeps inline tasks going; children have the cpus for themselves.
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(std::max(2, options.cpus)));
    tbb::task_arena arena;
    Dispatcher dispatcher({plan, cache, options, observer, run, remaining_path(plan, to_run, estimates(statuses)), tasks},
                          [&arena](std::function<void()> work) { arena.enqueue(std::move(work)); });
    TaskGraph graph(plan, to_run, dispatcher);  // outlives the dispatcher's thread, which answers into it
    graph.run();
    dispatcher.wait();
    summary.outcomes = dispatcher.outcomes();
    if (dispatcher.others_hold_work()) summary.exit_code = 7;
    if (summary.count(Outcome::failed) > 0) summary.exit_code = 4;
    if (dispatcher.disk_is_full()) summary.exit_code = 6;
    if (dispatcher.stop_signal() != 0) summary.exit_code = 128 + dispatcher.stop_signal();
  }
  summary.outcomes.resize(plan.tasks.size(), Outcome::not_needed);
  for (std::size_t task = 0; task < statuses.size(); ++task) {
    if (statuses[task].needed && statuses[task].cached) summary.outcomes[task] = Outcome::cached;
  }
  return summary;
}

}  // namespace

std::size_t RunSummary::count(Outcome outcome) const {
  return static_cast<std::size_t>(std::count(outcomes.begin(), outcomes.end(), outcome));
}

RunSummary run(const plan::Plan& plan, const std::vector<std::size_t>& wanted, store::Cache& cache, const RunOptions& options,
               Observer& observer) {
  inspect_objects(plan, wanted, cache, observer);
  const std::vector<TaskStatus> statuses = explain(plan, wanted, cache);
  check_all_resources(plan, statuses, {options.cpus, physical_memory()});
  const std::int64_t run = record_plan(plan, statuses, cache.records(), options);
  const auto is_cached = [](const TaskStatus& status) { return status.needed && status.cached; };
  const auto cached = static_cast<std::size_t>(std::count_if(statuses.begin(), statuses.end(), is_cached));
  observer.run_started(cached, needed_tasks(statuses).size() - cached);
  const RunSummary summary = run_graph(plan, statuses, cache, options, observer, run);
  try {
    cache.records().end_run(run, summary.exit_code);
  } catch (const StoreError& error) {  // the results are there all the same
    observer.notice(fmt::format("the history could not be written: {}", error.what()));
  }
  return summary;
}

}  // namespace bgw::engine
