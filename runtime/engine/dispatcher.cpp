#include "runtime/engine/dispatcher.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "runtime/engine/checkpoints.h"
#include "runtime/engine/child.h"
#include "runtime/engine/explain.h"
#include "runtime/engine/extension.h"
#include "runtime/engine/task_failure.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/task_json.h"

namespace bgw::engine {
namespace {

namespace fs = std::filesystem;

// Signals this close are one request: timeout(1) and some batch systems send theirs to the process and to its group.
constexpr std::chrono::milliseconds kOneAndTheSame{300};
// A claim is an open file, of which a process may have a thousand or so.
constexpr std::size_t kMostHeldClaims = 200;

schema::Value with(const schema::Value& policy, const char* name, schema::Value value) {
  schema::Map map = policy.is_map() ? policy.as_map() : schema::Map{};
  map.insert_or_assign(name, std::move(value));
  return map;
}

}  // namespace

Dispatcher::Dispatcher(Assignment assignment, Enqueue enqueue)
    : work_(std::move(assignment)),
      enqueue_(std::move(enqueue)),
      admission_(work_.machine),
      attached_([this](std::size_t task) { return work_directory(task); },
                [this](std::size_t task, const ClaimOwner& owner) { work_.observer.attached(spec(task), owner); }),
      outcomes_(work_.plan.tasks.size(), Outcome::not_needed) {
  thread_ = std::thread([this] { loop(); });
}

Dispatcher::~Dispatcher() {
  if (thread_.joinable()) thread_.join();
}

void Dispatcher::wait() {
  if (thread_.joinable()) thread_.join();
  if (broken_) std::rethrow_exception(broken_);
}

void Dispatcher::submit(std::size_t task, Arrival worst, Answer answer) {
  post([this, task, worst, answer = std::move(answer)] { receive(task, worst, answer); });
}

void Dispatcher::open() {
  post([this] { open_ = true; });
}

void Dispatcher::post(std::function<void()> message) {
  // The bell rings under the lock: once the message can be taken, this dispatcher may be gone at any moment.
  const std::lock_guard guard(mutex_);
  messages_.push_back(std::move(message));
  wakeups_.ring();
}

// An exception that reaches this far is a broken dispatcher, not a failed task: children are killed, every task still
// open is answered so that the graph comes to its end, and wait() throws the cause. Inline tasks that are being computed
// will ring here: it does not end before they do.
void Dispatcher::loop() {
  while (answered_ < work_.tasks || inline_running_ > 0) {
    try {
      serve();
    } catch (...) {
      break_off(std::current_exception());
    }
  }
}

void Dispatcher::break_off(std::exception_ptr cause) {
  if (!broken_) broken_ = std::move(cause);
  for (const auto& [descriptor, running] : running_) running.child.signal(SIGKILL);
  for (auto& [descriptor, running] : running_) {
    const RunningChild::End end = running.child.collect_end();
    try {
      end_attempt(running, end, "lost");
    } catch (...) {  // the first cause is the one to tell
    }
  }
  running_.clear();
  later_.clear();
  held_.clear();
  attached_.withdraw_all();
  admission_.withdraw_all();
  while (!answers_.empty()) answer(answers_.begin()->first, Outcome::stopped);
  wakeups_.ring();  // the bell may have been heard and its messages not yet been taken
}

void Dispatcher::serve() {
  for (const Wakeups::Event& event : wakeups_.wait()) handle(event);
  enter_inline_results();
  admit();
}

void Dispatcher::handle(const Wakeups::Event& event) {
  if (event.kind == Wakeups::Kind::bell) return take_messages();
  if (event.kind == Wakeups::Kind::signal) return hear_signals();
  if (event.kind == Wakeups::Kind::tick) return tick();
  const auto found = running_.find(event.descriptor);
  if (found == running_.end()) return;
  Running running = std::move(found->second);
  running_.erase(found);
  wakeups_.forget(event.descriptor);
  admission_.release(running.child.share());
  child_ended(running);
}

void Dispatcher::take_messages() {
  std::vector<std::function<void()>> messages;
  {
    const std::lock_guard guard(mutex_);
    messages.swap(messages_);
  }
  for (const auto& message : messages) {
    try {
      message();
    } catch (...) {  // a task whose message is lost would never be answered
      break_off(std::current_exception());
    }
  }
}

void Dispatcher::hear_signals() {
  while (const std::optional<int> signal = wakeups_.next_signal()) {
    const bool first = stop_signal_ == 0;
    if (first) {
      stop_signal_ = *signal;
      stop_asked_ = SteadyClock::now();
      stop_waiting_tasks();
      work_.observer.stopping(running_.size());
    } else if (SteadyClock::now() - stop_asked_ < kOneAndTheSame) {
      continue;
    }
    for (const auto& [descriptor, running] : running_) running.child.signal(first ? SIGTERM : SIGKILL);
  }
}

void Dispatcher::tick() {
  const SteadyClock::time_point now = SteadyClock::now();
  for (auto& [descriptor, running] : running_) {
    hear(running, now);
    if (const auto silence = running.child.newly_silent(now, work_.options.silence)) {
      work_.observer.task_silent(spec(running.child.task()), *silence);
    }
    running.child.keep_to_walltime(now, work_.options.grace);
  }
  queue_those_due();
  take_up_freed_tasks();
}

void Dispatcher::hear(Running& running, SteadyClock::time_point now) {
  const plan::TaskSpec& task = spec(running.child.task());
  const std::optional<Progress> progress = running.child.look(now);
  for (const std::string& warning : running.child.take_warnings()) work_.observer.notice(fmt::format("{}: {}", task.name, warning));
  if (const std::optional<Resumption> resumption = running.child.take_resumption()) {
    work_.observer.task_resumed(task, *resumption);
    in_history([&](store::Records& records) { records.attempt_resumed(running.attempt, resumption->step); });
  }
  if (progress) work_.observer.task_progress(task, *progress);
}

// ---- to the start ----------------------------------------------------------------------------------------------------

void Dispatcher::receive(std::size_t task, const Arrival& worst, Answer reply) {
  answers_.emplace(task, std::move(reply));
  if (worst.outcome == Outcome::failed || worst.outcome == Outcome::blocked) {
    const bool by_require = worst.check.has_value();
    work_.observer.task_blocked(spec(task), {by_require ? work_.plan.checks[*worst.check].name : spec(worst.task).name, by_require});
    return answer(task, Outcome::blocked);
  }
  if (worst.outcome == Outcome::stopped || !admits()) return answer(task, Outcome::stopped);
  if (spec(task).placement == plan::Placement::inline_) return run_inline(task);
  queue_child(task);
}

void Dispatcher::queue_child(std::size_t task) {
  admission_.add(task, request_of(policy_of(spec(task))), work_.remaining_seconds[task]);
}

// The threads of the graph submit in any order. Were the first that comes admitted at once, another task would begin at
// each run, not the one that the ranks put first, and with fail_fast one more than the one that fails.
void Dispatcher::admit() {
  while (open_ && admits()) {
    const std::optional<Admission::Start> next = admission_.next();
    if (!next) return;
    bool running = false;
    try {
      running = start(*next);
    } catch (const StoreError&) {
      fail(next->task, failure_now());
    }
    if (!running) admission_.release(*next);
  }
}

bool Dispatcher::is_made(std::size_t task) const {
  return !work_.forced[task] && work_.cache.objects().contains(spec(task).key);
}

bool Dispatcher::start(const Admission::Start& next) {
  std::optional<Claim> claim = take_claim(next.task);
  if (!claim) {
    leave_to_its_owner(next.task);
    return false;
  }
  // Only the holder of the claim makes the object, so what is absent now stays absent until we make it.
  if (is_made(next.task)) {
    finish_by_another(next.task);
    return false;
  }
  launch(next, *std::move(claim));
  return true;
}

std::optional<Claim> Dispatcher::take_claim(std::size_t task) {
  const auto held = held_.find(task);
  if (held == held_.end()) return Claim::try_take(work_directory(task));
  std::optional<Claim> claim = std::move(held->second);
  held_.erase(held);
  return claim;
}

void Dispatcher::leave_to_its_owner(std::size_t task) {
  if (work_.options.wait) return attached_.add(task);
  others_hold_work_ = true;
  work_.observer.held_elsewhere(spec(task), claim_owner(work_directory(task)));
  answer(task, Outcome::stopped);
}

void Dispatcher::launch(const Admission::Start& next, Claim claim) {
  const fs::path work = work_directory(next.task);
  plan::TaskSpec order = spec(next.task);
  std::optional<plan::Key> extends;
  if (work_.forced[next.task]) {  // made again, from its start
    order.policy = with(order.policy, "replace", true);
  } else if (const std::optional<Extension> extension = find_extension(order, work_.cache)) {
    extends = extension->key;
  }
  store::replace_durably(work / "task.json", store::to_json(order, extends));
  const std::int64_t attempt = begin_attempt(next);
  try {
    RunningChild child(spec(next.task), work_.options.task_program, work, next, claim);
    const int descriptor = child.descriptor();
    try {
      wakeups_.watch(descriptor);
    } catch (const StoreError&) {  // nobody would hear of its end
      child.signal(SIGKILL);
      child.collect_end();
      throw;
    }
    const TaskStarted started{next.cpus, child.checkpoint_age(), next.gpus};
    running_.emplace(descriptor, Running{std::move(child), std::move(claim), attempt});
    work_.observer.task_started(spec(next.task), started);
  } catch (const StoreError&) {
    const TaskFailed failure = failure_now();
    in_history([&](store::Records& records) { records.end_attempt(attempt, {"failed", failure.cause, failure.message}); });
    throw;
  }
}

// The claim is ours, so an attempt that still counts as running is that of a controller that was killed.
std::int64_t Dispatcher::begin_attempt(const Admission::Start& next) {
  const plan::Key& key = spec(next.task).key;
  std::int64_t attempt = 0;
  in_history([&](store::Records& records) {
    records.end_abandoned_attempts(key);
    attempt = records.begin_attempt(work_.run, key, {next.cpus, fmt::format("{}", fmt::join(next.gpus, ","))});
  });
  return attempt;
}

void Dispatcher::run_inline(std::size_t task) {
  enqueue_([this, task] {
    std::optional<schema::Value> value;
    TaskFailed failure;
    const SteadyClock::time_point begin = SteadyClock::now();
    try {
      const TaskInputs inputs(work_.cache, spec(task).inputs);
      value = work_.options.inline_task(spec(task), inputs);
    } catch (...) {
      failure = failure_now();
    }
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    post([this, task, seconds, value = std::move(value), failure = std::move(failure)] { inline_ended(task, value, seconds, failure); });
  });
  ++inline_running_;
}

void Dispatcher::inline_ended(std::size_t task, std::optional<schema::Value> value, double seconds, const TaskFailed& failure) {
  --inline_running_;
  if (broken_) return;
  if (!value) return fail(task, failure);
  inline_results_.push_back({&spec(task), *std::move(value), seconds});
}

// All that ended since the last look go into one transaction: it costs as much as the rows of a hundred tasks.
void Dispatcher::enter_inline_results() {
  const std::vector<store::InlineResult> results = std::exchange(inline_results_, {});
  if (results.empty()) return;
  store::Records& records = work_.cache.records();
  bool entered = true;
  try {
    records.put_rows(work_.run, results);
  } catch (...) {
    entered = false;
  }
  for (const store::InlineResult& result : results) {
    const auto task = static_cast<std::size_t>(result.spec - work_.plan.tasks.data());
    try {
      if (!entered) records.put_rows(work_.run, {result});
    } catch (...) {  // a full disk, or a value that JSON cannot hold: the fault of this task alone
      fail(task, failure_now());
      continue;
    }
    work_.observer.task_finished(*result.spec, {});
    answer(task, Outcome::done);
  }
}

// ---- the end of a child ----------------------------------------------------------------------------------------------

void Dispatcher::child_ended(Running& running) {
  hear(running, SteadyClock::now());
  const RunningChild::End end = running.child.collect_end();
  std::optional<store::Manifest> made;
  try {
    made = made_by(running, end);
  } catch (const StoreError&) {  // the misfortune of this task, not of the run
    return child_failed(running, end, failure_now());
  }
  if (made) return child_succeeded(running, end, *made);
  if (stop_signal_ != 0 && (end.asked_to_stop || end.process.signal != 0)) return child_stopped(running, end);
  child_failed(running, end, running.child.failure(end, work_.machine.memory));
}

// The object counts, however its process ended; of a task that is made again it may be the old one.
std::optional<store::Manifest> Dispatcher::made_by(const Running& running, const RunningChild::End& end) const {
  const std::size_t task = running.child.task();
  const bool ended_well = end.process.signal == 0 && end.process.code == kTaskDone;
  if (!ended_well && work_.forced[task]) return std::nullopt;
  const store::ObjectStore& objects = work_.cache.objects();
  const store::ObjectState state = objects.quick_look(spec(task).key);
  if (state == store::ObjectState::damaged && ended_well) {
    throw StoreError(fmt::format("the object that was just made is damaged: {}; the next `bgw run` makes it again",
                                 objects.layout().object(spec(task).key).string()));
  }
  if (state != store::ObjectState::sound) return std::nullopt;
  return objects.manifest(spec(task).key);
}

void Dispatcher::child_stopped(Running& running, const RunningChild::End& end) {
  end_attempt(running, end, end.asked_to_stop ? "checkpointed" : "lost");
  work_.observer.task_stopped(spec(running.child.task()), end.asked_to_stop);
  answer(running.child.task(), Outcome::stopped);
}

void Dispatcher::child_succeeded(Running& running, const RunningChild::End& end, const store::Manifest& made) {
  const std::size_t task = running.child.task();
  work_.cache.forget_manifest(made.key);
  in_history([&](store::Records& records) { records.put_object(made, work_.cache.objects().stamp(made.key)); });
  end_attempt(running, end, "done");
  clear_work(work_directory(task));
  work_.observer.task_finished(spec(task), {made.cost, made.results, false, end.peak_memory});
  answer(task, Outcome::done);
}

void Dispatcher::child_failed(Running& running, const RunningChild::End& end, const TaskFailed& failure) {
  const std::size_t task = running.child.task();
  const bool state_saved = end.asked_to_stop && failure.cause == "preempted";
  end_attempt(running, end, state_saved ? "checkpointed" : "failed", failure);
  const auto next = book_.failed(task, running.child.policy(), failure, end.moved_on, SteadyClock::now());
  if (next && admits()) return try_again(running, failure, *next);
  fail(task, book_.told(task));
}

void Dispatcher::try_again(Running& running, const TaskFailed& failure, const RetryBook::Next& next) {
  const std::size_t task = running.child.task();
  work_.observer.task_waiting(spec(task), {failure.cause, failure.message, next.wait.count(), next.attempt, running.child.policy().attempts});
  hold(task, std::move(running.claim));
  later_.emplace(SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(next.wait), task);
  if (next.wait.count() == 0) queue_those_due();
}

void Dispatcher::end_attempt(const Running& running, const RunningChild::End& end, const std::string& state, const TaskFailed& failure) {
  store::AttemptRecord record{state, failure.cause, failure.message, end.process.code};
  record.seconds = running.child.seconds(SteadyClock::now());
  record.peak_memory = static_cast<std::int64_t>(end.peak_memory);
  in_history([&](store::Records& records) { records.end_attempt(running.attempt, record); });
}

// ---- tasks that wait -------------------------------------------------------------------------------------------------

void Dispatcher::queue_those_due() {
  const SteadyClock::time_point now = SteadyClock::now();
  while (!later_.empty() && later_.begin()->first <= now) {
    const std::size_t task = later_.begin()->second;
    later_.erase(later_.begin());
    queue_child(task);
  }
}

void Dispatcher::take_up_freed_tasks() {
  const std::size_t most = kMostHeldClaims - std::min(kMostHeldClaims, held_.size());
  for (AttachedTasks::Freed& freed : attached_.poll(most)) {
    try {
      take_up(freed);
    } catch (const StoreError&) {
      fail(freed.task, failure_now());
    }
  }
}

void Dispatcher::take_up(AttachedTasks::Freed& freed) {
  if (!admits()) return answer(freed.task, Outcome::stopped);  // one before it was the last straw
  if (freed.problem) std::rethrow_exception(freed.problem);
  if (is_made(freed.task)) return finish_by_another(freed.task);
  hold(freed.task, *std::move(freed.claim));
  queue_child(freed.task);
}

// Keeps others from a task that we will start. Of very many another run may take some, which does no harm.
void Dispatcher::hold(std::size_t task, Claim claim) {
  if (held_.size() < kMostHeldClaims) held_.emplace(task, std::move(claim));
}

// ---- ends ------------------------------------------------------------------------------------------------------------

void Dispatcher::answer(std::size_t task, Outcome outcome) {
  const auto found = answers_.find(task);
  if (found == answers_.end()) return;
  const Answer reply = std::move(found->second);
  answers_.erase(found);
  outcomes_[task] = outcome;
  ++answered_;
  reply(outcome);
}

// We hold the claim: whoever made the object has ended, and may have been killed before it could say so.
void Dispatcher::finish_by_another(std::size_t task) {
  const store::Manifest manifest = work_.cache.objects().manifest(spec(task).key);
  in_history([&](store::Records& records) {
    records.put_object(manifest, work_.cache.objects().stamp(manifest.key));
    records.end_abandoned_attempts(manifest.key, manifest.provenance.ended);
  });
  clear_work(work_directory(task));
  work_.observer.task_finished(spec(task), {manifest.cost, manifest.results, true, 0});
  answer(task, Outcome::done);
}

// What a disk changes by itself has the stamp of what was found sound: only a task that loads it meets it. The next run
// reads all that this task may have read, as the message of the task promises.
void Dispatcher::distrust_inputs(std::size_t task) {
  const std::vector<bool> behind = with_all_inputs(work_.plan, {task});
  std::vector<std::pair<plan::Key, std::string>> stamps;
  for (std::size_t input = 0; input < task; ++input) {
    if (behind[input] && spec(input).placement == plan::Placement::child) stamps.emplace_back(spec(input).key, "");
  }
  in_history([&](store::Records& records) { records.put_object_stamps(stamps); });
}

void Dispatcher::fail(std::size_t task, const TaskFailed& failure) {
  if (failure.cause == "disk" && !failure.message.starts_with("disk full")) distrust_inputs(task);
  work_.observer.task_failed(spec(task), failure);
  answer(task, Outcome::failed);
  if (work_.options.fail_fast && admits()) {
    failed_fast_ = true;
    stop_waiting_tasks();
  }
  if (!disk_full_ && failure.cause == "disk" && failure.message.starts_with("disk full")) {
    disk_full_ = true;
    work_.observer.notice("the disk is full: no further task is started; those running go on");
    stop_waiting_tasks();
  }
}

void Dispatcher::stop_waiting_tasks() {
  for (const std::size_t task : admission_.withdraw_all()) answer(task, Outcome::stopped);
  for (const std::size_t task : attached_.withdraw_all()) answer(task, Outcome::stopped);
  for (const auto& [when, task] : std::exchange(later_, {})) answer(task, Outcome::stopped);
  held_.clear();
}

// The history is worth a line when it fails, not a task: objects are the truth.
void Dispatcher::in_history(const std::function<void(store::Records&)>& write) {
  try {
    write(work_.cache.records());
  } catch (const StoreError& error) {
    work_.observer.notice(fmt::format("the history could not be written: {}", error.what()));
  }
}

}  // namespace bgw::engine
