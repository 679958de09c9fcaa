// The tasks of a run are a oneTBB flow graph: one async_node a task. A node's body hands its task to the dispatcher and
// returns at once; the dispatcher answers through the node's gateway. So no worker ever waits for a child, and outcomes,
// not exceptions, travel along the edges: siblings of a failed task go on. The only file that includes TBB.
#include "runtime/engine/executor.h"

#include <fmt/format.h>
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "runtime/engine/checkpoints.h"
#include "runtime/engine/claim.h"
#include "runtime/engine/dispatcher.h"
#include "runtime/engine/explain.h"
#include "runtime/engine/policy.h"
#include "runtime/engine/program_identity.h"
#include "runtime/engine/schedule.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/use_lock.h"

namespace bgw::engine {
namespace {

using TaskNode = tbb::flow::async_node<Arrival, Arrival>;

// Blocks the signals that end a run in this thread and in those it makes; the dispatcher reads them from a signalfd.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    const sigset_t signals = stop_signals();
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

// The `require`s that stand before tasks: a task that reads a result which a `require` has judged runs only when it
// holds, unless the `require` reads that task, too. Each is judged once, when the first task behind it is ready.
class Gates {
 public:
  Gates(const plan::Plan& plan, const std::vector<bool>& to_run, const RunOptions& options, store::Cache& cache)
      : plan_(plan), options_(options), cache_(cache) {
    for (const std::size_t check : options.gates) {
      std::vector<std::size_t> judged;
      for (const plan::TaskInput& input : plan.checks[check].inputs) judged.push_back(input.task);
      const std::vector<bool> before = with_all_inputs(plan, judged);
      for (std::size_t task = 0; task < plan.tasks.size(); ++task) {
        const auto reads_judged = [&](const plan::TaskInput& input) {
          return std::find(judged.begin(), judged.end(), input.task) != judged.end();
        };
        const std::vector<plan::TaskInput>& inputs = plan.tasks[task].inputs;
        if (to_run[task] && !before[task] && std::any_of(inputs.begin(), inputs.end(), reads_judged)) of_task_[task].push_back(check);
      }
    }
    if (!of_task_.empty()) open_circles(to_run);
  }
  // Tasks that have to end before the gates of `task` can be judged.
  void add_predecessors(std::size_t task, const std::vector<bool>& to_run, std::vector<std::size_t>& before) const {
    const auto found = of_task_.find(task);
    if (found == of_task_.end()) return;
    for (const std::size_t check : found->second) {
      for (const plan::TaskInput& input : plan_.checks[check].inputs) {
        if (to_run[input.task] && std::find(before.begin(), before.end(), input.task) == before.end()) before.push_back(input.task);
      }
    }
  }
  // The first gate of `task` that is shut.
  std::optional<std::size_t> shut(std::size_t task) {
    const auto found = of_task_.find(task);
    if (found == of_task_.end()) return std::nullopt;
    const std::lock_guard guard(mutex_);
    for (const std::size_t check : found->second) {
      const auto [verdict, is_new] = holds_.try_emplace(check, false);
      if (is_new) verdict->second = judge(plan_.checks[check]);
      if (!verdict->second) return check;
    }
    return std::nullopt;
  }

 private:
  // Of two `require`s each may read what lies behind the other; nobody could go first then. The task that comes first in
  // the plan goes ahead of those gates that would wait for it.
  void open_circles(const std::vector<bool>& to_run) {
    const std::size_t count = plan_.tasks.size();
    std::vector<std::vector<std::size_t>> behind(count);
    std::vector<std::size_t> missing(count);
    std::vector<std::size_t> ready;
    for (std::size_t task = 0; task < count; ++task) {
      if (!to_run[task]) continue;
      std::vector<std::size_t> before = predecessors(plan_, task, to_run);
      add_predecessors(task, to_run, before);
      missing[task] = before.size();
      for (const std::size_t earlier : before) behind[earlier].push_back(task);
      if (before.empty()) ready.push_back(task);
    }
    std::vector<bool> done(count);
    const auto go_through_ready = [&] {
      while (!ready.empty()) {
        const std::size_t task = ready.back();
        ready.pop_back();
        done[task] = true;
        for (const std::size_t later : behind[task]) {
          if (missing[later] > 0 && --missing[later] == 0) ready.push_back(later);
        }
      }
    };
    go_through_ready();
    for (std::size_t task = 0; task < count; ++task) {  // the first that is left over waits for gates alone
      if (!to_run[task] || done[task]) continue;
      const auto waits = [&](const plan::TaskInput& input) { return to_run[input.task] && !done[input.task]; };
      std::erase_if(of_task_[task], [&](std::size_t check) {
        const std::vector<plan::TaskInput>& inputs = plan_.checks[check].inputs;
        return std::any_of(inputs.begin(), inputs.end(), waits);
      });
      missing[task] = 0;
      ready.push_back(task);
      go_through_ready();
    }
  }

  // A condition that has no value is none that holds; the verdicts after the run say why.
  bool judge(const plan::CheckSpec& check) const {
    try {
      return options_.gate_holds(check, TaskInputs(cache_, check.inputs));
    } catch (const std::exception&) {
      return false;
    }
  }

  const plan::Plan& plan_;
  const RunOptions& options_;
  store::Cache& cache_;
  std::map<std::size_t, std::vector<std::size_t>> of_task_;
  std::mutex mutex_;
  std::map<std::size_t, bool> holds_;
};

// The graph of the tasks to run, fed and drained by a dispatcher.
class TaskGraph {
 public:
  TaskGraph(const plan::Plan& plan, const std::vector<bool>& to_run, Gates& gates, Dispatcher& dispatcher)
      : nodes_(plan.tasks.size()) {
    std::vector<std::pair<std::size_t, std::size_t>> edges;
    for (std::size_t task = 0; task < plan.tasks.size(); ++task) {
      if (!to_run[task]) continue;
      std::vector<std::size_t> before = predecessors(plan, task, to_run);
      gates.add_predecessors(task, to_run, before);
      const auto gate = std::make_shared<Gate>(std::max<std::size_t>(1, before.size()));
      nodes_[task] = make_node(task, before.empty(), gate, gates, dispatcher);
      if (before.empty()) sources_.push_back(task);
      for (const std::size_t earlier : before) edges.emplace_back(earlier, task);
    }
    // When all nodes are there: a `require` may make a task wait for one that comes later in the plan.
    for (const auto& [earlier, task] : edges) tbb::flow::make_edge(*nodes_[earlier], *nodes_[task]);
  }
  void run() {
    sources_to_come_ = sources_.size();
    for (const std::size_t task : sources_) nodes_[task]->try_put(Arrival{});
    graph_.wait_for_all();
  }

 private:
  std::unique_ptr<TaskNode> make_node(std::size_t task, bool is_source, const std::shared_ptr<Gate>& gate, Gates& gates,
                                      Dispatcher& dispatcher) {
    return std::make_unique<TaskNode>(
        graph_, tbb::flow::unlimited, [this, task, is_source, gate, &gates, &dispatcher](const Arrival& arrival, TaskNode::gateway_type& gateway) {
          if (!gate->arrive(arrival)) return;
          gateway.reserve_wait();
          Arrival worst = gate->worst();
          if (worst.outcome == Outcome::done) {
            if (const std::optional<std::size_t> check = gates.shut(task)) worst = {Outcome::blocked, task, check};
          }
          dispatcher.submit(task, worst, [task, worst, &gateway](Outcome outcome) {
            gateway.try_put(outcome == Outcome::blocked ? Arrival{outcome, worst.task, worst.check} : Arrival{outcome, task, {}});
            gateway.release_wait();
          });
          if (is_source && --sources_to_come_ == 0) dispatcher.open();
        });
  }

  tbb::flow::graph graph_;
  std::vector<std::unique_ptr<TaskNode>> nodes_;
  std::vector<std::size_t> sources_;
  std::atomic<std::size_t> sources_to_come_ = 0;
};

void check_all_resources(const plan::Plan& plan, const std::vector<TaskStatus>& statuses, const Machine& machine) {
  for (std::size_t task = 0; task < statuses.size(); ++task) {
    if (statuses[task].needed && !statuses[task].cached) check_resources(plan.tasks[task], machine);
  }
}

// A controller that was killed after its child had published left the work directory and may have left no rows.
void finish_what_was_left(const plan::TaskSpec& spec, store::Cache& cache) {
  const std::filesystem::path work = cache.layout().work(spec.key);
  const std::optional<Claim> claim = Claim::try_take(work);
  if (!claim) return;  // its run is still at it
  cache.records().put_object(cache.objects().manifest(spec.key), cache.objects().stamp(spec.key));
  cache.records().end_abandoned_attempts(spec.key, cache.objects().manifest(spec.key).provenance.ended);
  clear_work(work);
}

std::set<std::string> names_in(const std::filesystem::path& directory) {
  std::set<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) names.insert(entry.path().filename().string());
  return names;
}

void set_aside(const plan::TaskSpec& spec, store::Cache& cache, Observer& observer) {
  const std::optional<std::filesystem::path> where = cache.objects().set_aside(spec.key);
  if (!where) return;  // another run saw it too and moved it
  cache.records().forget_object(spec.key);
  observer.notice(fmt::format("the object of {} ({}) is damaged; it was moved to {} and is made again", spec.name,
                              spec.key.short_hex(), where->string()));
}

// What is there behind the wanted tasks. Objects that somebody wrote to since they were found sound, or that nobody looked
// at yet, are read once and compared with their checksums: a damaged one is moved aside and counts as absent. What a disk
// changes by itself is found when a task loads the object, and by `bgw cache verify`.
std::vector<store::ObjectState> inspect_results(const plan::Plan& plan, const std::vector<std::size_t>& wanted, store::Cache& cache,
                                                Observer& observer) {
  std::vector<store::ObjectState> results = results_behind(plan, wanted, cache);
  const std::set<std::string> in_work = names_in(cache.layout().work());
  for (std::size_t task = 0; task < results.size(); ++task) {
    const plan::TaskSpec& spec = plan.tasks[task];
    if (results[task] == store::ObjectState::absent || spec.placement != plan::Placement::child) continue;
    if (results[task] != store::ObjectState::untouched) {
      const std::string stamp = cache.objects().stamp(spec.key);
      results[task] = cache.objects().verify(spec.key);
      if (results[task] == store::ObjectState::sound) cache.records().put_object(cache.objects().manifest(spec.key), stamp);
    }
    if (results[task] == store::ObjectState::damaged) {
      set_aside(spec, cache, observer);
      results[task] = store::ObjectState::absent;
    } else if (in_work.contains(spec.key.hex())) {
      finish_what_was_left(spec, cache);
    }
  }
  return results;
}

bool children_are_needed(const plan::Plan& plan, const std::vector<TaskStatus>& statuses) {
  for (std::size_t task = 0; task < statuses.size(); ++task) {
    const TaskStatus& status = statuses[task];
    if (status.needed && !status.cached && plan.tasks[task].placement == plan::Placement::child) return true;
  }
  return false;
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
  for (const std::size_t task : tasks) reasons.push_back(statuses[task].cached ? store::kCached : statuses[task].reason);
  records.plan_tasks(run, plan, tasks, reasons);
  return run;
}

std::vector<double> estimates(const std::vector<TaskStatus>& statuses) {
  std::vector<double> seconds;
  for (const TaskStatus& status : statuses) seconds.push_back(status.estimated_seconds.value_or(1.0));
  return seconds;
}

Machine machine_for(const RunOptions& options) {
  Machine machine = options.machine ? *options.machine : this_machine();
  machine.cpus = options.cpus;
  return machine;
}

// Runs the tasks to run; gives what became of them and the exit code.
RunSummary run_graph(const plan::Plan& plan, const std::vector<TaskStatus>& statuses, store::Cache& cache,
                     const RunOptions& options, const Machine& machine, Observer& observer, std::int64_t run) {
  std::vector<bool> to_run;
  std::vector<bool> forced;
  for (const TaskStatus& status : statuses) {
    to_run.push_back(status.needed && !status.cached);
    forced.push_back(status.forced);
  }
  const auto tasks = static_cast<std::size_t>(std::count(to_run.begin(), to_run.end(), true));
  RunSummary summary;
  if (tasks > 0) {
    // One thread waits for the graph, one more keeps inline tasks going; children have the cpus for themselves.
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(std::max(2, options.cpus)));
    tbb::task_arena arena;
    Dispatcher dispatcher({plan, cache, options, machine, observer, run, forced, remaining_path(plan, to_run, estimates(statuses)), tasks},
                          [&arena](std::function<void()> work) { arena.enqueue(std::move(work)); });
    Gates gates(plan, to_run, options, cache);
    TaskGraph graph(plan, to_run, gates, dispatcher);  // outlives the dispatcher's thread, which answers into it
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

// The row of a run that throws gets its end, too; what is thrown matters more than a database that does not take it.
void end_broken_run(std::int64_t run, store::Cache& cache) {
  constexpr int kEnvironment = 6;
  try {
    cache.records().end_run(run, kEnvironment);
  } catch (const StoreError&) {
  }
}

}  // namespace

std::size_t RunSummary::count(Outcome outcome) const {
  return static_cast<std::size_t>(std::count(outcomes.begin(), outcomes.end(), outcome));
}

RunSummary run(const plan::Plan& plan, const std::vector<std::size_t>& wanted, store::Cache& cache, const RunOptions& options,
               Observer& observer) {
  // What is found now must not be taken away before the plan, which says that we count on it, is written down.
  std::optional<store::UseLock> in_use = store::UseLock::shared(cache.layout());
  const std::vector<TaskStatus> statuses =
      explain(plan, wanted, cache, options.forced, inspect_results(plan, wanted, cache, observer));
  if (options.task_program.empty() && children_are_needed(plan, statuses)) throw StoreError(options.no_task_program);
  const Machine machine = machine_for(options);
  check_all_resources(plan, statuses, machine);
  const SignalsBlocked blocked;  // from the first row on that needs an end
  const std::int64_t run = record_plan(plan, statuses, cache.records(), options);
  in_use.reset();
  const auto is_cached = [](const TaskStatus& status) { return status.needed && status.cached; };
  const auto cached = static_cast<std::size_t>(std::count_if(statuses.begin(), statuses.end(), is_cached));
  RunSummary summary;
  try {
    observer.run_started(cached, needed_tasks(statuses).size() - cached);
    observer.run_planned(plan, statuses);
    summary = run_graph(plan, statuses, cache, options, machine, observer, run);
  } catch (...) {
    end_broken_run(run, cache);
    throw;
  }
  summary.run = run;
  summary.cached = static_cast<std::size_t>(std::count_if(statuses.begin(), statuses.end(), [](const TaskStatus& status) { return status.cached; }));
  try {
    cache.records().end_run(run, summary.exit_code);
  } catch (const StoreError& error) {  // the results are there all the same
    observer.notice(fmt::format("the history could not be written: {}", error.what()));
  }
  return summary;
}

}  // namespace bgw::engine
