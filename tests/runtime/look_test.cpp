// What those see who look at work that goes on, and what they make of keys.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "runtime/engine/claim.h"
#include "runtime/engine/compare.h"
#include "runtime/engine/forecast.h"
#include "runtime/engine/progress_seen.h"
#include "runtime/engine/task_look.h"
#include "runtime/store/clock.h"
#include "runtime/store/records.h"
#include "runtime/store/run_history.h"
#include "runtime/store/sqlite_database.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/toy_plan.h"

namespace {

using namespace bgw;
namespace fs = std::filesystem;

constexpr const char* kOne = R"({"arguments":{"base":{"task":"base"},"flow":{"call":"affine","width":3},"seed":1,"stages":[{"name":"main","steps":60}]},
  "inputs":{"base":"1111111111111111111111111111111111111111111111111111111111111111"},"kind":"train","record":"bgw-key/1","version":1})";

std::string with(std::string text, const std::string& part, const std::string& other) {
  return text.replace(text.find(part), part.size(), other);
}

// A line of progress.jsonl.
std::string entry(std::int64_t seconds, const std::string& phase, int step, int steps) {
  return "{\"time\":" + std::to_string(seconds) + "000000,\"phase\":\"" + phase + "\",\"step\":" + std::to_string(step) +
         ",\"steps\":" + std::to_string(steps) + ",\"numbers\":{\"loss\":0.5}}\n";
}

}  // namespace

TEST_CASE("a pre-image compared with itself has no difference and all fields in common", "[compare]") {
  const engine::Comparison same = engine::compare(kOne, kOne);
  CHECK(same.equal());
  CHECK(same.same_inputs == 1);
  CHECK(same.same_fields == engine::fields_of(kOne).size());
  CHECK(engine::fields_of(kOne).count("arguments.stage main.steps") == 1);
  CHECK(engine::fields_of(kOne).count("record") == 0);
}

TEST_CASE("fields that differ and inputs that differ are told apart", "[compare]") {
  const std::string longer = with(kOne, "\"steps\":60", "\"steps\":600");
  const engine::Comparison fields = engine::compare(kOne, longer);
  REQUIRE(fields.fields.size() == 1);
  CHECK(engine::shown_place(fields.fields[0].place) == "stage main.steps");
  CHECK(fields.fields[0].before.as_int() == 60);
  CHECK(fields.fields[0].now.as_int() == 600);
  CHECK(fields.inputs.empty());
  const engine::Comparison inputs = engine::compare(kOne, with(kOne, "1111", "2222"));
  CHECK(inputs.fields.empty());
  REQUIRE(inputs.inputs.size() == 1);
  CHECK(inputs.inputs[0].role == "base");
  CHECK(inputs.inputs[0].before != inputs.inputs[0].now);
}

TEST_CASE("an input that only one side has, and another constructor, are differences", "[compare]") {
  const std::string without = with(with(kOne, "\"base\":{\"task\":\"base\"},", ""), "\"base\":\"" + std::string(64, '1') + "\"", "");
  const engine::Comparison comparison = engine::compare(without, kOne);
  CHECK(comparison.fields.empty());
  REQUIRE(comparison.inputs.size() == 1);
  CHECK_FALSE(comparison.inputs[0].before);
  const engine::Comparison flow = engine::compare(kOne, with(kOne, "\"affine\"", "\"spline\""));
  REQUIRE(flow.fields.size() == 1);
  CHECK(flow.fields[0].place == "arguments.flow");
}

TEST_CASE("the time left is the longest chain or the shared work, whichever is longer", "[forecast]") {
  CHECK(engine::seconds_left({}, 3) == 0);
  const std::vector<engine::ForecastTask> chain{{5, {}}, {7, {0}}, {1, {1}}};
  CHECK(engine::seconds_left(chain, 8) == 13);
  const std::vector<engine::ForecastTask> wide{{6, {}}, {6, {}}, {6, {}}, {6, {}}};
  CHECK(engine::seconds_left(wide, 2) == 12);
  CHECK(engine::seconds_left(wide, 0) == 24);
  CHECK(engine::seconds_left({{0, {}}, {3, {0}}, {4, {0}}, {2, {2, 1}}}, 9) == 6);
  CHECK_THROWS_AS(engine::seconds_left({{1, {1}}, {1, {0}}}, 1), std::logic_error);
}

TEST_CASE("the pace of a phase is that of the attempt which is in it", "[progress]") {
  const test::ScratchDirectory scratch;
  const fs::path file = scratch.path() / "progress.jsonl";
  CHECK_FALSE(engine::last_progress(file));
  std::ofstream(file) << entry(100, "stage main", 10, 50) << entry(110, "stage main", 20, 50)  // and a long pause
                      << entry(1000, "stage main", 21, 50) << "{\"time\":1001000000,\"warning\":\"a checkpoint is damaged\"}\n"
                      << entry(1004, "stage main", 23, 50) << "{\"time\":10";
  const auto seen = engine::last_progress(file, 999'000'000);
  REQUIRE(seen);
  CHECK(seen->newest.step == 23);
  CHECK(seen->time == 1'004'000'000);
  CHECK(seen->newest.numbers.at("loss") == 0.5);
  CHECK(*seen->seconds_left == Approx(2.0 * 27));
  CHECK(seen->seconds_between == Approx(4.0));
  CHECK(engine::step_told_before(file, 1'003'000'000) == 21);
  CHECK(engine::step_told_before(file, 105'000'000) == 10);
  CHECK_FALSE(engine::step_told_before(file, 1'000'000));
  std::ofstream(file, std::ios::app) << "\n" << entry(1010, "stage polish", 1, 9);
  CHECK_FALSE(engine::last_progress(file, 999'000'000)->seconds_left);  // nothing is known of this phase yet
}

TEST_CASE("looking at a task makes nothing and takes no claim", "[look]") {
  const test::ScratchDirectory scratch;
  const fs::path work = scratch.path() / "work";
  CHECK_FALSE(engine::look_at_task(work).claimed);
  CHECK_FALSE(fs::exists(work));
  {
    const std::optional<engine::Claim> claim = engine::Claim::try_take(work);
    REQUIRE(claim);
    const engine::TaskLook taken = engine::look_at_task(work);
    CHECK(taken.claimed);
    CHECK_FALSE(taken.running);  // nobody has begun
    engine::announce_attempt(work, 3);
    const engine::TaskLook begun = engine::look_at_task(work);
    CHECK(begun.running);
    REQUIRE(begun.attempt);
    CHECK(begun.attempt->pid == ::getpid());
    CHECK(begun.attempt->cpus == 3);
    CHECK_FALSE(begun.stands_still());
  }
  CHECK_FALSE(engine::look_at_task(work).running);
  CHECK(engine::Claim::try_take(work));
}

TEST_CASE("a task that told nothing for long stands still, unless it tells seldom", "[look]") {
  engine::TaskLook look;
  look.running = true;
  look.silent_seconds = 100;
  CHECK_FALSE(look.stands_still());
  look.silent_seconds = 200;
  CHECK(look.stands_still());
  look.progress = engine::ProgressSeen{{}, 0, 30, std::nullopt};
  CHECK_FALSE(look.stands_still());
  look.silent_seconds = 301;
  CHECK(look.stands_still());
  look.running = false;
  CHECK_FALSE(look.stands_still());
}

TEST_CASE("likeness counts what a comparison names", "[compare]") {
  for (const std::string& other : {std::string(kOne), with(kOne, "\"steps\":60", "\"steps\":70"), with(kOne, "\"width\":3", "\"bins\":3"), with(kOne, "1111", "2222")}) {
    const engine::Comparison comparison = engine::compare(kOne, other);
    const engine::Likeness likeness = engine::likeness(engine::read_preimage(kOne), engine::read_preimage(other));
    CHECK(likeness.same == comparison.same_fields + comparison.same_inputs);
    CHECK(likeness.different == comparison.fields.size() + comparison.inputs.size());
  }
}

TEST_CASE("a run lives while its process does, on this start of this machine", "[look]") {
  store::SeenRun run;
  run.pid = static_cast<int>(::getpid());
  run.host = store::host_name();
  run.boot = store::boot_id();
  run.started = store::now_in_microseconds();
  CHECK(engine::life_of(run) == engine::RunLife::alive);
  store::SeenRun other = run;
  other.started = 1;  // our process began long after it: its number was given to us
  CHECK(engine::life_of(other) == engine::RunLife::ended);
  other = run;
  other.boot = "of last week";
  CHECK(engine::life_of(other) == engine::RunLife::ended);
  other = run;
  other.host = "elsewhere";
  CHECK(engine::life_of(other) == engine::RunLife::elsewhere);
  other = run;
  other.ended = run.started;
  CHECK(engine::life_of(other) == engine::RunLife::ended);
  other = run;
  other.pid = 0;  // of a database in which pids were not kept
  CHECK(engine::life_of(other) == engine::RunLife::ended);
}

TEST_CASE("a process that ended and that nobody waited for does not live", "[look]") {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t ended{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) == 0);
  REQUIRE(::kill(child, 0) == 0);
  CHECK_FALSE(engine::process_lives(child));
  ::waitpid(child, nullptr, 0);
  CHECK(engine::process_lives(static_cast<int>(::getpid())));
  CHECK(engine::process_lives(1));
  CHECK_FALSE(engine::process_lives(0));
}

TEST_CASE("the history answers what was planned, tried and made", "[history]") {
  const test::ScratchDirectory scratch;
  const fs::path file = scratch.path() / "db.sqlite";
  test::ToyPlan toy;
  const std::size_t first = toy.add("first", "number", {{"value", 1}});
  toy.add("second", "sum", {}, {{"a", first}});
  const plan::Key key = toy.plan.tasks[0].key;
  store::Records records(file);
  const std::int64_t run = records.begin_run({"/toy.bgw", "", {}, {}, "default"});
  records.plan_tasks(run, toy.plan, {0, 1}, {"cached", "new"});
  store::AttemptStart start;
  start.cpus = 2;
  start.gpus = "0,1";
  const std::int64_t attempt = records.begin_attempt(run, key, start);

  store::RunHistory history(file);
  REQUIRE(history.open_runs("/toy.bgw", 5).size() == 1);
  CHECK(history.open_runs("/other.bgw", 5).empty());
  const store::SeenRun seen = history.open_runs("/toy.bgw", 5).front();
  CHECK(seen.pid == ::getpid());
  CHECK(seen.target == "default");
  CHECK(engine::life_of(seen) == engine::RunLife::alive);
  const std::vector<store::SeenTask> planned = history.planned(run);
  REQUIRE(planned.size() == 2);
  CHECK(planned[0].name == "first");
  CHECK(planned[0].was_cached);
  CHECK_FALSE(planned[1].was_cached);
  CHECK(history.inputs_of(toy.plan.tasks[1].key) == std::vector<plan::Key>{key});
  CHECK(history.last_plans().at(key).name == "first");
  CHECK(history.with_prefix(key.hex().substr(0, 5), 9) == std::vector<plan::Key>{key});
  CHECK(history.recent_of_kind("number", 9) == std::vector<plan::Key>{key});
  CHECK(history.newest_attempt(key)->cpus == 2);
  CHECK_FALSE(history.newest_attempt(key)->ended);
  CHECK_FALSE(history.successful_attempt(key));

  store::Database writer(file);
  {
    // One who writes neither waits for those who look nor makes them wait.
    store::Transaction open(writer);
    writer.execute("UPDATE t_run SET target = 'other'");
    CHECK(history.open_runs("/toy.bgw", 5).front().target == "default");
    open.commit();
  }
  CHECK(history.open_runs("/toy.bgw", 5).front().target == "other");

  store::AttemptRecord end;
  end.state = "done";
  end.seconds = 2.5;
  end.peak_memory = 1000;
  records.attempt_resumed(attempt, 40);
  records.end_attempt(attempt, end);
  records.end_run(run, 0);
  CHECK(history.open_runs("/toy.bgw", 5).empty());
  CHECK(history.newest_run("/toy.bgw")->exit_code == 0);
  CHECK(history.successful_attempt(key)->run == run);
  CHECK(history.successful_attempt(key)->resumed_from == 40);
  CHECK(history.peak_memory() == std::map<std::string, double>{{"number", 1000}});
  CHECK_FALSE(history.has_row(key));
}
