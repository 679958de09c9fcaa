// What a run takes of the machine, and what it does with tasks that fail: pure parts first, then with real processes.
#include "tests/support/catch.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "runtime/engine/admission.h"
#include "runtime/engine/attached_tasks.h"
#include "runtime/engine/checkpoints.h"
#include "runtime/engine/control_group.h"
#include "runtime/engine/executor.h"
#include "runtime/engine/machine.h"
#include "runtime/engine/orphan_watch.h"
#include "runtime/engine/policy.h"
#include "runtime/engine/process.h"
#include "runtime/engine/retry_book.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/clock.h"
#include "runtime/store/sqlite_database.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/toy_controller.h"
#include "tests/support/toy_plan.h"

namespace {

using namespace bgw;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using engine::Admission;
using engine::Machine;
using engine::RetryBook;
using test::eventually;
using test::start_controller;

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

class Diary : public engine::Observer {
 public:
  std::vector<std::string> waiting;  // causes
  std::vector<std::string> silent;
  std::vector<std::string> held;
  std::map<std::string, engine::TaskFailed> failures;
  std::map<std::string, engine::TaskFinished> finished;
  std::map<std::string, int> started;
  std::size_t attached_tasks = 0;
  engine::ClaimOwner owner;

 private:
  void task_started(const plan::TaskSpec& spec, const engine::TaskStarted&) override { ++started[spec.name]; }
  void task_finished(const plan::TaskSpec& spec, const engine::TaskFinished& what) override { finished[spec.name] = what; }
  void task_failed(const plan::TaskSpec& spec, const engine::TaskFailed& failure) override { failures[spec.name] = failure; }
  void task_waiting(const plan::TaskSpec&, const engine::TaskWaiting& what) override { waiting.push_back(what.cause); }
  void task_silent(const plan::TaskSpec& spec, double) override { silent.push_back(spec.name); }
  void attached(const plan::TaskSpec&, const engine::ClaimOwner&) override { ++attached_tasks; }
  void held_elsewhere(const plan::TaskSpec& spec, const engine::ClaimOwner& who) override {
    held.push_back(spec.name);
    owner = who;
  }
};

engine::RunOptions options_with(int cpus = 2) {
  engine::RunOptions options;
  options.cpus = cpus;
  options.task_program = BGW_FAKE_TASKS;
  return options;
}

engine::RunSummary run_all(const test::ToyPlan& toy, store::Cache& cache, Diary& diary, const engine::RunOptions& options = options_with()) {
  return engine::run(toy.plan, toy.all(), cache, options, diary);
}

test::ToyOptions with(schema::Map policy) { return {plan::Placement::child, std::move(policy)}; }

std::int64_t attempts_in(store::Cache& cache, const std::string& state) {
  return store::Database(cache.layout().database()).integer(fmt::format("SELECT count(*) FROM t_attempt WHERE state = '{}'", state));
}

engine::TaskFailed failure_by(const std::string& cause) {
  engine::TaskFailed failure;
  failure.cause = cause;
  return failure;
}

bool says(const fs::path& words, const std::string& part) {
  return test::words_in(words).find(part) != std::string::npos;
}

}  // namespace

// ---- the machine -----------------------------------------------------------------------------------------------------

TEST_CASE("a machine is as large as its affinity, its quota and its memory limits allow", "[engine][machine]") {
  const test::ScratchDirectory scratch;
  const fs::path& root = scratch.path();
  write(root / "proc/self/status", "Name:\tbgw\nCpus_allowed_list:\t0-3,8,10-11\n");
  write(root / "proc/meminfo", "MemTotal:       16000000 kB\nMemFree: 1 kB\n");
  CHECK(engine::describe_machine(root, "").cpus == 7);
  CHECK(engine::describe_machine(root, "").memory == 16000000.0 * 1024);

  SECTION("version 2: the smallest limit on the way to the top counts") {
    write(root / "proc/self/cgroup", "0::/user/job\n");
    write(root / "sys/fs/cgroup/user/job/cpu.max", "max 100000\n");
    write(root / "sys/fs/cgroup/user/cpu.max", "250000 100000\n");
    write(root / "sys/fs/cgroup/user/job/memory.max", "max\n");
    write(root / "sys/fs/cgroup/user/memory.max", "2000000000\n");
    write(root / "sys/fs/cgroup/user/job/memory.events", "oom 4\noom_kill 3\n");
  }
  SECTION("version 1: a hierarchy for each controller") {
    write(root / "proc/self/cgroup", "4:memory:/job\n3:cpu,cpuacct:/job\n0::/\n");
    write(root / "sys/fs/cgroup/unified/cgroup.procs", "");
    write(root / "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "250000\n");
    write(root / "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    write(root / "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    write(root / "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    write(root / "sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2000000000\n");
    write(root / "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    write(root / "sys/fs/cgroup/memory/job/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  }
  CHECK(engine::describe_machine(root, "").cpus == 2);
  CHECK(engine::describe_machine(root, "").memory == 2e9);
  CHECK(engine::out_of_memory_kills(root) == 3);
}

TEST_CASE("where no group counts, the machine's count of kills for lack of memory is taken", "[engine][machine]") {
  const test::ScratchDirectory scratch;
  write(scratch.path() / "proc/vmstat", "pgfault 12\noom_kill 7\n");
  CHECK(engine::out_of_memory_kills(scratch.path()) == 7);
  CHECK(engine::out_of_memory_kills(scratch.path() / "nowhere") == 0);
}

TEST_CASE("GPUs are those of the inherited list, or the devices there are", "[engine][machine]") {
  const test::ScratchDirectory scratch;
  for (const char* device : {"nvidia0", "nvidia3", "nvidiactl", "nvidia-uvm", "null"}) write(scratch.path() / "dev" / device, "");
  using Names = std::vector<std::string>;
  const auto gpus = [&](const std::optional<std::string>& list) { return engine::describe_machine(scratch.path(), list).gpus; };
  CHECK(gpus(std::nullopt) == Names{"0", "1"});
  CHECK(gpus("2,5") == Names{"2", "5"});
  CHECK(gpus("GPU-8d1, MIG-77") == Names{"GPU-8d1", "MIG-77"});
  CHECK(gpus("") == Names{});
  CHECK(gpus("1,-1,0") == Names{"1"});
}

// ---- admission -------------------------------------------------------------------------------------------------------

TEST_CASE("the longest path is admitted first, within the cpus, and shares are equal", "[engine][admission]") {
  Admission admission({4, 0, {}});
  admission.add(0, {.cpus = 3}, 1.0);
  admission.add(1, {.cpus = 2}, 9.0);
  admission.add(2, {.cpus = 1}, 0.5);
  const std::optional<Admission::Start> first = admission.next();
  CHECK(first->task == 1);
  CHECK(admission.next()->task == 2);  // task 0 does not fit beside task 1
  CHECK_FALSE(admission.next().has_value());
  admission.release(*first);
  CHECK(admission.next()->task == 0);
  CHECK(admission.free_cpus() == 0);

  Admission shares({5, 0, {}});
  shares.add(0, {}, 2.0);
  shares.add(1, {}, 1.0);
  CHECK(shares.next()->cpus == 2);
  CHECK(shares.next()->cpus == 3);
}

TEST_CASE("tasks run side by side while memory and GPUs last, each with devices of its own", "[engine][admission]") {
  Admission admission({16, 10e9, {"2", "GPU-5"}});
  admission.add(0, {.cpus = 1, .gpus = 1}, 9.0);
  admission.add(1, {.cpus = 1, .gpus = 1}, 8.0);
  admission.add(2, {.cpus = 1, .gpus = 1}, 7.0);
  admission.add(3, {.cpus = 1, .memory = 6e9}, 6.0);
  admission.add(4, {.cpus = 1, .memory = 6e9}, 5.0);
  admission.add(5, {.cpus = 1}, 4.0);
  std::map<std::size_t, Admission::Start> started;
  while (const auto start = admission.next()) started.emplace(start->task, *start);
  CHECK(started.size() == 4);
  CHECK(started.at(0).gpus == std::vector<std::string>{"2"});
  CHECK(started.at(1).gpus == std::vector<std::string>{"GPU-5"});
  CHECK(started.count(3) == 1);
  CHECK(started.at(5).gpus.empty());
  admission.release(started.at(1));
  CHECK(admission.next()->gpus == std::vector<std::string>{"GPU-5"});
  admission.release(started.at(3));
  CHECK(admission.next()->task == 4);
  CHECK(admission.waiting() == 0);
}

TEST_CASE("an exclusive task runs beside no other", "[engine][admission]") {
  Admission admission({4, 0, {}});
  admission.add(0, {.cpus = 1}, 9.0);
  admission.add(1, {.cpus = 1, .alone = true}, 8.0);
  admission.add(2, {.cpus = 1}, 1.0);
  const Admission::Start first = *admission.next();
  const Admission::Start second = *admission.next();
  CHECK(second.task == 2);
  CHECK_FALSE(admission.next().has_value());
  admission.release(first);
  admission.release(second);
  const Admission::Start alone = *admission.next();
  CHECK(alone.task == 1);
  admission.add(3, {.cpus = 1}, 1.0);
  CHECK_FALSE(admission.next().has_value());
  admission.release(alone);
  CHECK(admission.next()->task == 3);
}

TEST_CASE("when nothing runs all the memory is there, whatever was taken before", "[engine][admission]") {
  Admission admission({4, 9e9, {}});
  const std::vector<double> wants{1e10 / 21, 1e9, 2e9 / 7};  // added up again they are less than what was taken
  std::vector<Admission::Start> running;
  for (std::size_t task = 0; task < 3; ++task) {
    admission.add(task, {.cpus = 1, .memory = wants[task]}, 1.0);
    running.push_back(*admission.next());
  }
  admission.add(3, {.cpus = 1, .memory = 9e9}, 1.0);
  for (const Admission::Start& start : running) {
    CHECK_FALSE(admission.next().has_value());
    admission.release(start);
  }
  CHECK(admission.next()->task == 3);
}

TEST_CASE("a large task is passed by small ones, but not for ever", "[engine][admission]") {
  Admission admission({2, 0, {}});
  admission.add(0, {.cpus = 1}, 10.0);
  const Admission::Start long_one = *admission.next();
  admission.add(1, {.cpus = 2}, 9.0);
  int passed = 0;
  for (std::size_t task = 2; task < 1000; ++task) {
    admission.add(task, {.cpus = 1}, 1.0);
    const auto start = admission.next();
    if (!start) break;
    CHECK(start->task != 1);
    admission.release(*start);
    ++passed;
  }
  CHECK(passed == Admission::kMostPassing);
  admission.release(long_one);
  CHECK(admission.next()->task == 1);
}

TEST_CASE("any number of ready tasks starts in the order of their paths", "[engine][admission]") {
  constexpr std::size_t kTasks = 10000;
  Admission admission({1, 0, {}});
  for (std::size_t task = 0; task < kTasks; ++task) admission.add(task, {.cpus = static_cast<int>(task % 2)}, static_cast<double>((task * 7919) % kTasks));
  std::vector<double> paths;
  while (const auto start = admission.next()) {
    paths.push_back(static_cast<double>((start->task * 7919) % kTasks));
    admission.release(*start);
  }
  CHECK(paths.size() == kTasks);
  CHECK(std::is_sorted(paths.rbegin(), paths.rend()));
}

TEST_CASE("what the machine lacks is said with what there is", "[engine][admission]") {
  test::ToyPlan toy;
  toy.add("wide", "count", {{"steps", 2}}, {}, with({{"gpus", 4}}));
  CHECK_THROWS_WITH(engine::check_resources(toy.plan.tasks[0], {8, 0, {"0"}}),
                    "task wide needs 4 GPUs, this machine has 1: lower it in its resources, or run it on a larger machine");
  CHECK_NOTHROW(engine::check_resources(toy.plan.tasks[0], {8, 0, {"0", "1", "2", "3"}}));
}

// ---- retries ---------------------------------------------------------------------------------------------------------

TEST_CASE("retries are for named causes and wait twice as long each time", "[engine][retry]") {
  engine::Policy policy;
  policy.attempts = 20;
  policy.retry_on = {"crash"};
  policy.backoff = 30;
  RetryBook book;
  RetryBook::TimePoint now{};
  std::vector<double> waits;
  for (int failure = 0; failure < 7; ++failure) {
    const auto next = book.failed(0, policy, failure_by("crash"), false, now);
    REQUIRE(next.has_value());
    CHECK(next->attempt == failure + 2);
    waits.push_back(next->wait.count());
    now += 2min;
  }
  CHECK(waits == std::vector<double>{30, 60, 120, 240, 480, 900, 900});
  CHECK(book.failed(0, policy, failure_by("crash"), true, now)->wait.count() == 30);  // it had got further
  CHECK_FALSE(book.failed(0, policy, failure_by("nan"), false, now).has_value());
}

TEST_CASE("what the machine took from a task uses up no attempt", "[engine][retry]") {
  engine::Policy policy;
  policy.attempts = 2;
  policy.retry_on = {"timeout", "preempted", "node_lost"};
  RetryBook book;
  RetryBook::TimePoint now{};
  for (const char* cause : {"timeout", "preempted", "timeout", "timeout", "timeout", "node_lost"}) {
    const auto next = book.failed(0, policy, failure_by(cause), true, now += 1s);
    REQUIRE(next.has_value());
    CHECK(next->attempt == 1);
  }
  // A timeout without a newer checkpoint gets nowhere: it counts.
  CHECK(book.failed(0, policy, failure_by("timeout"), false, now += 1s)->attempt == 2);
  CHECK_FALSE(book.failed(0, policy, failure_by("timeout"), false, now += 1s).has_value());
}

TEST_CASE("the same failure three times in a minute ends the attempts, and the first is told", "[engine][retry]") {
  engine::Policy policy;
  policy.attempts = 9;
  policy.retry_on = {"crash", "oom"};
  policy.backoff = 1;
  RetryBook book;
  RetryBook::TimePoint now{};
  engine::TaskFailed first = failure_by("crash");
  first.message = "the first";
  CHECK(book.failed(0, policy, failure_by("oom"), false, now).has_value());
  CHECK(book.failed(0, policy, first, false, now += 10s).has_value());
  CHECK(book.failed(0, policy, failure_by("crash"), false, now += 10s).has_value());
  CHECK_FALSE(book.failed(0, policy, failure_by("crash"), false, now += 10s).has_value());
  CHECK(book.told(0).message == "the first");
  CHECK(book.told(0).attempts == 4);

  for (int failure = 0; failure < 5; ++failure) CHECK(book.failed(1, policy, failure_by("crash"), false, now += 40s).has_value());
}

TEST_CASE("without a policy a task is tried once, but for what the machine took from it", "[engine][retry]") {
  const engine::Policy policy = engine::policy_of(plan::TaskSpec{});
  RetryBook book;
  for (const char* cause : {"crash", "nan", "oom", "timeout", "killed", "cuda", "disk", "bad_input"}) {
    CHECK_FALSE(book.failed(0, policy, failure_by(cause), false, {}).has_value());
  }
  CHECK(book.failed(1, policy, failure_by("preempted"), true, {}).has_value());
}

// ---- with processes --------------------------------------------------------------------------------------------------

TEST_CASE("of four tasks that want a GPU two run at a time, on devices of their own", "[engine][resources]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  for (int i = 0; i < 4; ++i) toy.add(fmt::format("gpu{}", i), "surroundings", {{"sleep_ms", 100}, {"index", i}}, {}, with({{"gpus", 1}, {"cpus", 1}}));
  toy.add("none", "surroundings", {{"index", 4}}, {}, with({{"cpus", 3}}));
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  engine::RunOptions options = options_with(8);
  options.machine = Machine{8, 0, {"3", "GPU-7"}};
  REQUIRE(run_all(toy, cache, diary, options).exit_code == 0);

  struct Use {
    std::string gpus;
    std::int64_t begin, end;
  };
  std::vector<Use> uses;
  for (std::size_t task = 0; task < 4; ++task) {
    const auto attributes = cache.objects().load(toy.plan.tasks[task].key).attributes;
    uses.push_back({attributes.at("gpus").as_string(), std::stoll(attributes.at("begin").as_string()),
                    std::stoll(attributes.at("end").as_string())});
    CHECK((uses.back().gpus == "3" || uses.back().gpus == "GPU-7"));
  }
  for (const Use& a : uses) {
    for (const Use& b : uses) {
      if (&a != &b && a.begin < b.end && b.begin < a.end) CHECK(a.gpus != b.gpus);
    }
  }
  const auto others = cache.objects().load(toy.plan.tasks[4].key).attributes;
  CHECK(others.at("gpus").as_string().empty());
  CHECK(others.at("threads").as_string() == "3");
  CHECK(std::stoi(others.at("oom_score_adj").as_string()) >= 500);
  CHECK(store::Database(cache.layout().database()).integer("SELECT count(*) FROM t_attempt WHERE gpus IN ('3', 'GPU-7')") == 4);
}

TEST_CASE("the memory that a task held is recorded", "[engine][resources]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("holder", "hold", {{"bytes", 100000000}});
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  REQUIRE(run_all(toy, cache, diary).exit_code == 0);
  CHECK(diary.finished["holder"].peak_memory > 1e8);
  CHECK(store::Database(cache.layout().database()).integer("SELECT peak_memory > 100000000 FROM t_attempt") == 1);
}

TEST_CASE("a killed task that held nearly all the memory there is was killed for it", "[engine][resources]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("killed", "fail", {{"how", "kill"}});
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  engine::RunOptions options = options_with();
  const auto [memory, cause] = GENERATE(std::pair{1e18, "killed"}, std::pair{1e6, "oom"});
  options.machine = Machine{2, memory, {}};
  CHECK(run_all(toy, cache, diary, options).exit_code == 4);
  CHECK(diary.failures["killed"].cause == cause);
}

TEST_CASE("a task whose walltime is over goes on from its checkpoint when it may, attempt after attempt", "[engine][retry]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("slow", "count", {{"steps", 250}, {"sleep_ms", 10}}, {},
          with({{"walltime", 1.0}, {"retry", schema::Map{{"attempts", 1}, {"on", schema::List{"timeout"}}}}}));
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  CHECK(run_all(toy, cache, diary).exit_code == 0);  // one attempt only, but these use up none
  CHECK(diary.waiting.size() >= 2);
  CHECK(diary.waiting.front() == "timeout");
  CHECK(attempts_in(cache, "done") == 1);
  CHECK(attempts_in(cache, "failed") == static_cast<std::int64_t>(diary.waiting.size()));
}

TEST_CASE("a task whose walltime is over and that does not listen is killed after a grace", "[engine][retry]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("deaf", "stubborn", {{"sleep_ms", 60000}}, {}, with({{"walltime", 0.1}}));
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  engine::RunOptions options = options_with();
  options.grace = 0.3;
  CHECK(run_all(toy, cache, diary, options).exit_code == 4);
  CHECK(diary.failures["deaf"].cause == "timeout");
}

TEST_CASE("a task without progress is said to be silent and left alone", "[engine]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("quiet", "stubborn", {{"sleep_ms", 2000}});
  toy.add("lively", "count", {{"steps", 3}});
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  engine::RunOptions options = options_with();
  options.silence = 0.2;
  CHECK(run_all(toy, cache, diary, options).exit_code == 0);
  CHECK(std::count(diary.silent.begin(), diary.silent.end(), "quiet") >= 1);
}

TEST_CASE("a task that waits for its next attempt holds up nothing, and ends with the run", "[engine][retry]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("again", "fail", {{"how", "nan"}}, {}, with({{"retry", schema::Map{{"attempts", 3}, {"on", schema::List{"nan"}}, {"backoff_s", 0.5}}}}));
  toy.add("sibling", "count", {{"steps", 2}});
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  CHECK(run_all(toy, cache, diary, options_with(1)).exit_code == 4);
  CHECK(diary.started["sibling"] == 1);
  CHECK(diary.started["again"] == 3);
  CHECK(diary.waiting == std::vector<std::string>{"nan", "nan"});
  CHECK(diary.failures["again"].attempts == 3);
  CHECK(attempts_in(cache, "failed") == 3);
}

TEST_CASE("a task process that somebody asks to stop goes on at once", "[engine][retry]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("asked", "count", {{"steps", 100}, {"sleep_ms", 10}});
  store::Cache cache = store::Cache::open(scratch.path());
  class Asking : public Diary {
    void task_progress(const plan::TaskSpec& spec, const engine::Progress& progress) override {
      if (progress.step < 5 || started[spec.name] > 1) return;
      for (const fs::directory_entry& thread : fs::directory_iterator("/proc/self/task")) {
        std::ifstream list(thread.path() / "children");
        for (pid_t child = 0; list >> child;) ::kill(child, SIGTERM);
      }
    }
  } diary;
  CHECK(run_all(toy, cache, diary).exit_code == 0);
  CHECK(diary.waiting == std::vector<std::string>{"preempted"});
  CHECK(attempts_in(cache, "checkpointed") == 1);
  CHECK(attempts_in(cache, "done") == 1);
}

TEST_CASE("every attempt has an end in the history", "[engine][history]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("task", "count", {{"steps", 3}});
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  SECTION("when the child cannot be started") {
    engine::RunOptions options = options_with();
    options.task_program = "/nowhere/bgw-task";
    CHECK(run_all(toy, cache, diary, options).exit_code == 4);
    CHECK(diary.failures["task"].cause == "crash");
    CHECK(attempts_in(cache, "failed") == 1);
  }
  SECTION("when its controller was killed") {
    const std::int64_t run = cache.records().begin_run({"toy.bgw", "", {}, {}});
    cache.records().plan_tasks(run, toy.plan, {0}, {"new"});
    cache.records().begin_attempt(run, toy.plan.tasks[0].key, {});
    CHECK(run_all(toy, cache, diary).exit_code == 0);
    CHECK(attempts_in(cache, "lost") == 1);
    CHECK(attempts_in(cache, "done") == 1);
  }
  CHECK(attempts_in(cache, "running") == 0);
}

namespace {

// A task program that spoils the object of the task `name` once it has been published.
fs::path spoiling_program(const fs::path& folder, const std::string& name, const std::string& spoil) {
  const fs::path script = folder / "spoiling";
  write(script, fmt::format("#!/bin/sh\n{} \"$@\"; code=$?\nif grep -q '\"name\": *\"{}\"' \"$2\"; then\n"
                            "  key=$(basename $(dirname \"$2\")); cd {}/objects/*/$key && {}\nfi\nexit $code\n",
                            BGW_FAKE_TASKS, name, (folder / "cache").string(), spoil));
  fs::permissions(script, fs::perms(0755));
  return script;
}

}  // namespace

TEST_CASE("an object that cannot be read once it is made fails its task alone", "[engine][disk]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("spoilt", "count", {{"steps", 2}});
  toy.add("sibling", "count", {{"steps", 60}, {"sleep_ms", 10}});
  store::Cache cache = store::Cache::open(scratch.path() / "cache");
  engine::RunOptions options = options_with();
  Diary diary;
  SECTION("because the system does not give it") {  // a name that is too long to be followed
    options.task_program = spoiling_program(scratch.path(), "spoilt", "rm manifest.json && ln -s $(printf 'x%.0s' $(seq 300)) manifest.json");
    CHECK(run_all(toy, cache, diary, options).exit_code == 4);
    CHECK(diary.failures["spoilt"].message.find("cannot read ") == 0);
  }
  SECTION("because it is damaged") {
    options.task_program = spoiling_program(scratch.path(), "spoilt", "echo >> manifest.json && echo >> result.h5");
    CHECK(run_all(toy, cache, diary, options).exit_code == 4);
    CHECK(diary.failures["spoilt"].message.find("the object that was just made is damaged") == 0);
  }
  CHECK(diary.failures["spoilt"].cause == "disk");
  CHECK(diary.failures.size() == 1);
  CHECK(diary.finished.count("sibling") == 1);
  CHECK(attempts_in(cache, "failed") == 1);
  CHECK(attempts_in(cache, "running") == 0);
}

TEST_CASE("a run that breaks leaves no row without an end and no task behind", "[engine][history]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("long", "count", {{"steps", 1000}, {"sleep_ms", 10}});
  toy.add("slow", "sum", {}, {}, test::kInline);
  for (int i = 0; i < 3; ++i) toy.add(fmt::format("sum{}", i), "sum", {{"i", i}}, {}, test::kInline);
  store::Cache cache = store::Cache::open(scratch.path());
  engine::RunOptions options = options_with();
  std::atomic<int> computing = 0;
  options.inline_task = [&](const plan::TaskSpec& spec, const engine::TaskInputs&) -> schema::Value {
    ++computing;
    std::this_thread::sleep_for(spec.name == "slow" ? 300ms : 0ms);
    --computing;
    return schema::Map{{"sum", 1}};
  };
  class Broken : public Diary {
    void task_progress(const plan::TaskSpec&, const engine::Progress&) override { throw std::runtime_error("the paper is torn"); }
  } diary;
  CHECK_THROWS_WITH(run_all(toy, cache, diary, options), "the paper is torn");
  CHECK(computing == 0);
  CHECK(attempts_in(cache, "running") == 0);
  CHECK(attempts_in(cache, "lost") == 1);
  CHECK(store::Database(cache.layout().database()).integer("SELECT count(*) FROM t_run WHERE ended IS NULL") == 0);
}

TEST_CASE("an observer that fails at every word does not keep a run from its end", "[engine]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  const std::size_t bad = toy.add("bad", "sum", {}, {}, test::kInline);
  for (int i = 0; i < 20; ++i) toy.add(fmt::format("sum{}", i), "sum", {{"i", i}}, {{"a", bad}}, test::kInline);
  store::Cache cache = store::Cache::open(scratch.path());
  engine::RunOptions options = options_with();
  options.inline_task = [](const plan::TaskSpec&, const engine::TaskInputs&) -> schema::Value { throw InputError("nothing to add"); };
  class Mute : public engine::Observer {
    void task_blocked(const plan::TaskSpec&, const engine::Obstacle&) override {
      std::this_thread::sleep_for(20ms);  // meanwhile the others queue up
      throw std::runtime_error("no voice");
    }
  } mute;
  CHECK_THROWS_WITH(engine::run(toy.plan, toy.all(), cache, options, mute), "no voice");
}

// ---- two runs --------------------------------------------------------------------------------------------------------

TEST_CASE("a run that may not wait says who holds the task and for how long", "[engine][claim]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("wanted", "count", {{"steps", 3}});
  store::Cache cache = store::Cache::open(scratch.path());
  const std::optional<engine::Claim> held = engine::Claim::try_take(cache.layout().work(toy.plan.tasks[0].key));
  std::this_thread::sleep_for(20ms);
  engine::RunOptions options = options_with();
  options.wait = false;
  Diary diary;
  CHECK(run_all(toy, cache, diary, options).exit_code == 7);
  CHECK(diary.held == std::vector<std::string>{"wanted"});
  CHECK(diary.owner.pid == ::getpid());
  CHECK(diary.owner.host == store::host_name());
  CHECK(diary.owner.seconds >= 0.02);
  CHECK_FALSE(diary.owner.gone);
}

TEST_CASE("a task of another run whose place cannot be written fails alone", "[engine][claim]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("lost", "count", {{"steps", 3}});
  toy.add("sibling", "count", {{"steps", 60}, {"sleep_ms", 10}});
  store::Cache cache = store::Cache::open(scratch.path());
  const fs::path work = cache.layout().work(toy.plan.tasks[0].key);
  class Watching : public Diary {
   public:
    fs::path work;
    std::optional<engine::Claim> held;

   private:
    void task_progress(const plan::TaskSpec&, const engine::Progress& progress) override {
      if (progress.step < 2 || !held) return;
      fs::remove_all(work);
      write(work, "no directory");
      held.reset();
    }
  } diary;
  diary.work = work;
  diary.held = engine::Claim::try_take(work);
  CHECK(run_all(toy, cache, diary).exit_code == 4);
  CHECK(diary.attached_tasks == 1);
  CHECK(diary.failures["lost"].cause == "disk");
  CHECK(diary.finished.count("sibling") == 1);
  fs::remove(work);
}

TEST_CASE("who takes a task up while its last owner clears up keeps what he writes", "[engine][claim]") {
  const test::ScratchDirectory scratch;
  const fs::path work = scratch.path() / "work";
  std::optional<engine::Claim> first = engine::Claim::try_take(work);
  constexpr int kFiles = 3000;
  for (int i = 0; i < kFiles; ++i) write(work / fmt::format("file{}", i), "old");
  std::atomic<bool> cleared = false;
  bool still_claimed = false;
  int kept = 0;
  std::thread next([&] {
    std::optional<engine::Claim> claim;
    while (!claim) claim = engine::Claim::try_take(work);
    for (int i = 0; i < kFiles; ++i) write(work / fmt::format("file{}", i), "new");
    while (!cleared) std::this_thread::yield();
    still_claimed = engine::is_claimed(work);
    for (int i = 0; i < kFiles; ++i) kept += fs::exists(work / fmt::format("file{}", i)) ? 1 : 0;
  });
  SECTION("when the task is done") { engine::clear_work(work); }
  SECTION("when it is swept") { engine::remove_work(work); }
  cleared = true;
  first.reset();
  next.join();
  CHECK(still_claimed);
  CHECK(kept == kFiles);
}

TEST_CASE("nobody is attached to a run that is dead", "[engine][claim]") {
  const test::ScratchDirectory scratch;
  const fs::path work = scratch.path() / "work";
  std::optional<engine::Claim> orphan = engine::Claim::try_take(work);
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ::waitpid(dead, nullptr, 0);
  std::string text = store::read_bytes(work / "claim");
  const std::string own = std::to_string(::getpid());
  text.replace(text.find(own), own.size(), std::to_string(dead));
  std::ofstream(work / "claim") << text;

  CHECK(engine::claim_owner(work).gone);
  int announced = 0;
  engine::AttachedTasks attached([&](std::size_t) { return work; }, [&](std::size_t, const engine::ClaimOwner&) { ++announced; });
  attached.add(0);
  CHECK(attached.poll(1).empty());
  CHECK(announced == 0);
  orphan.reset();
  CHECK(attached.poll(1).size() == 1);
  CHECK(attached.withdraw_all().empty());
}

TEST_CASE("a task that outlives its controller in a long step lets go of its claim", "[engine][kill]") {
  const test::ScratchDirectory scratch;
  const fs::path words = scratch.path() / "words";
  const fs::path cache = scratch.path() / "cache";
  const pid_t controller = start_controller(cache, "stubborn", 60000, words);
  REQUIRE(eventually([&] { return says(words, "started stubborn"); }));
  fs::path work;
  for (const fs::directory_entry& entry : fs::directory_iterator(store::Layout{cache}.work())) work = entry.path();
  REQUIRE_FALSE(engine::Claim::try_take(work).has_value());
  REQUIRE(eventually([&] { return fs::exists(work / "progress.jsonl"); }));  // it has begun not to listen
  ::kill(controller, SIGKILL);
  ::waitpid(controller, nullptr, 0);
  CHECK(eventually([&] { return engine::Claim::try_take(work).has_value(); }));
  CHECK(says(work / "log.txt", "stopping here, the last checkpoint stays"));
}
