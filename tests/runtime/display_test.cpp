// What a run shows while it goes on.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/cli/progress_display.h"
#include "runtime/cli/run_tally.h"
#include "runtime/store/temporary_file.h"
#include "tests/support/catch.h"

namespace {

using namespace bgw;

// What is written to stderr in its scope.
class Heard {
 public:
  Heard() : before_(::dup(STDERR_FILENO)) { ::dup2(file_.descriptor(), STDERR_FILENO); }
  ~Heard() { end(); }
  Heard(const Heard&) = delete;
  Heard& operator=(const Heard&) = delete;
  std::string text() {
    end();
    return file_.read();
  }

 private:
  void end() {
    if (before_ < 0) return;
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    before_ = -1;
  }
  store::TemporaryFile file_;
  int before_;
};

// One heavy task and many small ones that read it.
plan::Plan plan_of(std::size_t small) {
  plan::Plan plan;
  plan.tasks.resize(small + 1);
  plan.tasks[0].name = "bg";
  plan.tasks[0].kind = "train";
  for (std::size_t task = 1; task <= small; ++task) {
    plan.tasks[task].name = "table" + std::to_string(task);
    plan.tasks[task].placement = plan::Placement::inline_;
    plan.tasks[task].inputs.push_back({"of", {}, 0});
  }
  return plan;
}

std::vector<engine::TaskStatus> all_to_run(const plan::Plan& plan, double seconds) {
  std::vector<engine::TaskStatus> statuses(plan.tasks.size());
  for (engine::TaskStatus& status : statuses) status.needed = true;
  statuses[0].estimated_seconds = seconds;
  return statuses;
}

constexpr std::size_t kMany = 10'000;

std::string shown_by(std::unique_ptr<engine::Observer> (*display)()) {
  const plan::Plan plan = plan_of(kMany);
  const std::vector<engine::TaskStatus> statuses = all_to_run(plan, 3);
  Heard heard;
  {
    const auto observer = display();
    observer->run_started(0, plan.tasks.size());
    observer->run_planned(plan, statuses);
    observer->task_started(plan.tasks[0], {});
    observer->task_finished(plan.tasks[0], {});
    for (std::size_t task = 1; task < plan.tasks.size(); ++task) observer->task_finished(plan.tasks[task], {});
  }
  return heard.text();
}

std::size_t lines_of(const std::string& text) { return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')); }

}  // namespace

TEST_CASE("ten thousand small tasks are counted, a heavy one has its line", "[display]") {
  const std::string text = shown_by(cli::plain_display);
  INFO(text.substr(0, 2000));
  CHECK(text.find("done   bg (") != std::string::npos);
  CHECK(text.find("table7") == std::string::npos);
  CHECK(text.find("small tasks inside bgw  [10001/10001]") != std::string::npos);
  CHECK(lines_of(text) < kMany / 10);
}

TEST_CASE("a terminal is not redrawn for each of ten thousand small tasks", "[display]") {
  const std::string text = shown_by(cli::terminal_display);
  CHECK(text.find("done   bg (") != std::string::npos);
  CHECK(lines_of(text) < kMany / 10);
  CHECK(text.find("[10001/10001]") != std::string::npos);
}

TEST_CASE("of many blocked tasks the first are told", "[display]") {
  const plan::Plan plan = plan_of(kMany);
  Heard heard;
  {
    const auto observer = cli::plain_display();
    observer->run_planned(plan, all_to_run(plan, 1));
    for (std::size_t task = 1; task < plan.tasks.size(); ++task) observer->task_blocked(plan.tasks[task], {"bg", false});
  }
  const std::string text = heard.text();
  CHECK(text.find("blocked table1: bg failed") != std::string::npos);
  CHECK(lines_of(text) < 100);
}

TEST_CASE("a tally says how far a run is and what is left", "[display]") {
  const plan::Plan plan = plan_of(3);
  cli::RunTally tally;
  CHECK(tally.line().empty());
  tally.begin(plan, all_to_run(plan, 600));
  CHECK(tally.line() == "4 waiting, 0 of 4 done, about 10 min 00 s left");
  tally.started(plan.tasks[0]);
  CHECK(tally.line().starts_with("1 running, 3 waiting, 0 of 4 done"));
  tally.done(plan.tasks[0]);
  tally.done(plan.tasks[1]);
  tally.failed(plan.tasks[2]);
  tally.blocked(plan.tasks[3]);
  CHECK(tally.line().starts_with("1 failed, 1 blocked, 2 of 4 done"));
  CHECK(tally.finished() == 2);
}

TEST_CASE("a task that waits for another attempt is not running", "[display]") {
  const plan::Plan plan = plan_of(0);
  cli::RunTally tally;
  tally.begin(plan, all_to_run(plan, 0));
  tally.started(plan.tasks[0]);
  tally.waits(plan.tasks[0]);
  CHECK(tally.line() == "1 waiting, 0 of 1 done");
  tally.started(plan.tasks[0]);
  tally.stopped(plan.tasks[0]);
  CHECK(tally.line() == "1 stopped, 0 of 1 done");
}
