#include "tests/support/catch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <fstream>
#include <random>
#include <thread>

#include "runtime/engine/checkpoints.h"
#include "runtime/engine/claim.h"
#include "runtime/engine/executor.h"
#include "runtime/engine/explain.h"
#include "runtime/engine/progress_file.h"
#include "runtime/engine/schedule.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/sqlite_database.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/toy_controller.h"
#include "tests/support/toy_plan.h"

namespace {

using namespace bgw;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using engine::Outcome;
using test::eventually;
using test::start_controller;
using test::words_in;

// Writes down what it hears.
class Diary : public engine::Observer {
 public:
  std::vector<std::string> lines;
  std::map<std::string, engine::TaskFailed> failures;
  std::map<std::string, engine::TaskFinished> finished;

  bool has(const std::string& line) const { return std::find(lines.begin(), lines.end(), line) != lines.end(); }

 private:
  void task_started(const plan::TaskSpec& spec, const engine::TaskStarted&) override { lines.push_back("started " + spec.name); }
  void task_finished(const plan::TaskSpec& spec, const engine::TaskFinished& what) override {
    lines.push_back("finished " + spec.name);
    finished[spec.name] = what;
  }
  void task_failed(const plan::TaskSpec& spec, const engine::TaskFailed& failure) override {
    lines.push_back("failed " + spec.name);
    failures[spec.name] = failure;
  }
  void task_blocked(const plan::TaskSpec& spec, const engine::Obstacle& obstacle) override {
    lines.push_back("blocked " + spec.name + " by " + obstacle.name);
  }
  void task_waiting(const plan::TaskSpec& spec, const engine::TaskWaiting& waiting) override {
    lines.push_back(fmt::format("waiting {}: {}, attempt {} of {} in {} s", spec.name, waiting.cause, waiting.attempt, waiting.attempts, waiting.seconds));
  }
  void task_progress(const plan::TaskSpec& spec, const engine::Progress& progress) override {
    lines.push_back(fmt::format("progress {} {}/{}", spec.name, progress.step, progress.steps));
  }
  void notice(const std::string& text) override { lines.push_back(text); }
};

schema::Value sum_of_inputs(const plan::TaskSpec& spec, const engine::TaskInputs& inputs) {
  double sum = 0;
  for (const plan::TaskInput& input : spec.inputs) sum += inputs.manifest(input.role)->find_result("last")->value;
  return schema::Map{{"sum", sum}};
}

engine::RunOptions options_with(int cpus = 2) {
  engine::RunOptions options;
  options.cpus = cpus;
  options.task_program = BGW_FAKE_TASKS;
  options.inline_task = sum_of_inputs;
  return options;
}

engine::RunSummary run_all(const test::ToyPlan& toy, store::Cache& cache, Diary& diary) {
  return engine::run(toy.plan, toy.all(), cache, options_with(), diary);
}

// The bytes of result.h5 of every child task of a plan.
std::vector<std::string> results_in(const fs::path& root, const test::ToyPlan& toy) {
  const store::Layout layout{root};
  std::vector<std::string> bytes;
  for (const plan::TaskSpec& spec : toy.plan.tasks) {
    if (spec.placement == plan::Placement::child) bytes.push_back(store::read_bytes(layout.object(spec.key) / "result.h5"));
  }
  return bytes;
}

pid_t start_controller(const fs::path& cache, int steps, int sleep_ms, const fs::path& output, const fs::path& hold = {}) {
  return start_controller(cache, std::to_string(steps), sleep_ms, output, hold);
}

// A file that holds the tasks of controllers which are told of it, until it is removed.
fs::path new_hold(const fs::path& folder) {
  fs::path hold = folder / "hold";
  std::ofstream(hold) << "wait\n";
  return hold;
}

int exit_status(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// Kills the task processes of a controller.
void kill_children_of(pid_t controller) {
  for (const fs::directory_entry& thread : fs::directory_iterator(fmt::format("/proc/{}/task", controller))) {
    std::ifstream list(thread.path() / "children");
    for (pid_t child = 0; list >> child;) ::kill(child, SIGKILL);
  }
}

// A task process of this cache has begun its work, and hears what it is asked.
bool has_told_progress(const fs::path& root) {
  std::error_code none_yet;
  for (const fs::directory_entry& work : fs::directory_iterator(store::Layout{root}.work(), none_yet)) {
    if (!words_in(work.path() / "progress.jsonl").empty()) return true;
  }
  return false;
}

bool has_checkpoint(const fs::path& root, const plan::TaskSpec& spec) {
  return engine::newest_checkpoint_time(store::Layout{root}.work(spec.key)).has_value();
}

artifacts::Artifact state_with(double value) {
  artifacts::Artifact state;
  state.arrays["x"] = {{1}, {value}, {}, ""};
  return state;
}

}  // namespace

TEST_CASE("only what is wanted, missing and behind that is to run", "[engine][schedule]") {
  test::ToyPlan toy = test::chain(3, 0);
  toy.add("alone", "count", {{"steps", 4}});
  const engine::WorkList nothing_cached = engine::make_work_list(toy.plan, {1}, {false, false, false, false});
  CHECK(nothing_cached.to_run == std::vector<bool>{true, true, false, false});
  const engine::WorkList first_cached = engine::make_work_list(toy.plan, {1}, {true, false, false, false});
  CHECK(first_cached.to_run == std::vector<bool>{false, true, false, false});
  CHECK(first_cached.needed == std::vector<bool>{true, true, false, false});
  const engine::WorkList all_cached = engine::make_work_list(toy.plan, {2}, {false, false, true, false});
  CHECK(all_cached.to_run == std::vector<bool>(4));
  CHECK(all_cached.needed == std::vector<bool>{false, false, true, false});
}

TEST_CASE("a child that runs needs the inputs of its inputs too", "[engine][schedule]") {
  test::ToyPlan toy;
  toy.add("model", "count", {});
  toy.add("samples", "count", {}, {{"model", 0}});
  toy.add("estimate", "count", {}, {{"samples", 1}});
  CHECK(engine::make_work_list(toy.plan, {2}, {false, true, false}).to_run == std::vector<bool>{true, false, true});
}

TEST_CASE("the remaining path of a task counts the longest chain behind it", "[engine][schedule]") {
  const test::ToyPlan toy = test::chain(3, 0);
  CHECK(engine::remaining_path(toy.plan, {true, true, true}, {5, 7, 1}) == std::vector<double>{13, 8, 1});
  CHECK(engine::remaining_path(toy.plan, {false, true, true}, {5, 7, 1}) == std::vector<double>{0, 8, 1});
}

TEST_CASE("the fields in which two pre-images differ are told in the words of the program", "[engine][explain]") {
  const std::string before =
      R"({"arguments":{"stages":[{"name":"main","steps":60,"rate":0.02}],"flow":{"call":"affine"}},"inputs":{"base":")" + std::string(64, 'a') + R"("}})";
  const std::string after =
      R"({"arguments":{"stages":[{"name":"main","steps":600,"rate":0.02}],"flow":{"call":"mode_split"},"seed":2},"inputs":{"base":")" + std::string(64, 'b') + R"("}})";
  CHECK(engine::differing_fields(before, after) ==
        std::vector<std::string>{"flow affine -> mode_split", "seed none -> 2", "stage main.steps 60 -> 600"});
  CHECK(engine::differing_fields(before, before).empty());
}

TEST_CASE("a chain runs, and a second run does nothing", "[engine]") {
  const test::ScratchDirectory scratch;
  const test::ToyPlan toy = test::chain(5, 0);
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  const engine::RunSummary first = run_all(toy, cache, diary);
  CHECK(first.exit_code == 0);
  CHECK(first.outcomes == std::vector<Outcome>{Outcome::done, Outcome::done, Outcome::done});
  CHECK(diary.has("started second"));
  CHECK(diary.has("progress first 5/5"));
  CHECK(diary.finished["first"].cost.energy_calls == 5);
  CHECK(diary.finished["first"].results.at(0).unit == "kT");
  const double last_first = cache.manifest(toy.plan.tasks[0].key)->find_result("last")->value;
  const double last_second = cache.manifest(toy.plan.tasks[1].key)->find_result("last")->value;
  CHECK(cache.row(toy.plan.tasks[2].key)->at("sum").as_double() == last_first + last_second);
  CHECK(fs::is_empty(cache.layout().work()));

  Diary again;
  const engine::RunSummary second = run_all(toy, cache, again);
  CHECK(second.exit_code == 0);
  CHECK(second.count(Outcome::cached) == 3);
  CHECK(again.lines.empty());
}

TEST_CASE("a plan says why each task would run", "[engine][explain]") {
  const test::ScratchDirectory scratch;
  const test::ToyPlan before = test::chain(5, 0);
  {
    store::Cache empty = store::Cache::look(scratch.path() / "cache");
    for (const engine::TaskStatus& status : engine::explain(before.plan, before.all(), empty)) CHECK(status.reason == "new");
  }
  store::Cache cache = store::Cache::open(scratch.path() / "cache");
  Diary diary;
  run_all(before, cache, diary);
  for (const engine::TaskStatus& status : engine::explain(before.plan, before.all(), cache)) CHECK(status.cached);

  const test::ToyPlan after = test::chain(6, 0);
  const std::vector<engine::TaskStatus> statuses = engine::explain(after.plan, after.all(), cache);
  CHECK(statuses[0].reason == "steps 5 -> 6");
  CHECK(statuses[2].reason == "upstream: first, second");
  CHECK(statuses[0].estimated_seconds.has_value());

  fs::remove_all(cache.layout().object(before.plan.tasks[0].key));
  CHECK(engine::explain(before.plan, {0}, cache)[0].reason == "its result is gone from the cache");
}

TEST_CASE("what depends on a failed task is blocked and its siblings go on", "[engine]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  const std::size_t bad = toy.add("bad", "fail", {{"how", "nan"}});
  const std::size_t next = toy.add("next", "count", {{"steps", 2}}, {{"before", bad}});
  toy.add("last", "count", {{"steps", 2}}, {{"before", next}});
  toy.add("sibling", "count", {{"steps", 2}});
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  const engine::RunSummary summary = run_all(toy, cache, diary);
  CHECK(summary.exit_code == 4);
  CHECK(summary.outcomes == std::vector<Outcome>{Outcome::failed, Outcome::blocked, Outcome::blocked, Outcome::done});
  CHECK(diary.has("blocked last by bad"));
  CHECK(diary.failures["bad"].cause == "nan");
  CHECK(diary.failures["bad"].message == "energy is not finite at step 3");
  CHECK(diary.failures["bad"].last_log_lines.at(1) == "about to fail by nan");  // below the line that begins the attempt
  CHECK(engine::explain(toy.plan, {bad}, cache)[bad].reason == "failed (nan)");
}

TEST_CASE("each way to fail has its cause", "[engine]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  const std::map<std::string, std::string> causes{
      {"bad_input", "bad_input"}, {"oom", "oom"}, {"abort", "crash"}, {"kill", "killed"}};
  for (const auto& [how, cause] : causes) toy.add(how, "fail", {{"how", how}});
  toy.add("unknown", "no_such_kind", {});
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  CHECK(run_all(toy, cache, diary).exit_code == 4);
  for (const auto& [how, cause] : causes) CHECK(diary.failures[how].cause == cause);
  CHECK(diary.failures["unknown"].message == "this task program knows no kind 'no_such_kind'");
}

TEST_CASE("a task that fails with words that are no text says what can be read of them", "[engine]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("bytes", "fail", {{"how", "bytes"}});
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  engine::RunOptions options = options_with();
  options.command_line = {"run", "caf\xe9.bgw"};
  CHECK(engine::run(toy.plan, toy.all(), cache, options, diary).exit_code == 4);
  CHECK(diary.failures["bytes"].cause == "nan");
  CHECK(diary.failures["bytes"].message == "no text: \uFFFD");
  const std::vector<std::string>& log = diary.failures["bytes"].last_log_lines;
  CHECK(std::find(log.begin(), log.end(), "\uFFFD\u00e9") != log.end());
}

TEST_CASE("an inline task that throws fails alone, and a missing task program is said", "[engine]") {
  const test::ScratchDirectory scratch;
  const test::ToyPlan toy = test::chain(2, 0);
  store::Cache cache = store::Cache::open(scratch.path());
  engine::RunOptions options = options_with();
  Diary diary;
  SECTION("inline") {
    options.inline_task = [](const plan::TaskSpec&, const engine::TaskInputs&) -> schema::Value { throw InputError("no column"); };
    CHECK(engine::run(toy.plan, toy.all(), cache, options, diary).exit_code == 4);
    CHECK(diary.failures["total"].message == "no column");
    CHECK(diary.has("finished second"));
  }
  SECTION("a value that cannot be kept") {
    options.inline_task = [](const plan::TaskSpec&, const engine::TaskInputs&) -> schema::Value { return std::nan(""); };
    CHECK(engine::run(toy.plan, toy.all(), cache, options, diary).exit_code == 4);
    CHECK(diary.failures.count("total") == 1);
    CHECK(diary.has("finished second"));
  }
  SECTION("program") {
    options.task_program = "/nowhere/bgw-task";
    CHECK(engine::run(toy.plan, toy.all(), cache, options, diary).exit_code == 4);
    CHECK(diary.failures["first"].message == "cannot start /nowhere/bgw-task: No such file or directory");
  }
}

TEST_CASE("more than the machine has is refused before anything runs", "[engine]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  const auto [resource, amount] = GENERATE(std::pair{"cpus", 3.0}, std::pair{"gpus", 1.0}, std::pair{"memory", 1e18});
  toy.add("wide", "count", {{"steps", 2}}, {}, {plan::Placement::child, {{resource, amount < 10 ? schema::Value(static_cast<int>(amount)) : schema::Value(amount)}}});
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  CHECK_THROWS_AS(run_all(toy, cache, diary), InputError);
  CHECK(diary.lines.empty());
}

TEST_CASE("a task is tried again for the causes it names, as often as it says", "[engine]") {
  const test::ScratchDirectory scratch;
  const schema::List causes{schema::Value("nan")};
  const auto plan_with = [&](int failures, int attempts) {
    test::ToyPlan toy;
    toy.add("flaky", "flaky", {{"counter", (scratch.path() / "counter").string()}, {"failures", failures}}, {},
            {plan::Placement::child, {{"retry", schema::Map{{"attempts", attempts}, {"on", causes}, {"backoff_s", 0.01}}}}});
    return toy;
  };
  store::Cache cache = store::Cache::open(scratch.path() / "cache");
  Diary diary;
  SECTION("and succeeds in the end") {
    CHECK(run_all(plan_with(1, 2), cache, diary).exit_code == 0);
    CHECK(diary.has("waiting flaky: nan, attempt 2 of 2 in 0.01 s"));
  }
  SECTION("and is given up, with the first cause") {
    CHECK(run_all(plan_with(2, 2), cache, diary).exit_code == 4);
    CHECK(diary.failures["flaky"].message == "failure 1");
  }
  SECTION("but not more than three times in a minute") {
    CHECK(run_all(plan_with(9, 9), cache, diary).exit_code == 4);
    CHECK(std::count(diary.lines.begin(), diary.lines.end(), "started flaky") == 3);
  }
}

TEST_CASE("a task whose walltime is over saves its state and fails with cause timeout", "[engine]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("slow", "count", {{"steps", 1000}, {"sleep_ms", 10}}, {}, {plan::Placement::child, {{"walltime", 1.0}}});  // begun by then on a busy machine, too
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  CHECK(run_all(toy, cache, diary).exit_code == 4);
  CHECK(diary.failures["slow"].cause == "timeout");
  CHECK(has_checkpoint(scratch.path(), toy.plan.tasks[0]));
  CHECK(engine::explain(toy.plan, {0}, cache)[0].reason == "failed (timeout), goes on from its checkpoint");
}

TEST_CASE("a damaged object is moved aside and made again, bit by bit the same", "[engine]") {
  const test::ScratchDirectory scratch;
  const test::ToyPlan toy = test::chain(4, 0);
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  run_all(toy, cache, diary);
  const std::vector<std::string> before = results_in(scratch.path(), toy);
  const fs::path file = cache.layout().object(toy.plan.tasks[0].key) / "result.h5";
  std::string bytes = before[0];
  bytes[bytes.size() / 2] ^= 1;
  std::ofstream(file, std::ios::binary) << bytes;

  Diary again;
  CHECK(run_all(toy, cache, again).exit_code == 0);
  CHECK(again.has("finished first"));
  CHECK_FALSE(again.has("started second"));
  CHECK(again.lines.at(0).find("the object of first") == 0);
  CHECK(results_in(scratch.path(), toy) == before);
  CHECK_FALSE(fs::is_empty(cache.layout().damaged()));
}

TEST_CASE("what a disk changed by itself fails the task that reads it, and the next run makes it again", "[engine]") {
  const test::ScratchDirectory scratch;
  store::Cache cache = store::Cache::open(scratch.path());
  test::ToyPlan toy;
  const std::size_t first = toy.add("first", "count", {{"steps", 3}});
  Diary diary;
  run_all(toy, cache, diary);
  const plan::Key key = toy.plan.tasks[first].key;
  const fs::path file = cache.layout().object(key) / "result.h5";
  const std::string bytes = store::read_bytes(file);
  std::string flipped = bytes;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x10);
  std::ofstream(file, std::ios::binary) << flipped;
  cache.records().put_object_stamps({{key, cache.objects().stamp(key)}});  // a disk tells nobody

  toy.add("second", "count", {{"steps", 3}}, {{"before", first}});
  CHECK(run_all(toy, cache, diary).exit_code == 4);
  CHECK(diary.failures["second"].cause == "disk");
  CHECK(diary.failures["second"].message.find("the next `bgw run` moves it aside") != std::string::npos);
  CHECK(run_all(toy, cache, diary).exit_code == 0);
  CHECK(store::read_bytes(file) == bytes);
}

TEST_CASE("a task waits for what is made again behind its cached input", "[engine]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  const std::size_t base = toy.add("base", "count", {{"steps", 10}, {"sleep_ms", 20}});
  const std::size_t model = toy.add("model", "count", {{"steps", 3}}, {{"before", base}});
  const std::size_t draws = toy.add("draws", "grandchild", {}, {{"parent", model}});
  store::Cache cache = store::Cache::open(scratch.path());
  Diary first, again;
  REQUIRE(run_all(toy, cache, first).exit_code == 0);

  for (const std::size_t gone : {base, draws}) fs::remove_all(cache.layout().object(toy.plan.tasks[gone].key));
  CHECK(run_all(toy, cache, again).exit_code == 0);
  CHECK(again.failures.empty());
  const auto at = [&](const char* line) { return std::find(again.lines.begin(), again.lines.end(), line); };
  CHECK(at("finished base") < at("started draws"));
  CHECK_FALSE(again.has("started model"));

  // An inline task reads its own inputs only: what fails further behind does not hold it up.
  const std::size_t table = toy.add("table", "sum", {}, {{"a", model}}, test::kInline);
  std::vector<bool> to_run(toy.plan.tasks.size());
  to_run[base] = to_run[table] = true;
  CHECK(engine::predecessors(toy.plan, table, to_run).empty());
}

TEST_CASE("what a controller killed after the publishing left undone is done by the next run", "[engine]") {
  const test::ScratchDirectory scratch;
  const test::ToyPlan toy = test::chain(2, 0);
  store::Cache cache = store::Cache::open(scratch.path());
  const plan::TaskSpec& first = toy.plan.tasks[0];
  store::make_directories(cache.layout().work(first.key));
  artifacts::Artifact artifact = state_with(0.25);
  artifact.results.push_back({"last", 0.25, std::nullopt, "", std::nullopt, ""});
  cache.objects().publish(first, artifact, {});
  Diary diary;
  CHECK(engine::run(toy.plan, {0}, cache, options_with(), diary).exit_code == 0);
  CHECK(diary.lines.empty());
  CHECK_FALSE(fs::exists(cache.layout().work(first.key)));
  CHECK(store::Database(cache.layout().database()).integer("SELECT count(*) FROM t_result") == 1);
}

TEST_CASE("a bad checkpoint gives way to the one before it and is kept", "[engine][checkpoint]") {
  const test::ScratchDirectory scratch;
  const plan::Key key = plan::sha256("a task");
  engine::Checkpoints checkpoints(scratch.path(), key, 2);
  std::vector<std::string> warnings;
  const auto load = [&] { return checkpoints.load([&](const std::string& text) { warnings.push_back(text); }); };
  CHECK_FALSE(load().has_value());
  for (const double value : {1.0, 2.0, 3.0}) checkpoints.save(state_with(value));
  CHECK_FALSE(fs::exists(scratch.path() / "ckpt-1.h5"));  // two are kept
  CHECK(load()->array("x").doubles == std::vector<double>{3.0});
  CHECK(warnings.empty());

  SECTION("truncated") {
    fs::resize_file(scratch.path() / "ckpt-3.h5", 700);
    CHECK(load()->array("x").doubles == std::vector<double>{2.0});
    CHECK(warnings.size() == 1);
    CHECK(fs::exists(scratch.path() / "ckpt-3.h5.bad"));
  }
  SECTION("of another task") {
    const test::ScratchDirectory other;
    engine::Checkpoints(other.path(), plan::sha256("another task"), 2).save(state_with(9.0));
    fs::copy_file(other.path() / "ckpt-1.h5", scratch.path() / "ckpt-3.h5", fs::copy_options::overwrite_existing);
    CHECK(load()->array("x").doubles == std::vector<double>{2.0});
  }
  SECTION("all of them") {
    for (const char* name : {"ckpt-2.h5", "ckpt-3.h5"}) fs::resize_file(scratch.path() / name, 10);
    CHECK_FALSE(load().has_value());
    CHECK(warnings.back() == "no checkpoint is usable");
  }
}

TEST_CASE("a claim has one holder at a time and dies with it", "[engine]") {
  const test::ScratchDirectory scratch;
  std::optional<engine::Claim> mine = engine::Claim::try_take(scratch.path() / "work");
  REQUIRE(mine.has_value());
  CHECK_FALSE(engine::Claim::try_take(scratch.path() / "work").has_value());
  CHECK(engine::claim_owner(scratch.path() / "work").pid == ::getpid());
  mine.reset();
  CHECK(engine::Claim::try_take(scratch.path() / "work").has_value());
}

TEST_CASE("the last word of a burst of progress is never lost", "[engine]") {
  const test::ScratchDirectory scratch;
  const fs::path file = scratch.path() / "progress.jsonl";
  engine::ProgressReader reader(file);
  engine::ProgressWriter writer(file);
  for (int step = 1; step <= 100; ++step) writer.report({"p", step, 100, {}});
  CHECK(reader.newest()->step < 100);
  writer.flush();
  CHECK(reader.newest()->step == 100);
  CHECK_FALSE(reader.newest().has_value());
}

TEST_CASE("a run killed again and again ends with the bytes of an undisturbed one", "[engine][kill]") {
  const test::ScratchDirectory scratch;
  const fs::path calm = scratch.path() / "calm";
  const fs::path rough = scratch.path() / "rough";
  const fs::path words = scratch.path() / "words";
  constexpr int kSteps = 60;
  constexpr int kSleep = 5;
  const test::ToyPlan toy = test::chain(kSteps, kSleep);
  REQUIRE(exit_status(start_controller(calm, kSteps, kSleep, words)) == 0);

  std::mt19937 random(7);
  std::uniform_int_distribution<int> delay(30, 220);
  for (int round = 0; round < 10; ++round) {
    const std::size_t started = count_of(words_in(words), "started");
    const pid_t controller = start_controller(rough, kSteps, kSleep, words);
    const auto is_under_way = [&] { return count_of(words_in(words), "started") > started || count_of(words_in(words), "finished total") > 1; };
    if (round > 2) REQUIRE(eventually(is_under_way));  // the first are killed at their start, too
    std::this_thread::sleep_for(std::chrono::milliseconds(delay(random)));
    if (round % 2 == 1) kill_children_of(controller);
    ::kill(controller, SIGKILL);
    exit_status(controller);
  }
  REQUIRE(exit_status(start_controller(rough, kSteps, kSleep, words)) == 0);
  CHECK(results_in(rough, toy) == results_in(calm, toy));
  CHECK(count_of(words_in(words), "started") > 4);  // two in calm; more than two others, or nothing was killed midway
  store::Cache cache = store::Cache::look(rough);
  for (const plan::Key& key : cache.objects().keys()) CHECK(cache.objects().inspect(key).state == store::ObjectState::sound);
  CHECK(cache.row(toy.plan.tasks[2].key).has_value());
}

TEST_CASE("two runs at once do each task once", "[engine][kill]") {
  const test::ScratchDirectory scratch;
  const fs::path cache = scratch.path() / "cache";
  const fs::path hold = new_hold(scratch.path());
  const pid_t one = start_controller(cache, 10, 20, scratch.path() / "one", hold);
  const pid_t two = start_controller(cache, 10, 20, scratch.path() / "two", hold);
  const auto words = [&] { return words_in(scratch.path() / "one") + words_in(scratch.path() / "two"); };
  CHECK(eventually([&] { return count_of(words(), "attached first") == 1; }));
  fs::remove(hold);
  CHECK(exit_status(one) == 0);
  CHECK(exit_status(two) == 0);
  CHECK(count_of(words(), "started first") == 1);
  CHECK(count_of(words(), "started second") == 1);
  CHECK(count_of(words(), "found first") == 1);
}

TEST_CASE("when the first of two runs is killed the second takes over", "[engine][kill]") {
  const test::ScratchDirectory scratch;
  const fs::path cache = scratch.path() / "cache";
  const test::ToyPlan toy = test::chain(40, 10);
  const fs::path hold = new_hold(scratch.path());
  const pid_t one = start_controller(cache, 40, 10, scratch.path() / "one", hold);
  REQUIRE(eventually([&] { return has_checkpoint(cache, toy.plan.tasks[0]); }));
  const pid_t two = start_controller(cache, 40, 10, scratch.path() / "two", hold);
  REQUIRE(eventually([&] { return count_of(words_in(scratch.path() / "two"), "attached first") == 1; }));
  ::kill(one, SIGKILL);
  exit_status(one);
  fs::remove(hold);
  CHECK(exit_status(two) == 0);
  CHECK(count_of(words_in(scratch.path() / "two"), "started first") == 1);
}

TEST_CASE("a run that may not wait gives up what another run holds", "[engine]") {
  const test::ScratchDirectory scratch;
  const test::ToyPlan toy = test::chain(3, 0);
  store::Cache cache = store::Cache::open(scratch.path());
  std::optional<engine::Claim> held = engine::Claim::try_take(cache.layout().work(toy.plan.tasks[0].key));
  engine::RunOptions options = options_with();
  options.wait = false;
  Diary diary;
  const engine::RunSummary summary = engine::run(toy.plan, toy.all(), cache, options, diary);
  CHECK(summary.exit_code == 7);
  CHECK(summary.count(Outcome::stopped) == 3);
}

TEST_CASE("a second signal kills a task that does not listen", "[engine][kill]") {
  const test::ScratchDirectory scratch;
  const fs::path words = scratch.path() / "words";
  const pid_t controller = start_controller(scratch.path() / "cache", "stubborn", 60000, words);
  REQUIRE(eventually([&] { return has_told_progress(scratch.path() / "cache"); }));  // it has begun not to listen
  ::kill(controller, SIGINT);
  ::kill(controller, SIGTERM);  // at once: one and the same request, as timeout(1) sends it
  REQUIRE(eventually([&] { return count_of(words_in(words), "stopping 1") == 1; }));
  std::this_thread::sleep_for(600ms);
  CHECK(count_of(words_in(words), "killed stubborn") == 0);
  ::kill(controller, SIGINT);
  CHECK(exit_status(controller) == 130);
  CHECK(count_of(words_in(words), "killed stubborn") == 1);
}

TEST_CASE("an interrupted run leaves checkpoints, says 130, and goes on later", "[engine][kill]") {
  const test::ScratchDirectory scratch;
  const fs::path cache = scratch.path() / "cache";
  const fs::path words = scratch.path() / "words";
  const test::ToyPlan toy = test::chain(40, 10);
  const auto [signal, status] = GENERATE(std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}, std::pair{SIGHUP, 129});
  const fs::path hold = new_hold(scratch.path());
  const pid_t controller = start_controller(cache, 40, 10, words, hold);
  REQUIRE(eventually([&] { return has_checkpoint(cache, toy.plan.tasks[0]); }));
  ::kill(controller, signal);
  CHECK(exit_status(controller) == status);
  fs::remove(hold);
  CHECK(count_of(words_in(words), "stopped first") == 1);
  CHECK(has_checkpoint(cache, toy.plan.tasks[0]));
  store::Cache seen = store::Cache::look(cache);
  CHECK(engine::explain(toy.plan, toy.all(), seen)[0].reason == "interrupted, goes on from its checkpoint");
  CHECK(exit_status(start_controller(cache, 40, 10, words)) == 0);
  CHECK(seen.objects().verify(toy.plan.tasks[1].key) == store::ObjectState::sound);
}

TEST_CASE("what is forced is made again with what is made from it, and the old result stays until then", "[engine][force]") {
  const test::ScratchDirectory scratch;
  store::Cache cache = store::Cache::open(scratch.path());
  const test::ToyPlan toy = test::chain(3, 0);
  Diary first;
  run_all(toy, cache, first);
  const std::vector<std::string> bytes = results_in(scratch.path(), toy);
  const std::string stamp = cache.objects().stamp(toy.plan.tasks[0].key);
  const std::string stamp_of_second = cache.objects().stamp(toy.plan.tasks[1].key);

  engine::RunOptions options = options_with();
  options.forced = {1};
  const std::vector<engine::TaskStatus> statuses = engine::explain(toy.plan, toy.all(), cache, options.forced);
  CHECK(statuses[0].cached);
  CHECK(statuses[1].reason == "forced");
  CHECK(statuses[2].reason == "upstream: second");
  Diary again;
  const engine::RunSummary summary = engine::run(toy.plan, toy.all(), cache, options, again);
  CHECK(summary.exit_code == 0);
  CHECK(summary.count(Outcome::done) == 2);
  CHECK_FALSE(again.has("started first"));
  CHECK(again.has("started second"));
  CHECK(again.has("finished total"));
  CHECK(cache.objects().stamp(toy.plan.tasks[0].key) == stamp);
  CHECK(cache.objects().stamp(toy.plan.tasks[1].key) != stamp_of_second);
  CHECK(results_in(scratch.path(), toy) == bytes);
  CHECK(fs::is_empty(cache.layout().work()));

  // one that fails leaves the result that was there
  options.task_program = "/bin/false";
  Diary broken;
  CHECK(engine::run(toy.plan, toy.all(), cache, options, broken).exit_code == 4);
  CHECK(results_in(scratch.path(), toy) == bytes);
  Diary after;
  CHECK(run_all(toy, cache, after).count(Outcome::cached) > 0);
  CHECK_FALSE(after.has("started second"));
}

TEST_CASE("what reads a result that a failed `require` has judged is blocked, and nothing else", "[engine][gate]") {
  const test::ScratchDirectory scratch;
  store::Cache cache = store::Cache::open(scratch.path());
  test::ToyPlan toy = test::chain(3, 0);  // first, second(first), total(first, second)
  const std::size_t aside = toy.add("aside", "count", {{"steps", 4}});
  toy.plan.checks.push_back({"enough", "require", schema::Map{}, {{"a", toy.plan.tasks[0].key, 0}}});
  engine::RunOptions options = options_with();
  options.gates = {0};
  bool holds = false;
  double judged = 0;
  options.gate_holds = [&](const plan::CheckSpec&, const engine::TaskInputs& inputs) {
    judged = inputs.manifest("a")->find_result("last")->value;
    return holds;
  };
  Diary diary;
  const engine::RunSummary summary = engine::run(toy.plan, toy.all(), cache, options, diary);
  CHECK(judged != 0);
  CHECK(summary.outcomes[0] == Outcome::done);
  CHECK(summary.outcomes[aside] == Outcome::done);
  CHECK(summary.count(Outcome::blocked) == 2);
  CHECK(diary.has("blocked second by enough"));
  CHECK(diary.has("blocked total by enough"));

  holds = true;
  Diary later;
  CHECK(engine::run(toy.plan, toy.all(), cache, options, later).exit_code == 0);
  CHECK(later.has("finished total"));
}

TEST_CASE("a `require` over a result and over what is made from it blocks only what lies behind both", "[engine][gate]") {
  const test::ScratchDirectory scratch;
  store::Cache cache = store::Cache::open(scratch.path());
  test::ToyPlan toy = test::chain(3, 0);
  toy.plan.checks.push_back({"both", "require", schema::Map{}, {{"a", toy.plan.tasks[0].key, 0}, {"b", toy.plan.tasks[1].key, 1}}});
  engine::RunOptions options = options_with();
  options.gates = {0};
  options.gate_holds = [](const plan::CheckSpec&, const engine::TaskInputs&) { return false; };
  Diary diary;
  engine::run(toy.plan, toy.all(), cache, options, diary);
  CHECK(diary.has("finished second"));
  CHECK(diary.has("blocked total by both"));
}

TEST_CASE("a `require` may read what comes later in the plan than the task that it stands before", "[engine][gate]") {
  const test::ScratchDirectory scratch;
  store::Cache cache = store::Cache::open(scratch.path());
  test::ToyPlan toy;
  const std::size_t a = toy.add("a", "count", {{"steps", 2}});
  toy.add("reader", "count", {{"steps", 2}}, {{"before", a}});
  const std::size_t late = toy.add("late", "count", {{"steps", 3}});
  toy.plan.checks.push_back({"both", "require", schema::Map{}, {{"a", toy.plan.tasks[a].key, a}, {"late", toy.plan.tasks[late].key, late}}});
  engine::RunOptions options = options_with();
  options.gates = {0};
  double judged = 0;
  options.gate_holds = [&](const plan::CheckSpec&, const engine::TaskInputs& inputs) {
    judged = inputs.manifest("late")->find_result("last")->value;
    return true;
  };
  Diary diary;
  CHECK(engine::run(toy.plan, toy.all(), cache, options, diary).exit_code == 0);
  CHECK(judged != 0);
  CHECK(diary.has("finished reader"));
}

TEST_CASE("two `require`s of which each reads what the other one holds up are no dead end", "[engine][gate]") {
  const test::ScratchDirectory scratch;
  store::Cache cache = store::Cache::open(scratch.path());
  test::ToyPlan toy;
  const std::size_t a = toy.add("a", "count", {{"steps", 2}});
  const std::size_t b = toy.add("b", "count", {{"steps", 3}});
  const std::size_t c = toy.add("c", "count", {{"steps", 2}}, {{"before", a}});
  const std::size_t d = toy.add("d", "count", {{"steps", 2}}, {{"before", b}});
  const auto input = [&](const char* role, std::size_t task) { return plan::TaskInput{role, toy.plan.tasks[task].key, task}; };
  toy.plan.checks.push_back({"left", "require", schema::Map{}, {input("a", a), input("d", d)}});   // before c
  toy.plan.checks.push_back({"right", "require", schema::Map{}, {input("b", b), input("c", c)}});  // before d
  engine::RunOptions options = options_with();
  options.gates = {0, 1};
  bool holds = true;
  options.gate_holds = [&](const plan::CheckSpec&, const engine::TaskInputs&) { return holds; };
  Diary diary;
  SECTION("when they hold") {
    CHECK(engine::run(toy.plan, toy.all(), cache, options, diary).exit_code == 0);
    CHECK(diary.has("finished d"));
  }
  SECTION("when they do not, the first task of the circle has run all the same") {
    holds = false;
    engine::run(toy.plan, toy.all(), cache, options, diary);
    CHECK(diary.has("blocked d by right"));
  }
  CHECK(diary.has("finished c"));
}

TEST_CASE("with fail_fast nothing more is started after a failure", "[engine]") {
  const test::ScratchDirectory scratch;
  store::Cache cache = store::Cache::open(scratch.path());
  test::ToyPlan toy;
  toy.add("bad", "fail", {{"how", "nan"}});
  for (int i = 0; i < 3; ++i) toy.add(fmt::format("good{}", i), "count", {{"steps", 2 + i}});
  engine::RunOptions options = options_with(1);  // one after another
  options.fail_fast = true;
  Diary diary;
  const engine::RunSummary summary = engine::run(toy.plan, toy.all(), cache, options, diary);
  CHECK(summary.exit_code == 4);
  CHECK(summary.count(Outcome::failed) == 1);
  CHECK(summary.count(Outcome::stopped) == 3);
}

TEST_CASE("the first task to start is the first of the plan, though another one is ready sooner", "[engine][gate]") {
  const test::ScratchDirectory scratch;
  store::Cache cache = store::Cache::open(scratch.path());
  test::ToyPlan toy;
  const std::size_t made = toy.add("made", "count", {{"steps", 2}});
  Diary diary;
  REQUIRE(run_all(toy, cache, diary).exit_code == 0);
  toy.add("bad", "fail", {{"how", "nan"}}, {{"before", made}});
  for (int i = 0; i < 3; ++i) toy.add(fmt::format("good{}", i), "count", {{"steps", 3 + i}});
  toy.plan.checks.push_back({"slow", "require", schema::Map{}, {{"made", toy.plan.tasks[made].key, made}}});
  engine::RunOptions options = options_with(1);
  options.fail_fast = true;
  options.gates = {0};
  options.gate_holds = [](const plan::CheckSpec&, const engine::TaskInputs&) {
    std::this_thread::sleep_for(200ms);  // meanwhile the good ones are ready
    return true;
  };
  const engine::RunSummary summary = engine::run(toy.plan, toy.all(), cache, options, diary);
  CHECK(summary.count(Outcome::failed) == 1);
  CHECK(summary.count(Outcome::stopped) == 3);
}

TEST_CASE("a full disk fails the task with cause disk and exit code 6, and nothing half-made is seen", "[engine]") {
  const test::ScratchDirectory scratch;
  test::ToyPlan toy;
  toy.add("large", "big", {{"size", 4000000}});
  store::Cache cache = store::Cache::open(scratch.path());
  Diary diary;
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit{16 << 20, before.rlim_max};  // 16 MB: enough for the database, not for 32 MB of zeros
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const engine::RunSummary summary = run_all(toy, cache, diary);
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK(summary.exit_code == 6);
  CHECK(diary.failures["large"].cause == "disk");
  CHECK(diary.failures["large"].message.find("disk full: cannot write") == 0);
  CHECK(cache.objects().keys().empty());
  CHECK(run_all(toy, cache, diary).exit_code == 0);
}
