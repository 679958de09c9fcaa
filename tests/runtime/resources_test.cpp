// Resources, retries and claims as a user meets them on the command line. A fake stands in the place of bgw-task.
#include <algorithm>
#include <set>

#include "tests/support/catch.h"
#include "tests/support/desk.h"

namespace {

using bgw::schema::parse_json;
using bgw::schema::Value;
using bgw::test::Answer;
using bgw::test::Desk;
using bgw::test::has;

void append(const Desk& desk, const std::string& text) { std::ofstream(desk.folder() / "ice.bgw", std::ios::app) << text; }

std::vector<Value> events(const std::string& json_lines, const std::string& name) {
  std::vector<Value> found;
  std::istringstream lines(json_lines);
  for (std::string line; std::getline(lines, line);) {
    Value event = parse_json(line);
    if (event.at("event").as_string() == name) found.push_back(std::move(event));
  }
  return found;
}

const char* const kTwoDevices = "CUDA_VISIBLE_DEVICES=3,GPU-7";

// Four trainings that want `gpus` each.
void add_gpu_tasks(const Desk& desk, int gpus) {
  append(desk, "\nresources device { cpus = 1; gpus = " + std::to_string(gpus) +
                   " }\naxis rep : int = [1, 2, 3, 4]\ntrain on[r in rep] extends bg { seed = r; uses = device }\n");
}

}  // namespace

TEST_CASE("four tasks that want a GPU get those of the inherited list, and the run tells which", "[commands][resources]") {
  const Desk desk;
  add_gpu_tasks(desk, 1);
  const Answer run = desk.bgw("run ice.bgw on --cpus 8 --json", kTwoDevices);
  INFO(run.err);
  REQUIRE(run.exit_code == 0);
  std::set<std::string> used;
  for (const Value& started : events(run.out, "task_started")) {
    if (started.at("task").as_string().find("on[") != 0) continue;
    REQUIRE(started.at("gpus").as_list().size() == 1);
    used.insert(started.at("gpus").as_list()[0].as_string());
  }
  CHECK(used == std::set<std::string>{"3", "GPU-7"});
  for (const Value& finished : events(run.out, "task_finished")) {
    if (finished.at("task").as_string().find("on[") == 0) CHECK(finished.at("peak_memory").as_int() > 0);
  }
}

TEST_CASE("more GPUs than there are warn before the run and end it before it starts", "[commands][resources]") {
  const Desk desk;
  add_gpu_tasks(desk, 4);
  const std::string message = "task on[1] needs 4 GPUs, this machine has 2";
  CHECK(has(desk.bgw("check ice.bgw", kTwoDevices).err, message));
  const Answer plan = desk.bgw("plan ice.bgw on", kTwoDevices);
  CHECK(plan.exit_code == 0);
  CHECK(has(plan.err, message));
  const Answer run = desk.bgw("run ice.bgw on", kTwoDevices);
  CHECK(run.exit_code == 3);
  CHECK(has(run.err, message));
  CHECK_FALSE(has(run.err, "start "));
}

TEST_CASE("a failing task waits, is tried again and given up with its first log, and its siblings go on", "[commands][retry]") {
  const Desk desk;
  append(desk, "\ntrain again extends bg { seed = 5; retry { attempts = 5; on = [nan]; backoff = 1 ms } }\ntarget both = [again, phonons]\n");
  const Answer run = desk.bgw("run ice.bgw both --json", "BGW_FAKE_FAIL=train");
  CHECK(run.exit_code == 4);
  const std::vector<Value> waiting = events(run.out, "task_waiting");
  REQUIRE(waiting.size() == 2);
  CHECK(waiting[0].at("cause").as_string() == "nan");
  CHECK(waiting[0].at("attempt").as_int() == 2);
  CHECK(waiting[0].at("attempts").as_int() == 5);
  const std::vector<Value> failed = events(run.out, "task_failed");
  REQUIRE(failed.size() == 1);  // the same failure three times in a minute
  CHECK(failed[0].at("attempts").as_int() == 3);
  const auto& lines = failed[0].at("last_log_lines").as_list();
  CHECK(std::count_if(lines.begin(), lines.end(), [](const Value& line) { return line.as_string() == "about to fail"; }) == 1);
  CHECK(events(run.out, "task_finished").size() == 2);

  const Answer told = desk.bgw("run ice.bgw again", "BGW_FAKE_FAIL=train");
  CHECK(has(told.err, "again  again in "));
  CHECK(has(told.err, "attempt 2 of 5 (nan): the energy is not finite at step 3"));
  CHECK(has(told.err, "failed again (nan, 3 attempts)"));
}
