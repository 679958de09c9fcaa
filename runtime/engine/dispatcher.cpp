#include "runtime/engine/dispatcher.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>
#include <sstream>
#include <utility>

#include "runtime/engine/checkpoints.h"
#include "runtime/engine/extension.h"
#include "runtime/engine/child.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/task_json.h"
#include "runtime/store/utf8.h"

namespace bgw::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLogLines = 20;
// Signals this close are one request: timeout(1) and some batch systems send theirs to the process and to its group.
constexpr std::chrono::milliseconds kOneAndTheSame{300};
constexpr long kTickNanoseconds = 200'000'000;  // claims of others and progress are looked at five times a second

store::Descriptor checked(int descriptor) {
  if (descriptor < 0) throw StoreError(fmt::format("the system refuses what the dispatcher needs: {}", std::strerror(errno)));
  return store::Descriptor(descriptor);
}

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

store::Descriptor make_clock() {
  store::Descriptor clock = checked(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  const itimerspec interval{{0, kTickNanoseconds}, {0, kTickNanoseconds}};
  ::timerfd_settime(clock.get(), 0, &interval, nullptr);
  return clock;
}

void watch(const store::Descriptor& epoll, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = descriptor;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) checked(-1);
}

void drain(int descriptor) {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(descriptor, &count, sizeof(count));
}

schema::Value with(const schema::Value& policy, const char* name, schema::Value value) {
  schema::Map map = policy.is_map() ? policy.as_map() : schema::Map{};
  map.insert_or_assign(name, std::move(value));
  return map;
}

std::vector<std::string> last_lines(const fs::path& log) {
  std::vector<std::string> lines;
  try {
    std::istringstream text(store::read_bytes(log));
    for (std::string line; std::getline(text, line);) lines.push_back(store::valid_utf8(line));
  } catch (const StoreError&) {
    // no log, no lines
  }
  if (lines.size() > kLogLines) lines.erase(lines.begin(), lines.end() - kLogLines);
  return lines;
}

TaskFailed failure_of(const ProcessEnd& end, const fs::path& work) {
  TaskFailed failure;
  failure.log = work / "log.txt";
  failure.last_log_lines = last_lines(failure.log);
  if (end.signal != 0) {
    failure.cause = end.signal == SIGKILL ? "killed" : "crash";
    failure.message = fmt::format("the task process was ended by signal {} ({}){}", end.signal, strsignal(end.signal),
                                  end.signal == SIGKILL ? ", perhaps for lack of memory" : "");
    return failure;
  }
  if (end.code == kTaskNoDisk) {
    failure.cause = "disk";
    failure.message = "disk full: not even the cause could be written";
    return failure;
  }
  try {
    const schema::Value written = schema::parse_json(store::read_bytes(work / "failure.json"));
    failure.cause = written.at("cause").as_string();
    failure.message = written.at("message").as_string();
  } catch (const std::exception&) {
    failure.cause = "crash";
    failure.message = fmt::format("the task process ended with exit code {} and no result", end.code);
  }
  return failure;
}

TaskFailed failure_now() {
  try {
    throw;
  } catch (const InputError& error) {
    return {"bad_input", error.what(), {}, {}};
  } catch (const NumericalError& error) {
    return {"nan", error.what(), {}, {}};
  } catch (const StoreError& error) {
    return {"disk", error.what(), {}, {}};
  } catch (const std::bad_alloc&) {
    return {"oom", "out of memory", {}, {}};
  } catch (const std::exception& error) {
    return {"crash", error.what(), {}, {}};
  }
}

std::optional<double> age_of_checkpoint(const fs::path& work) {
  const auto time = newest_checkpoint_time(work);
  if (!time) return std::nullopt;
  return std::max(0.0, std::chrono::duration<double>(fs::file_time_type::clock::now() - *time).count());
}

}  // namespace

Dispatcher::Dispatcher(Assignment assignment, Enqueue enqueue)
    : work_(std::move(assignment)), enqueue_(std::move(enqueue)), admission_(work_.options.cpus),
      outcomes_(work_.plan.tasks.size(), Outcome::not_needed) {
  const sigset_t signals = stop_signals();
  epoll_ = checked(::epoll_create1(EPOLL_CLOEXEC));
  signals_ = checked(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  bell_ = checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  clock_ = make_clock();
  for (const int descriptor : {signals_.get(), bell_.get(), clock_.get()}) watch(epoll_, descriptor);
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

void Dispatcher::post(std::function<void()> message) {
  // The bell rings under the lock: once the message can be taken, this dispatcher may be gone at any moment.
  const std::lock_guard guard(mutex_);
  messages_.push_back(std::move(message));
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(bell_.get(), &one, sizeof(one));
}

// An exception that reaches this far is a broken dispatcher, not a failed task: children are killed, every task still
// open is answered so that the graph comes to its end, and wait() throws the cause.
void Dispatcher::loop() {
  while (answered_ < work_.tasks) {
    try {
      serve();
    } catch (...) {
      break_off(std::current_exception());
    }
  }
}

void Dispatcher::break_off(std::exception_ptr cause) {
  if (!broken_) broken_ = std::move(cause);
  for (const auto& [descriptor, running] : running_) signal_group(running.child, SIGKILL);
  for (const auto& [descriptor, running] : running_) collect(running.child);
  running_.clear();
  held_.clear();
  attached_.clear();
  admission_.withdraw_all();
  while (!answers_.empty()) answer(answers_.begin()->first, Outcome::stopped);
}

void Dispatcher::serve() {
  epoll_event events[16];
  const int count = ::epoll_wait(epoll_.get(), events, 16, -1);
  if (count < 0 && errno != EINTR) checked(-1);
  for (int i = 0; i < count; ++i) handle_event(events[i].data.fd);
  enter_inline_results();
  admit();
}

void Dispatcher::handle_event(int descriptor) {
  if (descriptor == bell_.get()) return take_messages();
  if (descriptor == signals_.get()) return hear_signal();
  if (descriptor == clock_.get()) return tick();
  const auto found = running_.find(descriptor);
  if (found == running_.end()) return;
  Running running = std::move(found->second);
  running_.erase(found);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
  admission_.release(running.cpus);
  child_ended(running);
}

void Dispatcher::take_messages() {
  drain(bell_.get());
  std::vector<std::function<void()>> messages;
  {
    const std::lock_guard guard(mutex_);
    messages.swap(messages_);
  }
  for (const auto& message : messages) message();
}

void Dispatcher::hear_signal() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) return;
  const bool first = stop_signal_ == 0;
  if (first) {
    stop_signal_ = static_cast<int>(info.ssi_signo);
    stop_asked_ = SteadyClock::now();
    stop_waiting_tasks();
    work_.observer.stopping(running_.size());
  } else if (SteadyClock::now() - stop_asked_ < kOneAndTheSame) {
    return;
  }
  for (const auto& [descriptor, running] : running_) signal_group(running.child, first ? SIGTERM : SIGKILL);
}

void Dispatcher::hear(Running& running) {
  if (const std::optional<Resumption> resumption = relay(running.progress, spec(running.task), work_.observer)) {
    in_history([&](store::Records& records) { records.attempt_resumed(running.attempt, resumption->step); });
  }
}

void Dispatcher::tick() {
  drain(clock_.get());
  for (auto& [descriptor, running] : running_) {
    hear(running);
  }
  end_overlong_children();
  poll_attached();
}

// ---- tasks -----------------------------------------------------------------------------------------------------------

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
  admission_.add(task, policy_of(spec(task)).cpus, work_.remaining_seconds[task]);
}

void Dispatcher::admit() {
  while (admits()) {
    const std::optional<Admission::Start> next = admission_.next();
    if (!next) return;
    bool running = false;
    try {
      running = start(*next);
    } catch (const StoreError&) {
      fail(next->task, failure_now());
    }
    if (!running) admission_.release(next->cpus);
  }
}

bool Dispatcher::start(const Admission::Start& next) {
  const fs::path work = work_directory(next.task);
  std::optional<Claim> claim;
  if (const auto held = held_.find(next.task); held != held_.end()) {
    claim = std::move(held->second);
    held_.erase(held);
  } else {
    claim = Claim::try_take(work);
  }
  if (!claim) {
    work_.observer.attached(spec(next.task), claim_owner(work));
    if (work_.options.wait) {
      attached_.push_back(next.task);
    } else {
      others_hold_work_ = true;
      answer(next.task, Outcome::stopped);
    }
    return false;
  }
  // Only the holder of the claim makes the object, so what is absent now stays absent until we make it.
  if (!is_forced(next.task) && work_.cache.objects().contains(spec(next.task).key)) {
    finish_by_another(next.task);
    return false;
  }
  launch(next, *std::move(claim));
  return true;
}

void Dispatcher::launch(const Admission::Start& next, Claim claim) {
  const fs::path work = work_directory(next.task);
  plan::TaskSpec order = spec(next.task);
  std::optional<plan::Key> extends;
  if (is_forced(next.task)) {  // made again, from its start
    order.policy = with(order.policy, "replace", true);
  } else if (const std::optional<Extension> extension = find_extension(order, work_.cache)) {
    extends = extension->key;
  }
  store::replace_durably(work / "task.json", store::to_json(order, extends));
  std::int64_t attempt = 0;
  in_history([&](store::Records& records) { attempt = records.begin_attempt(work_.run, spec(next.task).key, {next.cpus, ""}); });

  ChildCommand command;
  command.arguments = {work_.options.task_program.string(), "exec", (work / "task.json").string()};
  command.environment = {fmt::format("OMP_NUM_THREADS={}", next.cpus), "OPENBLAS_NUM_THREADS=1"};
  command.log = work / "log.txt";
  command.inherited = claim.descriptor();
  const std::optional<double> checkpoint_age = age_of_checkpoint(work);
  ProgressReader progress(work / "progress.jsonl");
  ChildProcess child = start_child(command);
  const int descriptor = child.descriptor.get();
  watch(epoll_, descriptor);
  running_.emplace(descriptor, Running{next.task, next.cpus, std::move(child), std::move(claim), std::move(progress), attempt,
                                       SteadyClock::now(), policy_of(spec(next.task))});
  work_.observer.task_started(spec(next.task), {next.cpus, checkpoint_age});
}

void Dispatcher::child_ended(Running& running) {
  const ProcessEnd end = collect(running.child);
  const std::size_t task = running.task;
  hear(running);
  const bool published = work_.cache.objects().contains(spec(task).key);
  if (end.signal == 0 && end.code == kTaskDone && published) return child_succeeded(running);

  const bool asked_to_stop = end.signal == 0 && end.code == kTaskStopped;
  if (stop_signal_ != 0 && (asked_to_stop || end.signal != 0)) {
    end_attempt(running, {asked_to_stop ? "checkpointed" : "lost", "", "", end.code});
    work_.observer.task_stopped(spec(task), asked_to_stop);
    return answer(task, Outcome::stopped);
  }
  if (running.out_of_time) {
    const std::string limit = fmt::format("its walltime of {} s is over", running.policy.walltime);
    TaskFailed failure{"timeout", limit + (asked_to_stop ? "; its state is saved, run again to go on" : ""), {}, work_directory(task) / "log.txt"};
    return child_failed(running, std::move(failure), end.code);
  }
  if (asked_to_stop) {  // somebody else asked it to; its state is saved and it goes on at once
    end_attempt(running, {"checkpointed", "", "", end.code});
    if (!admits()) return answer(task, Outcome::stopped);
    held_.emplace(task, std::move(running.claim));
    return queue_child(task);
  }
  child_failed(running, failure_of(end, work_directory(task)), end.code);
}

void Dispatcher::child_failed(Running& running, TaskFailed failure, int exit_code) {
  const std::size_t task = running.task;
  end_attempt(running, {"failed", failure.cause, failure.message, exit_code});
  Failures& failures = failures_[task];
  if (failures.times.empty()) failures.first = failure;
  failures.times.push_back(SteadyClock::now());
  if (may_retry(running, failure)) {
    work_.observer.notice(fmt::format("{} failed ({}): {}; attempt {} of {} follows", spec(task).name, failure.cause, failure.message,
                                      failures.times.size() + 1, running.policy.attempts));
    held_.emplace(task, std::move(running.claim));
    return queue_child(task);
  }
  fail(task, failures.first);
}

// A task that fails three times within a minute will fail again: more attempts would only hide why.
bool Dispatcher::may_retry(const Running& running, const TaskFailed& failure) {
  constexpr std::size_t kTooMany = 3;
  const std::vector<SteadyClock::time_point>& times = failures_[running.task].times;
  if (!admits() || running.policy.retry_on.count(failure.cause) == 0) return false;
  if (times.size() >= static_cast<std::size_t>(std::max(1, running.policy.attempts))) return false;
  return times.size() < kTooMany || times.back() - times[times.size() - kTooMany] > std::chrono::minutes(1);
}

void Dispatcher::end_overlong_children() {
  constexpr double kGrace = 60;  // seconds to save the state in
  for (auto& [descriptor, running] : running_) {
    if (running.policy.walltime <= 0) continue;
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - running.begin).count();
    if (seconds > running.policy.walltime + kGrace) {
      signal_group(running.child, SIGKILL);
    } else if (seconds > running.policy.walltime && !running.out_of_time) {
      running.out_of_time = true;
      signal_group(running.child, SIGTERM);
    }
  }
}

void Dispatcher::child_succeeded(Running& running) {
  const std::size_t task = running.task;
  work_.cache.forget_manifest(spec(task).key);
  const store::Manifest manifest = work_.cache.objects().manifest(spec(task).key);
  in_history([&](store::Records& records) { records.put_object(manifest, work_.cache.objects().stamp(manifest.key)); });
  end_attempt(running, {"done", "", ""});
  clear_work(work_directory(task));
  work_.observer.task_finished(spec(task), {manifest.cost, manifest.results, false});
  answer(task, Outcome::done);
}

void Dispatcher::finish_by_another(std::size_t task) {
  const store::Manifest manifest = work_.cache.objects().manifest(spec(task).key);
  in_history([&](store::Records& records) { records.put_object(manifest, work_.cache.objects().stamp(manifest.key)); });
  clear_work(work_directory(task));
  work_.observer.task_finished(spec(task), {manifest.cost, manifest.results, true});
  answer(task, Outcome::done);
}

void Dispatcher::poll_attached() {
  for (auto entry = attached_.begin(); entry != attached_.end();) {
    const std::size_t task = *entry;
    std::optional<Claim> claim = Claim::try_take(work_directory(task));
    if (!claim) {
      ++entry;
      continue;
    }
    entry = attached_.erase(entry);
    held_.emplace(task, *std::move(claim));
    queue_child(task);
  }
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
}

void Dispatcher::inline_ended(std::size_t task, std::optional<schema::Value> value, double seconds, const TaskFailed& failure) {
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

void Dispatcher::fail(std::size_t task, TaskFailed failure) {
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
  for (const std::size_t task : std::exchange(attached_, {})) answer(task, Outcome::stopped);
  held_.clear();
}

void Dispatcher::end_attempt(const Running& running, const store::AttemptRecord& record) {
  store::AttemptRecord complete = record;
  complete.seconds = std::chrono::duration<double>(SteadyClock::now() - running.begin).count();
  in_history([&](store::Records& records) { records.end_attempt(running.attempt, complete); });
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
