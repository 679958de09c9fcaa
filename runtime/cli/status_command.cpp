#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/run_board.h"
#include "runtime/cli/terminal.h"
#include "runtime/engine/program_identity.h"
#include "runtime/report/number_format.h"
#include "runtime/report/text_table.h"
#include "runtime/store/clock.h"

namespace bgw::cli {
namespace {

using engine::RunLife;
using report::format_duration;
using schema::Map;
using schema::Value;

constexpr int kOpenRuns = 50;  // that are asked whether they live

std::string whole_seconds(double seconds) { return format_duration(seconds < 10 ? seconds : std::floor(seconds)); }

// What is on and, where nothing is, how the program stands.
struct Status {
  std::vector<Board> boards;            // of runs that are on, oldest first; else one of the program
  std::optional<store::SeenRun> newest; // the newest run, where none is on
  bool on = false;
};

std::vector<std::string> names_of(const plan::Plan& plan, const std::vector<std::size_t>& tasks) {
  std::vector<std::string> names;
  for (const std::size_t task : tasks) {
    const plan::TaskSpec& spec = plan.tasks[task];
    names.push_back(spec.kind + "." + spec.name);
    for (const std::string& name : spec.also_named) names.push_back(spec.kind + "." + name);
  }
  return names;
}

Status look(const lowering::Program& program, const StatusOptions& options) {
  const store::Cache cache = store::Cache::look(cache_directory(options));
  const std::vector<std::size_t> tasks = with_inputs(program.plan, find_wanted(program, options.targets).tasks);
  std::unique_ptr<store::RunHistory> history;
  if (cache.has_records()) history = std::make_unique<store::RunHistory>(cache.layout().database());
  Status status;
  if (history) {
    const std::string identity = engine::program_identity(program.plan);
    const std::vector<std::string> names = options.targets.empty() ? std::vector<std::string>() : names_of(program.plan, tasks);
    for (const store::SeenRun& run : history->open_runs(identity, kOpenRuns)) {
      if (engine::life_of(run) != RunLife::ended) status.boards.insert(status.boards.begin(), board_of_run(run, names, cache, *history));
    }
    status.newest = history->newest_run(identity);
  }
  status.on = !status.boards.empty();
  if (!status.on) status.boards.push_back(board_of_plan(program.plan, tasks, cache, history.get()));
  return status;
}

// ---- text ------------------------------------------------------------------------------------------------------------

std::string progress_text(const engine::Progress& progress) {
  std::string text = progress.phase;
  if (progress.steps > 0) text += fmt::format("  {}/{}", progress.step, progress.steps);
  for (const auto& [name, number] : progress.numbers) text += fmt::format("  {} {:.5g}", name, number);
  return text;
}

std::string checkpoint_text(const engine::TaskLook& look) {
  if (!look.checkpoint_age) return "";
  std::string text = fmt::format("checkpoint {} old", whole_seconds(*look.checkpoint_age));
  if (look.checkpoint_step) text += fmt::format(" (step {})", report::format_count(*look.checkpoint_step));
  return text;
}

std::string running_text(const BoardTask& task) {
  std::vector<std::string> parts;
  if (task.look.progress) parts.push_back(progress_text(task.look.progress->newest));
  parts.push_back(whole_seconds(task.elapsed()));
  if (task.seconds_left) parts.push_back("left " + whole_seconds(*task.seconds_left));
  parts.push_back(fmt::format("cpus: {}", task.look.attempt->cpus));
  if (!task.look.attempt->gpus.empty()) parts.push_back(fmt::format("gpu: {}", task.look.attempt->gpus));
  if (task.attempt && task.attempt->resumed_from) parts.push_back(fmt::format("resumed at step {}", report::format_count(*task.attempt->resumed_from)));
  if (std::string text = checkpoint_text(task.look); !text.empty()) parts.push_back(std::move(text));
  parts.push_back(fmt::format("pid {}", task.look.attempt->pid));
  if (task.look.stands_still()) parts.push_back(painted(fmt::format("stands still: silent for {}", whole_seconds(task.look.silent_seconds)), Colour::yellow, stdout));
  return fmt::format("{}", fmt::join(parts, "  "));
}

std::string stopped_text(const BoardTask& task) {
  return fmt::format("goes on from its {}", checkpoint_text(task.look));
}

std::string detail_text(const BoardTask& task) {
  switch (task.state) {
    case TaskState::running: return running_text(task);
    case TaskState::stopped: return stopped_text(task);
    case TaskState::failed: return fmt::format("{}: {}", task.attempt->cause, task.attempt->message);
    default: return "";
  }
}

std::string counts_text(const Board& board) {
  std::vector<std::string> parts;
  for (const TaskState state : {TaskState::cached, TaskState::done, TaskState::running, TaskState::waiting, TaskState::failed,
                                TaskState::blocked, TaskState::stopped, TaskState::missing}) {
    const auto found = board.counts.find(state);
    if (found == board.counts.end() || found->second == 0) continue;
    const char* word = state == TaskState::missing ? "to run" : to_text(state);
    parts.push_back(fmt::format("{} {}", found->second, word));
  }
  std::string text = fmt::format("{} {}", board.tasks.size(), board.tasks.size() == 1 ? "task" : "tasks");
  if (!parts.empty()) text += fmt::format(": {}", fmt::join(parts, ", "));
  if (board.seconds_left > 0) text += fmt::format("; about {} left", whole_seconds(board.seconds_left));
  if (board.without_estimate > 0) text += fmt::format("{} no estimate for {}", board.seconds_left > 0 ? "," : ";", board.without_estimate);
  return text;
}

std::string headline(const Status& status, const Board& board, const std::string& program) {
  if (board.run) {
    const char* where = board.life == RunLife::elsewhere ? ", which cannot be seen from here" : "";
    const std::string target = board.run->target.empty() ? "" : ", target " + board.run->target;
    return fmt::format("{}: run {} is on (pid {} on {}{}, since {}{})", program, board.run->id, board.run->pid, board.run->host, where,
                       report::format_time(board.run->started), target);
  }
  if (!status.newest) return fmt::format("{}: no run yet", program);
  const store::SeenRun& last = *status.newest;
  if (!last.ended) return fmt::format("{}: no run is on; run {} of {} was killed", program, last.id, report::format_time(last.started));
  return fmt::format("{}: no run is on; run {} ended {} with exit code {}", program, last.id, report::format_time(*last.ended), last.exit_code);
}

std::string text_of(const Status& status, const std::string& program) {
  constexpr std::size_t kShown = 30;  // tasks of a state
  std::string text;
  for (const Board& board : status.boards) {
    text += fmt::format("{}\n  {}\n", headline(status, board, program), counts_text(board));
    std::size_t width = 0;
    for (const BoardTask& task : board.tasks) {
      if (!detail_text(task).empty()) width = std::max(width, report::width_of(task.name));
    }
    for (const TaskState state : {TaskState::running, TaskState::stopped, TaskState::failed}) {
      std::size_t shown = 0;
      for (const BoardTask& task : board.tasks) {
        if (task.state != state || ++shown > kShown) continue;
        const std::string blanks(width - std::min(width, report::width_of(task.name)), ' ');
        text += fmt::format("  {:<8} {}{}  {}\n", to_text(state), task.name, blanks, detail_text(task));
      }
      if (shown > kShown) text += fmt::format("  {:<8} … and {} more\n", to_text(state), shown - kShown);
    }
  }
  return text;
}

// ---- JSON ------------------------------------------------------------------------------------------------------------

void put_progress(Map& map, const engine::TaskLook& look) {
  if (look.progress) {
    Map numbers;
    for (const auto& [name, number] : look.progress->newest.numbers) numbers.insert_or_assign(name, artifacts::number_or_none(number));
    map.insert({{"phase", look.progress->newest.phase},
                {"step", look.progress->newest.step},
                {"steps", look.progress->newest.steps},
                {"numbers", std::move(numbers)},
                {"told_us", look.progress->time}});
  }
  if (look.checkpoint_age) map.insert_or_assign("checkpoint_age_s", *look.checkpoint_age);
  if (look.checkpoint_step) map.insert_or_assign("checkpoint_step", *look.checkpoint_step);
}

Value to_value(const BoardTask& task) {
  Map map{{"name", task.name}, {"kind", task.kind}, {"key", task.key.hex()}, {"state", to_text(task.state)}};
  if (task.state == TaskState::running) {
    const engine::AttemptFile& attempt = *task.look.attempt;
    map.insert({{"pid", attempt.pid}, {"host", attempt.host}, {"cpus", attempt.cpus}, {"gpus", attempt.gpus},
                {"started_us", attempt.started}, {"elapsed_s", task.elapsed()}, {"stands_still", task.look.stands_still()}});
    if (task.attempt && task.attempt->resumed_from) map.insert_or_assign("resumed_from", *task.attempt->resumed_from);
  }
  if (task.state == TaskState::running || task.state == TaskState::stopped) put_progress(map, task.look);
  if (task.state == TaskState::failed) map.insert({{"cause", task.attempt->cause}, {"message", task.attempt->message}});
  if (task.seconds_left) map.insert_or_assign("seconds_left", *task.seconds_left);
  return map;
}

Value to_value(const store::SeenRun& run, RunLife life) {
  Map map{{"run", run.id}, {"pid", run.pid}, {"host", run.host}, {"started_us", run.started}, {"target", run.target},
          {"life", life == RunLife::alive ? "alive" : life == RunLife::elsewhere ? "elsewhere" : run.ended ? "ended" : "killed"}};
  if (run.ended) map.insert({{"ended_us", *run.ended}, {"exit_code", run.exit_code}});
  return map;
}

Value to_value(const Board& board, const Status& status) {
  Map counts;
  for (const TaskState state : {TaskState::cached, TaskState::done, TaskState::running, TaskState::waiting, TaskState::failed,
                                TaskState::blocked, TaskState::stopped, TaskState::missing}) {
    const auto found = board.counts.find(state);
    counts.insert_or_assign(to_text(state), static_cast<std::int64_t>(found == board.counts.end() ? 0 : found->second));
  }
  schema::List tasks;
  for (const BoardTask& task : board.tasks) tasks.push_back(to_value(task));
  const std::optional<store::SeenRun>& run = board.run ? board.run : status.newest;
  return Map{{"run", run ? to_value(*run, board.life) : Value()},
             {"counts", std::move(counts)},
             {"seconds_left", board.seconds_left},
             {"without_estimate", static_cast<std::int64_t>(board.without_estimate)},
             {"tasks", std::move(tasks)}};
}

Value to_value(const Status& status, const std::string& program) {
  schema::List boards;
  for (const Board& board : status.boards) boards.push_back(to_value(board, status));
  return Map{{"program", program}, {"time_us", store::now_in_microseconds()}, {"on", status.on}, {"boards", std::move(boards)}};
}

void show(const Status& status, const StatusOptions& options, bool again) {
  if (options.json) return put(stdout, document_line(to_value(status, options.program)));
  // The screen is cleared and written in one piece: it does not flicker.
  const bool clears = options.watch && is_terminal(stdout);
  put(stdout, (clears ? "\033[H\033[J" : again ? "\n" : "") + text_of(status, options.program));
}

}  // namespace

int status(const StatusOptions& options) {
  const LoadedProgram loaded = load_program(options);
  for (bool again = false;; again = true) {
    const Status now = look(loaded.program, options);
    show(now, options, again);
    if (!options.watch || !now.on || std::ferror(stdout) != 0) return kDone;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace bgw::cli
