// The commands that look: status, logs, why, diff, doctor.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <thread>

#include "tests/support/desk.h"

namespace {

namespace fs = std::filesystem;
using bgw::schema::parse_json;
using bgw::schema::Value;
using bgw::test::Answer;
using bgw::test::Desk;
using bgw::test::has;
using bgw::test::text_of;

Value status_of(const Desk& desk, const std::string& words = "") {
  const Answer answer = desk.bgw("status ice.bgw --json " + words);
  INFO(answer.err);
  REQUIRE(answer.exit_code == 0);
  return parse_json(answer.out);
}

const Value* first_in_state(const Value& status, const std::string& state) {
  for (const Value& board : status.at("boards").as_list()) {
    for (const Value& task : board.at("tasks").as_list()) {
      if (task.at("state").as_string() == state) return &task;
    }
  }
  return nullptr;
}

// Asks until the answer is right; gives up after minutes, when something is broken.
void wait_until(const std::function<bool()>& is_so) {
  for (int asked = 0; asked < 1200; ++asked) {
    if (is_so()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  FAIL("what was waited for did not happen");
}

// A run in another process, seen when its first task has made steps.
Value wait_for_running_task(const Desk& desk) {
  Value task;
  wait_until([&] {
    const Value status = status_of(desk);
    const Value* running = first_in_state(status, "running");
    if (!running || running->int_or("step", 0) < 2) return false;
    task = *running;
    return true;
  });
  return task;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string key_of(const Desk& desk, const std::string& name) {
  return parse_json(desk.bgw("list ice.bgw '" + name + "' --json").out).as_list().front().at("key").as_string();
}

}  // namespace

TEST_CASE("status of a program that never ran tells what there is to do and makes nothing", "[status]") {
  const Desk desk;
  const Answer answer = desk.bgw("status ice.bgw");
  CHECK(answer.exit_code == 0);
  CHECK(has(answer.out, "no run yet"));
  CHECK(has(answer.out, "13 tasks: 13 to run"));
  const Value status = status_of(desk, "'ref[64]'");
  CHECK_FALSE(status.at("on").as_bool());
  CHECK(status.at("boards").as_list().front().at("counts").at("missing").as_int() == 2);
  CHECK_FALSE(fs::exists(desk.folder() / ".bgw"));
  CHECK(desk.bgw("status ice.bgw nosuch").exit_code == 3);
}

TEST_CASE("status and logs show a run from another terminal, and end when it ends", "[status]") {
  const Desk desk;
  desk.start("run", "run ice.bgw --quiet", "BGW_FAKE_STEPS=60");
  const Value task = wait_for_running_task(desk);
  CHECK(task.at("phase").as_string() == "making it up");
  CHECK(task.at("steps").as_int() == 60);
  CHECK(task.at("numbers").at("loss").as_double() == 0.5);
  CHECK(task.at("cpus").as_int() >= 1);
  CHECK(::kill(static_cast<pid_t>(task.at("pid").as_int()), 0) == 0);
  const std::string name = task.at("name").as_string();
  const Answer log = desk.bgw("logs ice.bgw '" + name + "' --follow");
  CHECK(log.exit_code == 0);
  CHECK(has(log.out, "--- attempt begins "));
  const Answer watched = desk.bgw("status ice.bgw --watch --json");
  CHECK(watched.exit_code == 0);
  const Value before = parse_json(watched.out.substr(0, watched.out.find('\n')));
  CHECK(before.at("on").as_bool());
  CHECK(before.at("boards").as_list().front().at("run").at("life").as_string() == "alive");
  const Value after = status_of(desk);
  CHECK_FALSE(after.at("on").as_bool());
  CHECK(after.at("boards").as_list().front().at("counts").at("cached").as_int() == 13);
  wait_until([&] { return fs::exists(desk.folder() / "run.rc"); });
  CHECK(text_of(desk.folder() / "run.rc") == "0\n");
  CHECK(has(desk.bgw("status ice.bgw").out, "ended"));
}

TEST_CASE("what a killed run left is told with the step to go on from", "[status]") {
  const Desk desk;
  desk.start("run", "run ice.bgw --quiet", "BGW_FAKE_STEPS=100");
  const Value task = wait_for_running_task(desk);
  const Value run = status_of(desk).at("boards").as_list().front().at("run");
  REQUIRE(::kill(static_cast<pid_t>(run.at("pid").as_int()), SIGKILL) == 0);
  Value status;
  wait_until([&] {
    status = status_of(desk);
    return !status.at("on").as_bool() && !first_in_state(status, "running");
  });
  CHECK(status.at("boards").as_list().front().at("run").at("life").as_string() == "killed");
  const Value* stopped = first_in_state(status, "stopped");
  REQUIRE(stopped);
  CHECK(stopped->at("checkpoint_step").as_int() >= 1);
  CHECK(stopped->at("checkpoint_age_s").as_double() >= 0);
  const std::string name = stopped->at("name").as_string();
  CHECK(has(desk.bgw("status ice.bgw").out, "was killed"));
  CHECK(has(desk.bgw("log ice.bgw").out, "killed"));
  CHECK(has(desk.bgw("logs ice.bgw '" + name + "'").out, "stopped on request"));
  REQUIRE(desk.bgw("run ice.bgw --quiet").exit_code == 0);
  CHECK(count_of(desk.bgw("logs ice.bgw '" + name + "'").out, "--- attempt begins ") == 1);
  const Answer all = desk.bgw("logs ice.bgw '" + name + "' --all");
  CHECK(count_of(all.out, "--- attempt begins ") == 2);
  CHECK(has(all.out, "stopped on request"));
}

TEST_CASE("a failure is told with its cause, and what it blocks is counted", "[status]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw --quiet", "BGW_FAKE_FAIL=train").exit_code == 4);
  const Value status = status_of(desk);
  const Value* failed = first_in_state(status, "failed");
  REQUIRE(failed);
  CHECK(failed->at("name").as_string() == "bg");
  CHECK(failed->at("cause").as_string() == "nan");
  CHECK(first_in_state(status, "blocked") != nullptr);
  CHECK(has(desk.bgw("status ice.bgw").out, "nan: the energy is not finite at step 3"));
  const Answer log = desk.bgw("logs ice.bgw bg --json");
  CHECK(log.exit_code == 0);
  CHECK(parse_json(log.out).at("state").as_string() == "failed");
  CHECK(has(log.out, "about to fail"));
  CHECK(desk.bgw("logs ice.bgw 'F[64]'").exit_code == 4);
}

TEST_CASE("logs of a family have headers, of one task none, and what has no log says so", "[logs]") {
  const Desk desk;
  const Answer none = desk.bgw("logs ice.bgw bg");
  CHECK(none.exit_code == 4);
  CHECK(has(none.err, "`bgw run ice.bgw bg` begins it"));
  CHECK(desk.bgw("logs ice.bgw bg -f").exit_code == 4);
  CHECK_FALSE(fs::exists(desk.folder() / ".bgw"));
  const Answer unknown = desk.bgw("logs ice.bgw bgg");
  CHECK(unknown.exit_code == 3);
  CHECK(has(unknown.err, "did you mean `bg`?"));
  const Answer small = desk.bgw("logs ice.bgw free_energy");
  CHECK(small.exit_code == 3);
  CHECK(has(small.err, "has no log"));
  REQUIRE(desk.bgw("run ice.bgw draws --quiet").exit_code == 0);
  const Answer family = desk.bgw("logs ice.bgw draws");
  CHECK(family.exit_code == 0);
  CHECK(has(family.out, "==> draws[64] (cached) <=="));
  CHECK(has(family.out, "==> draws[216] (cached) <=="));
  CHECK_FALSE(has(desk.bgw("logs ice.bgw bg").out, "==>"));
  CHECK(count_of(desk.bgw("logs ice.bgw bg -n 1").out, "\n") == 1);
  CHECK(parse_json(desk.bgw("logs ice.bgw draws --json").out).as_list().size() == 2);
  const Answer followed = desk.bgw("logs ice.bgw draws --follow");
  CHECK(followed.exit_code == 0);
  CHECK(has(followed.out, "draws[216] | --- attempt begins "));
  CHECK(has(followed.out, "draws[64]  | --- attempt begins "));
}

TEST_CASE("a family may have more logs than a process may have open files", "[logs]") {
  const Desk desk;
  std::ofstream(desk.folder() / "ice.bgw", std::ios::app) << "\ntarget processes = [phonons, bg, draws, ref, F]\n";
  REQUIRE(desk.bgw("run ice.bgw processes --quiet").exit_code == 0);
  bool all = false;
  for (int limit = 12; limit < 24; ++limit) {
    const std::string command = "cd '" + desk.folder().string() + "' && ulimit -n " + std::to_string(limit) + " && '" BGW_PROGRAM "' logs ice.bgw processes >limited.txt 2>&1 </dev/null";
    const int status = std::system(command.c_str());
    REQUIRE(WIFEXITED(status));
    if (WEXITSTATUS(status) != 0) continue;  // too few for anything
    INFO(limit);
    CHECK(count_of(text_of(desk.folder() / "limited.txt"), "--- attempt begins ") == 9);
    all = true;
  }
  CHECK(all);
}

TEST_CASE("why names what changed, what stayed, and the root of a change upstream", "[why]") {
  const Desk desk;
  CHECK(has(desk.bgw("why ice.bgw bg").out, "nothing earlier"));
  CHECK_FALSE(fs::exists(desk.folder() / ".bgw"));
  REQUIRE(desk.bgw("run ice.bgw --quiet").exit_code == 0);
  const Answer cached = desk.bgw("why ice.bgw bg");
  CHECK(has(cached.out, "bg (train), key "));
  CHECK(has(cached.out, ": cached"));
  CHECK(has(cached.out, "made by run 1 on "));
  const Answer longer = desk.bgw("why ice.bgw bg -p steps=1_000_000");
  CHECK(longer.exit_code == 0);
  CHECK(has(longer.out, "Changed: stage main.steps 60 -> 1 000 000\n"));
  CHECK(has(longer.out, "other fields, 1 input\n"));
  const Answer warmer = desk.bgw("why ice.bgw 'F[64]' -p T=210K");
  CHECK(has(warmer.out, "Changed: input data: ref[64] "));
  CHECK(has(warmer.out, "Root cause: bg: ensemble.temperature 200 K -> 210 K\n"));
  CHECK(has(warmer.out, "Same: 13 fields, 0 inputs"));
  const Value json = parse_json(desk.bgw("why ice.bgw 'F[64]' -p steps=600 --json").out);
  CHECK(json.at("status").as_string() == "run");
  CHECK(json.at("made_by").is_none());
  CHECK(json.at("nearest").at("run").as_int() == 1);
  CHECK(json.at("nearest").at("changes").as_list().empty());
  CHECK(json.at("nearest").at("same_inputs").as_int() == 1);
  REQUIRE(json.at("causes").as_list().size() == 1);
  const Value& cause = json.at("causes").as_list().front();
  CHECK(cause.at("name").as_string() == "bg");
  CHECK(cause.at("changes").as_list().front().at("field").as_string() == "stage main.steps");
  CHECK(parse_json(desk.bgw("why ice.bgw bg --json").out).at("made_by").at("run").as_int() == 1);
}

TEST_CASE("why takes keys and their first digits, also of what the program no longer has", "[why]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw bg --quiet").exit_code == 0);
  const std::string key = key_of(desk, "bg");
  CHECK(has(desk.bgw("why ice.bgw " + key.substr(0, 6)).out, "bg (train), key " + key.substr(0, 12) + ": cached"));
  const Answer old = desk.bgw("why ice.bgw -p steps=600 " + key);
  CHECK(old.exit_code == 0);
  CHECK(has(old.out, "cached, not of the program as it stands"));
  const Answer unknown = desk.bgw("why ice.bgw bgg");
  CHECK(unknown.exit_code == 3);
  CHECK(has(unknown.err, "did you mean `bg`?"));
  CHECK(desk.bgw("why ice.bgw 000000").exit_code == 3);
}

TEST_CASE("diff sets fields, inputs and results of two tasks side by side", "[diff]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw --quiet").exit_code == 0);
  REQUIRE(desk.bgw("run ice.bgw --quiet -p steps=600", "BGW_FAKE_SHIFT=0.001").exit_code <= 5);
  const std::string before = key_of(desk, "bg");
  const Answer answer = desk.bgw("diff ice.bgw -p steps=600 " + before.substr(0, 8) + " bg");
  INFO(answer.err);
  CHECK(answer.exit_code == 0);
  CHECK(has(answer.out, "stage main.steps 60 -> 600"));
  CHECK(has(answer.out, "0.7"));  // 0.001 with twice 1e-3 in quadrature
  const Value json = parse_json(desk.bgw("diff ice.bgw 'draws[64]' 'draws[216]' --json").out);
  CHECK(json.at("same_fields").as_int() > 10);
  CHECK(json.at("inputs").as_list().size() == 1);
  const Value& result = json.at("results").as_list().back();
  CHECK(result.at("name").as_string() == "per_particle");
  CHECK(result.at("difference").as_double() == Approx(-25.0823 + 25.1631));
  CHECK(result.at("sigmas").as_double() == Approx((-25.0823 + 25.1631) / (2e-4 * std::sqrt(2.0))));
  const Answer alone = desk.bgw("diff --cache .bgw " + before + " " + before.substr(0, 6));
  CHECK(alone.exit_code == 0);
  CHECK(has(alone.out, "the same key"));
}

TEST_CASE("looking leaves the cache as it was", "[status][logs][why][diff][doctor]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw --quiet").exit_code == 0);
  const auto files = [&] {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(desk.folder() / ".bgw")) names.push_back(entry.path().string());
    std::sort(names.begin(), names.end());
    return names;
  };
  const std::vector<std::string> before = files();
  for (const char* command : {"status ice.bgw", "logs ice.bgw bg", "why ice.bgw bg", "diff ice.bgw 'F[64]' 'F[216]'", "doctor ice.bgw"}) {
    INFO(command);
    CHECK(desk.bgw(command).exit_code == 0);
    CHECK(files() == before);
  }
}

TEST_CASE("digits with which several keys begin are told with the keys", "[diff]") {
  const Desk desk;
  for (const char* end : {"1", "2"}) fs::create_directories(desk.folder() / ".bgw" / "objects" / "ab" / ("abcd" + std::string(59, '0') + end));
  const Answer answer = desk.bgw("diff abcd abcd");
  CHECK(answer.exit_code == 3);
  CHECK(has(answer.err, "2 keys begin with abcd"));
  const Answer damaged = desk.bgw("diff abcd" + std::string(59, '0') + "1 abcd" + std::string(59, '0') + "2");
  CHECK(damaged.exit_code == 6);
  CHECK(has(damaged.err, "nothing is known of key abcd00000000"));
  CHECK(desk.bgw("diff abc abc").exit_code == 3);
  CHECK(desk.bgw("diff abcd").exit_code == 2);
  CHECK(desk.bgw("diff ice.bgw draws bg").exit_code == 3);
}

TEST_CASE("two programs are compared task by task", "[diff]") {
  const Desk desk;
  std::string text = text_of(desk.folder() / "ice.bgw");
  const std::string steps = "param steps : int         = 60";
  REQUIRE(has(text, steps));
  text.replace(text.find(steps), steps.size(), "param steps : int         = 90");
  std::ofstream(desk.folder() / "longer.bgw") << text;
  const Answer answer = desk.bgw("diff ice.bgw longer.bgw");
  CHECK(answer.exit_code == 0);
  CHECK(has(answer.out, "changed  bg: stage main.steps 60 -> 90"));
  CHECK(has(answer.out, "changed  draws[64]: its inputs"));
  const Value json = parse_json(desk.bgw("diff ice.bgw longer.bgw --json").out);
  CHECK(json.at("added").as_list().empty());
  CHECK(json.at("same").as_int() + static_cast<std::int64_t>(json.at("changed").as_list().size()) == 13);
}

TEST_CASE("doctor finds nothing bad where all is well, and the way out where it is not", "[doctor]") {
  const Desk desk;
  const Answer well = desk.bgw("doctor ice.bgw --json", "LD_PRELOAD= OMP_PROC_BIND=");
  INFO(well.out + well.err);
  CHECK(well.exit_code == 0);
  CHECK(parse_json(well.out).at("verdict").as_string() != "bad");
  CHECK(parse_json(well.out).at("kinds").as_list().size() == 6);
  CHECK_FALSE(fs::exists(desk.folder() / ".bgw"));
  const Answer slow = desk.bgw("doctor", "BGW_FAKE_BLAS=/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0 BGW_FAKE_GFLOPS=1.1");
  CHECK(slow.exit_code == 6);
  CHECK(has(slow.out, "apt-get install libopenblas0-pthread"));
  CHECK(has(desk.bgw("doctor", "BGW_FAKE_GFLOPS=1.1").out, ": slow"));
  CHECK(has(desk.bgw("doctor", "OMP_PROC_BIND=close").out, "unset OMP_PROC_BIND"));
  const Answer without = desk.bgw("doctor", "BGW_TASK=/nowhere/bgw-task");
  CHECK(without.exit_code == 6);
  CHECK(has(without.out, "BGW_TASK names /nowhere/bgw-task"));
}

TEST_CASE("doctor tells what a program asks for that the machine has not, and what tasks took before", "[doctor]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw bg --quiet").exit_code == 0);
  std::ofstream(desk.folder() / "ice.bgw", std::ios::app)
      << "\nresources large { cpus = 4000 }\nbase heavy { kind = phonon; system = water[64]; ensemble = cold; uses = large }\n";
  const Answer answer = desk.bgw("doctor ice.bgw --json");
  CHECK(answer.exit_code == 6);
  CHECK(has(answer.out, "heavy"));
  const Value report = parse_json(answer.out);
  for (const Value& kind : report.at("kinds").as_list()) {
    if (kind.at("kind").as_string() != "base") continue;
    CHECK(kind.at("cpus").as_int() == 4000);
    CHECK(kind.at("estimated").as_int() == kind.at("to_run").as_int());
    CHECK(kind.at("estimated_bytes").as_double() > 0);
  }
}

TEST_CASE("a database of a newer bgw is told by doctor and refused by what reads it", "[doctor]") {
  const Desk desk;
  REQUIRE(desk.bgw("run ice.bgw bg --quiet").exit_code == 0);
  std::fstream file(desk.folder() / ".bgw" / "db.sqlite", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(60);  // user_version, big-endian
  file.write("\0\0\0\x63", 4);
  file.close();
  const Answer answer = desk.bgw("doctor ice.bgw");
  CHECK(answer.exit_code == 6);
  CHECK(has(answer.out, "newer bgw (schema 99)"));
  CHECK(desk.bgw("status ice.bgw").exit_code == 6);
  CHECK(desk.bgw("why ice.bgw bg").exit_code == 6);
}

TEST_CASE("a run tells of small tasks in one line, however many there are", "[display]") {
  const Desk desk;
  const Answer answer = desk.bgw("run ice.bgw");
  CHECK(answer.exit_code == 0);
  CHECK(has(answer.err, "done   bg ("));
  CHECK_FALSE(has(answer.err, "done   free_energy"));
  CHECK(count_of(answer.err, "small task") >= 1);
}
