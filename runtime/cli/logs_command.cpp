#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/run_board.h"
#include "runtime/cli/terminal.h"
#include "runtime/engine/attempt_file.h"
#include "runtime/engine/program_identity.h"
#include "runtime/report/text_table.h"
#include "runtime/store/utf8.h"

namespace bgw::cli {
namespace {

using schema::Map;

// The log of one task, read as it grows. It is written in work/<key>/ and copied into the object when the result is
// published; the file that was begun is read to its end although it has lost its name by then.
class GrowingLog {
 public:
  GrowingLog(store::Layout layout, const plan::Key& key) : layout_(std::move(layout)), key_(key) {}

  /// Whole lines that were added since the last call; `last` gives an unfinished one, too.
  std::vector<std::string> new_lines(bool last) {
    open();
    std::vector<std::string> lines;
    if (!file_.is_open()) return lines;
    file_.clear();
    for (char c = 0; file_.get(c);) {
      if (c != '\n') {
        begun_ += c;
        continue;
      }
      lines.push_back(store::valid_utf8(begun_));
      begun_.clear();
    }
    if (last && !begun_.empty()) lines.push_back(store::valid_utf8(std::exchange(begun_, "")));
    if (last) close();
    return lines;
  }
  /// Whether there is one, read or not.
  bool found() {
    open();
    return file_.is_open() || read_;
  }

 private:
  // A family may have more logs than a process may have open files.
  void close() {
    read_ = true;
    file_.close();
  }
  void open() {
    if (file_.is_open() || read_) return;
    for (const std::filesystem::path& place : {layout_.work(key_) / "log.txt", layout_.object(key_) / "log.txt"}) {
      file_.open(place, std::ios::binary);
      if (file_.is_open()) return;
    }
  }

  store::Layout layout_;
  plan::Key key_;
  std::ifstream file_;
  std::string begun_;  // a line without its end
  bool read_ = false;  // to its end
};

struct Watched {
  const plan::TaskSpec* spec = nullptr;
  GrowingLog log;
  BoardTask now;
  bool ended = false;
};

// What is known of runs of the program, looked up anew each time.
class Observatory {
 public:
  Observatory(const lowering::Program& program, const ProgramOptions& options)
      : identity_(engine::program_identity(program.plan)), cache_(store::Cache::look(cache_directory(options))) {}

  BoardTask look(const plan::TaskSpec& spec) {
    if (!history_ && std::filesystem::exists(cache_.layout().database())) history_ = std::make_unique<store::RunHistory>(cache_.layout().database());
    return look_at(spec, cache_, history_.get(), a_run_is_on());
  }
  const store::Layout& layout() const { return cache_.layout(); }

 private:
  bool a_run_is_on() {
    if (!history_) return false;
    constexpr int kAsked = 50;
    const std::vector<store::SeenRun> runs = history_->open_runs(identity_, kAsked);
    return std::any_of(runs.begin(), runs.end(), [](const store::SeenRun& run) { return engine::life_of(run) != engine::RunLife::ended; });
  }

  std::string identity_;
  store::Cache cache_;
  std::unique_ptr<store::RunHistory> history_;
};

// Those of the newest attempt, or all; the last few of them, or all.
std::vector<std::string> chosen(std::vector<std::string> lines, const LogsOptions& options) {
  if (!options.all) {
    const auto begins = [](const std::string& line) { return line.starts_with(engine::kAttemptLine); };
    const auto newest = std::find_if(lines.rbegin(), lines.rend(), begins);
    if (newest != lines.rend()) lines.erase(lines.begin(), newest.base() - 1);
  }
  const auto most = static_cast<std::size_t>(options.lines);
  if (most > 0 && lines.size() > most) lines.erase(lines.begin(), lines.end() - options.lines);
  return lines;
}

schema::Value to_value(const Watched& watched, const std::vector<std::string>& lines) {
  return Map{{"task", watched.spec->name},
             {"key", watched.spec->key.hex()},
             {"state", watched.now.state == TaskState::cached ? "done" : to_text(watched.now.state)},
             {"lines", schema::List(lines.begin(), lines.end())}};
}

// ---- once ------------------------------------------------------------------------------------------------------------

int print_once(std::vector<Watched>& tasks, const LogsOptions& options) {
  schema::List list;
  bool first = true;
  for (Watched& watched : tasks) {
    const std::vector<std::string> lines = chosen(watched.log.new_lines(true), options);
    if (!watched.log.found() && tasks.size() > 1 && !options.json) continue;
    if (options.json) {
      list.push_back(to_value(watched, lines));
      continue;
    }
    if (tasks.size() > 1) fmt::print("{}==> {} ({}) <==\n", first ? "" : "\n", watched.spec->name, to_text(watched.now.state));
    first = false;
    for (const std::string& line : lines) fmt::print("{}\n", line);
  }
  if (options.json) put_document(list.size() == 1 ? list.front() : schema::Value(list));
  return kDone;
}

// ---- as it grows -----------------------------------------------------------------------------------------------------

void tell(const Watched& watched, const std::vector<std::string>& lines, std::size_t width, bool json) {
  if (json) return put(stdout, document_line(to_value(watched, lines)));
  std::string text;
  for (const std::string& line : lines) {
    const std::string blanks(width - std::min(width, report::width_of(watched.spec->name)), ' ');
    text += width == 0 ? line + "\n" : fmt::format("{}{} | {}\n", watched.spec->name, blanks, line);
  }
  put(stdout, text);
}

bool is_over(TaskState state) { return state != TaskState::running && state != TaskState::waiting; }

int follow(std::vector<Watched>& tasks, Observatory& observatory, const LogsOptions& options) {
  std::size_t width = 0;
  for (const Watched& watched : tasks) width = tasks.size() == 1 ? 0 : std::max(width, report::width_of(watched.spec->name));
  for (bool first = true;; first = false) {
    bool all_ended = true;
    for (Watched& watched : tasks) {
      if (watched.ended) continue;
      // The state is asked for before the log is read: what the task wrote before its end is there then.
      watched.now = observatory.look(*watched.spec);
      watched.ended = is_over(watched.now.state);
      all_ended = all_ended && watched.ended;
      std::vector<std::string> lines = watched.log.new_lines(watched.ended);
      if (first) lines = chosen(std::move(lines), options);
      if (!lines.empty() || (options.json && watched.ended)) tell(watched, lines, width, options.json);
    }
    if (all_ended || std::ferror(stdout) != 0) return kDone;
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
  }
}

// ---- what there is ---------------------------------------------------------------------------------------------------

std::vector<Watched> watched_tasks(const lowering::Program& program, Observatory& observatory, const LogsOptions& options) {
  const lowering::Found found = lowering::find_instances(program, options.name);
  if (!found.problem.empty()) throw CommandFailure(kWrongProgram, found.problem);
  std::vector<Watched> tasks;
  for (const std::size_t task : found.tasks) {
    const plan::TaskSpec& spec = program.plan.tasks[task];
    if (spec.placement != plan::Placement::child) continue;
    tasks.push_back({&spec, GrowingLog(observatory.layout(), spec.key), observatory.look(spec), false});
  }
  if (tasks.empty())
    throw CommandFailure(kWrongProgram, fmt::format("`{}` has no log: only tasks with a process of their own do, what bgw makes itself does not", options.name));
  return tasks;
}

void need_a_log(std::vector<Watched>& tasks, const LogsOptions& options) {
  const auto has_log = [&](Watched& watched) {
    return watched.log.found() || (options.follow && !is_over(watched.now.state));
  };
  if (std::any_of(tasks.begin(), tasks.end(), has_log)) return;
  throw CommandFailure(kTaskFailed, fmt::format("{} has no log yet; `{}` begins it", options.name, run_command(options, {options.name})));
}

}  // namespace

int logs(const LogsOptions& options) {
  const LoadedProgram loaded = load_program(options);
  Observatory observatory(loaded.program, options);
  std::vector<Watched> tasks = watched_tasks(loaded.program, observatory, options);
  need_a_log(tasks, options);
  return options.follow ? follow(tasks, observatory, options) : print_once(tasks, options);
}

}  // namespace bgw::cli
