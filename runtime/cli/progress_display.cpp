#include "runtime/cli/progress_display.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/cli/json_output.h"
#include "runtime/cli/result_view.h"
#include "runtime/cli/run_tally.h"
#include "runtime/cli/terminal.h"
#include "runtime/report/number_format.h"
#include "runtime/report/text_table.h"

namespace bgw::cli {
namespace {

using Clock = std::chrono::steady_clock;
using plan::TaskSpec;
using report::format_duration;
using schema::Map;
using schema::Value;

std::string numbers_text(const std::map<std::string, double>& numbers) {
  std::string text;
  for (const auto& [name, value] : numbers) text += fmt::format("  {} {:.5g}", name, value);
  return text;
}

std::string main_number(const std::vector<artifacts::Result>& results) {
  store::Manifest manifest;
  manifest.results = results;
  const artifacts::Result* main = main_result(manifest);
  if (!main) return "";
  const std::string unit = main->unit.empty() ? "" : " " + main->unit;
  return fmt::format("  {} {}{}", main->name, report::format_result(main->value, main->sigma), unit);
}

// The failures of a run matter in every display; the first one is told with its log.
class Failures : public engine::Observer {
 public:
  void task_failed(const TaskSpec& spec, const engine::TaskFailed& failed) override {
    const std::string tries = failed.attempts > 1 ? fmt::format(", {} attempts", failed.attempts) : "";
    say(fmt::format("{} {} ({}{}): {}", painted("failed", Colour::red, stderr), spec.name, failed.cause, tries, failed.message));
    if (told_) return;
    told_ = true;
    if (!failed.last_log_lines.empty()) say("  the last lines of its log:");
    for (const std::string& line : failed.last_log_lines) say("  | " + line);
    if (!failed.log.empty()) say("  all of it: " + failed.log.string());
  }
  void held_elsewhere(const TaskSpec& spec, const engine::ClaimOwner& owner) override {
    const std::string by = fmt::format("pid {} on {} for {}", owner.pid, owner.host, format_duration(std::floor(owner.seconds)));
    say(fmt::format("{} {}: held by {}{}", painted("refused", Colour::red, stderr), spec.name, by,
                    owner.gone ? ", which is gone; its task is about to stop" : ""));
  }
  void notice(const std::string& text) override { say(text); }

 protected:
  virtual void say(const std::string& line) { put(stderr, line + "\n"); }

 private:
  bool told_ = false;
};

// Tasks made inside bgw take no time worth a line each, and there may be thousands of them: they are counted, and the
// count is told now and then. Of tasks that cannot run the first few are told.
class Plain : public Failures {
 public:
  Plain() = default;
  ~Plain() override { tell_small_tasks(); }
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;

  void run_started(std::size_t cached, std::size_t to_run) override {
    if (to_run == 0) return;
    total_ = to_run;
    say(fmt::format("{} cached, {} to run", cached, to_run));
  }
  void run_planned(const plan::Plan& plan, const std::vector<engine::TaskStatus>& statuses) override { tally_.begin(plan, statuses); }
  void task_started(const TaskSpec& spec, const engine::TaskStarted& started) override {
    tally_.started(spec);
    const std::string gpus = started.gpus.empty() ? "" : fmt::format(", GPU {}", fmt::join(started.gpus, " "));
    say(fmt::format("start  {} ({} {}{})", spec.name, started.cpus, started.cpus == 1 ? "cpu" : "cpus", gpus));
  }
  void task_resumed(const TaskSpec& spec, const engine::Resumption& resumption) override {
    const std::string from = resumption.extends ? "finished work " + resumption.extends->short_hex()
                             : resumption.age   ? fmt::format("checkpoint {} old", format_duration(*resumption.age))
                                                : "checkpoint";
    say(fmt::format("resumed {} at step {} ({})", spec.name, resumption.step, from));
  }
  void task_progress(const TaskSpec& spec, const engine::Progress& progress) override {
    // A pipe or a log file wants to know that it goes on, not every step.
    const auto now = Clock::now();
    Clock::time_point& last = last_told_.try_emplace(&spec, now).first->second;
    if (now - last < kPause) return;
    last = now;
    say(fmt::format("       {}: {}", spec.name, progress_text(progress)));
  }
  void task_finished(const TaskSpec& spec, const engine::TaskFinished& finished) override {
    tally_.done(spec);
    if (spec.placement == plan::Placement::inline_) return count_small_task();
    tell_small_tasks();
    const std::string by = finished.by_another_run ? "by another run" : format_duration(finished.cost.seconds);
    say(fmt::format("done   {} ({}){}  [{}/{}]", spec.name, by, main_number(finished.results), tally_.finished(), total_));
  }
  void task_failed(const TaskSpec& spec, const engine::TaskFailed& failed) override {
    tally_.failed(spec);
    Failures::task_failed(spec, failed);
  }
  void held_elsewhere(const TaskSpec& spec, const engine::ClaimOwner& owner) override {
    tally_.stopped(spec);
    Failures::held_elsewhere(spec, owner);
  }
  void task_waiting(const TaskSpec& spec, const engine::TaskWaiting& waiting) override {
    tally_.waits(spec);
    const std::string when = waiting.seconds > 0 ? "in " + format_duration(waiting.seconds) : "at once";
    const std::string which = waiting.attempts > 1 ? fmt::format(", attempt {} of {}", waiting.attempt, waiting.attempts) : "";
    say(fmt::format("again  {} {}{} ({}): {}", spec.name, when, which, waiting.cause, waiting.message));
  }
  void task_silent(const TaskSpec& spec, double seconds) override {
    say(fmt::format("silent {}: no progress for {}; it is left alone", spec.name, format_duration(std::floor(seconds))));
  }
  void task_stopped(const TaskSpec& spec, bool saved) override {
    tally_.stopped(spec);
    say(fmt::format("stopped {}: {}", spec.name, saved ? "its state is saved" : "killed, its last checkpoint stays"));
  }
  void task_blocked(const TaskSpec& spec, const engine::Obstacle& obstacle) override {
    tally_.blocked(spec);
    if (++blocked_ == kBlockedShown + 1) say("blocked: more of them; `bgw status` counts all");
    if (blocked_ > kBlockedShown) return;
    say(fmt::format("blocked {}: {} {}", spec.name, obstacle.name, obstacle.is_require ? "does not hold" : "failed"));
  }
  void attached(const TaskSpec& spec, const engine::ClaimOwner& owner) override {
    const std::string since = owner.since.empty() ? "" : fmt::format(" (since {})", owner.since);
    say(fmt::format("attached: {} is being run by pid {} on {}{}", spec.name, owner.pid, owner.host, since));
  }
  void stopping(std::size_t running) override {
    say(fmt::format("stopping: {} {} saving state; once more to kill", running,
                    running == 1 ? "task is" : "tasks are"));
  }

 protected:
  static std::string progress_text(const engine::Progress& progress) {
    std::string text = progress.phase;
    if (progress.steps > 0) text += fmt::format("  {}/{}", progress.step, progress.steps);
    return text + numbers_text(progress.numbers);
  }
  virtual void count_small_task() {
    ++small_tasks_;
    if (Clock::now() - small_told_ > kPause) tell_small_tasks();
  }

  RunTally tally_;

 private:
  static constexpr std::size_t kBlockedShown = 20;
  static constexpr std::chrono::seconds kPause{10};  // between two lines about what goes on

  void tell_small_tasks() {
    if (small_tasks_ == 0) return;
    const std::size_t tasks = std::exchange(small_tasks_, 0);
    small_told_ = Clock::now();
    say(fmt::format("done   {} small {} inside bgw  [{}/{}]", tasks, tasks == 1 ? "task" : "tasks", tally_.finished(), total_));
  }

  std::size_t total_ = 0;
  std::size_t small_tasks_ = 0;  // done since that was told
  Clock::time_point small_told_ = Clock::now();
  std::size_t blocked_ = 0;
  std::map<const TaskSpec*, Clock::time_point> last_told_;
};

class Live : public Plain {
 public:
  ~Live() override { erase(); }
  Live() = default;
  Live(const Live&) = delete;
  Live& operator=(const Live&) = delete;

  void task_started(const TaskSpec& spec, const engine::TaskStarted& started) override {
    tally_.started(spec);
    const std::string gpus = started.gpus.empty() ? "" : fmt::format("  GPU {}", fmt::join(started.gpus, " "));
    lines_.push_back({&spec, {}, Clock::now(), 0, Clock::now(), gpus});
    redraw();
  }
  void task_progress(const TaskSpec& spec, const engine::Progress& progress) override {
    for (Line& line : lines_) {
      if (line.spec != &spec) continue;
      if (line.progress.phase != progress.phase || progress.step < line.first_step) {
        line.first_step = progress.step;
        line.phase_begin = Clock::now();
      }
      line.progress = progress;
      if (const std::optional<double> left = seconds_left(line)) tally_.told(spec, *left);
    }
    redraw();
  }
  void task_finished(const TaskSpec& spec, const engine::TaskFinished& finished) override {
    forget(spec);
    Plain::task_finished(spec, finished);
  }
  void task_failed(const TaskSpec& spec, const engine::TaskFailed& failed) override {
    forget(spec);
    Plain::task_failed(spec, failed);
  }
  void task_waiting(const TaskSpec& spec, const engine::TaskWaiting& waiting) override {
    forget(spec);
    Plain::task_waiting(spec, waiting);
  }
  void task_stopped(const TaskSpec& spec, bool saved) override {
    forget(spec);
    Plain::task_stopped(spec, saved);
  }

 protected:
  void say(const std::string& line) override {
    erase();
    Plain::say(line);
    draw();
  }
  void count_small_task() override {
    Plain::count_small_task();
    redraw();
  }

 private:
  struct Line {
    const TaskSpec* spec;
    engine::Progress progress;
    Clock::time_point phase_begin;
    std::int64_t first_step;  // at which this run took the phase up
    Clock::time_point begin;
    std::string gpus;  // "  GPU 0 1"
  };

  void forget(const TaskSpec& spec) {
    std::erase_if(lines_, [&](const Line& line) { return line.spec == &spec; });
  }

  static std::optional<double> seconds_left(const Line& line) {
    const std::chrono::duration<double> in_phase = Clock::now() - line.phase_begin;
    const auto made = static_cast<double>(line.progress.step - line.first_step);
    if (line.progress.steps <= 0 || made <= 0 || in_phase.count() <= 1) return std::nullopt;
    return in_phase.count() / made * static_cast<double>(line.progress.steps - line.progress.step);
  }

  static std::string text_of(const Line& line) {
    const std::chrono::duration<double> elapsed = Clock::now() - line.begin;
    const std::string since = elapsed.count() < 1 ? "" : "  " + format_duration(std::floor(elapsed.count()));
    std::string text = fmt::format("  {}{}  {}", line.spec->name, since, progress_text(line.progress));
    if (const std::optional<double> left = seconds_left(line)) text += "  left " + format_duration(*left);
    return text + line.gpus;
  }

  // Cuts at the terminal's width: a wrapped line could not be taken back.
  static std::string cut(const std::string& text, std::size_t width) {
    std::string kept;
    std::size_t count = 0;
    for (const char c : text) {
      if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U && ++count >= width) break;
      kept += c;
    }
    return kept;
  }

  void redraw() {
    const auto now = Clock::now();
    if (now - last_draw_ < std::chrono::milliseconds(100)) return;
    erase();
    draw();
  }
  void draw() {
    const std::size_t width = terminal_width(stderr);
    std::string text;
    drawn_ = std::min(lines_.size(), kLinesShown);  // what has left the screen above could not be taken back
    for (std::size_t i = 0; i < drawn_; ++i) text += cut(text_of(lines_[i]), width) + "\n";
    if (const std::string line = tally_.line(); !line.empty()) {
      text += cut("  " + line, width) + "\n";
      ++drawn_;
    }
    put(stderr, text);
    last_draw_ = Clock::now();
  }
  void erase() {
    if (drawn_ > 0) put(stderr, fmt::format("\033[{}A\033[J", drawn_));
    drawn_ = 0;
  }

  static constexpr std::size_t kLinesShown = 20;
  std::vector<Line> lines_;
  std::size_t drawn_ = 0;
  Clock::time_point last_draw_;
};

class Json : public engine::Observer {
 public:
  void run_started(std::size_t cached, std::size_t to_run) override {
    tell("run_started", {{"cached", static_cast<std::int64_t>(cached)}, {"to_run", static_cast<std::int64_t>(to_run)}});
  }
  void task_started(const TaskSpec& spec, const engine::TaskStarted& started) override {
    Map map{{"cpus", started.cpus}};
    if (!started.gpus.empty()) map.insert_or_assign("gpus", schema::List(started.gpus.begin(), started.gpus.end()));
    if (started.checkpoint_age) map.insert_or_assign("checkpoint_age_s", *started.checkpoint_age);
    tell("task_started", std::move(map), &spec);
  }
  void task_resumed(const TaskSpec& spec, const engine::Resumption& resumption) override {
    Map map{{"step", resumption.step}};
    if (resumption.age) map.insert_or_assign("checkpoint_age_s", *resumption.age);
    if (resumption.extends) map.insert_or_assign("extends", resumption.extends->hex());
    tell("task_resumed", std::move(map), &spec);
  }
  void task_progress(const TaskSpec& spec, const engine::Progress& progress) override {
    Map numbers;
    for (const auto& [name, value] : progress.numbers) {
      if (std::isfinite(value)) numbers.insert_or_assign(name, value);
    }
    tell("task_progress",
         {{"phase", progress.phase},
          {"step", progress.step},
          {"steps", progress.steps},
          {"numbers", std::move(numbers)}},
         &spec);
  }
  void task_finished(const TaskSpec& spec, const engine::TaskFinished& finished) override {
    tell("task_finished",
         {{"seconds", finished.cost.seconds},
          {"energy_call_equivalents", finished.cost.energy_call_equivalents()},
          {"by_another_run", finished.by_another_run},
          {"peak_memory", static_cast<std::int64_t>(finished.peak_memory)}},
         &spec);
  }
  void task_waiting(const TaskSpec& spec, const engine::TaskWaiting& waiting) override {
    tell("task_waiting",
         {{"cause", waiting.cause},
          {"message", waiting.message},
          {"seconds", waiting.seconds},
          {"attempt", waiting.attempt},
          {"attempts", waiting.attempts}},
         &spec);
  }
  void task_silent(const TaskSpec& spec, double seconds) override { tell("task_silent", {{"seconds", seconds}}, &spec); }
  void task_failed(const TaskSpec& spec, const engine::TaskFailed& failed) override {
    schema::List lines;
    for (const std::string& line : failed.last_log_lines) lines.push_back(line);
    tell("task_failed",
         {{"cause", failed.cause},
          {"message", failed.message},
          {"attempts", failed.attempts},
          {"last_log_lines", std::move(lines)}},
         &spec);
  }
  void task_stopped(const TaskSpec& spec, bool saved) override { tell("task_stopped", {{"saved", saved}}, &spec); }
  void task_blocked(const TaskSpec& spec, const engine::Obstacle& obstacle) override {
    tell("task_blocked", {{obstacle.is_require ? "require" : "upstream", obstacle.name}}, &spec);
  }
  void attached(const TaskSpec& spec, const engine::ClaimOwner& owner) override {
    tell("attached", owner_map(owner), &spec);
  }
  void held_elsewhere(const TaskSpec& spec, const engine::ClaimOwner& owner) override {
    tell("held_elsewhere", owner_map(owner), &spec);
  }
  void stopping(std::size_t running) override { tell("stopping", {{"running", static_cast<std::int64_t>(running)}}); }
  void notice(const std::string& text) override { tell("notice", {{"text", text}}); }

 private:
  static Map owner_map(const engine::ClaimOwner& owner) {
    return {{"pid", owner.pid}, {"host", owner.host}, {"since", owner.since}, {"seconds", owner.seconds}};
  }
  static void tell(const char* event, Map map, const TaskSpec* spec = nullptr) {
    map.insert_or_assign("event", event);
    if (spec) {
      map.insert_or_assign("task", spec->name);
      map.insert_or_assign("key", spec->key.hex());
    }
    put(stdout, document_line(map));
  }
};

}  // namespace

std::unique_ptr<engine::Observer> quiet_display() { return std::make_unique<Failures>(); }
std::unique_ptr<engine::Observer> plain_display() { return std::make_unique<Plain>(); }
std::unique_ptr<engine::Observer> terminal_display() { return std::make_unique<Live>(); }
std::unique_ptr<engine::Observer> json_display() { return std::make_unique<Json>(); }

std::unique_ptr<engine::Observer> choose_display(bool quiet, bool json, std::FILE* stream) {
  if (json) return json_display();
  if (quiet) return quiet_display();
  const char* term = std::getenv("TERM");
  const bool moves = is_terminal(stream) && term && std::string_view(term) != "dumb";
  return moves ? terminal_display() : plain_display();
}

}  // namespace bgw::cli
