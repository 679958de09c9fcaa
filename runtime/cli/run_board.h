#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/lowering/program.h"
#include "runtime/engine/task_look.h"
#include "runtime/store/cache.h"
#include "runtime/store/run_history.h"

namespace bgw::cli {

/// Where a task stands.
enum class TaskState {
  cached,   // its result was there before the run
  done,
  running,
  waiting,  // for its inputs, for cpus, for another attempt
  failed,
  blocked,  // an input failed
  stopped,  // nobody works on it; it goes on from its checkpoint
  missing   // nobody works on it; it begins at the start
};
/// "cached", "done", …
const char* to_text(TaskState state);

/// A task of a board.
struct BoardTask {
  plan::Key key;
  std::string name, kind;
  bool child = true;                  // a process of its own
  std::vector<std::size_t> inputs;    // on the board
  schema::Value arguments;            // none until they are asked for
  TaskState state = TaskState::missing;
  engine::TaskLook look;              // of child tasks that are not finished
  std::optional<store::SeenAttempt> attempt;  // the newest
  double elapsed() const;             // seconds, of a running task
  std::optional<double> seconds_left; // of a task that is not finished, where history or its pace tells
};

/// All tasks of a run, or of a program that is not being run, as they stand now.
struct Board {
  std::optional<store::SeenRun> run;  // none: no run of the program was ever begun
  engine::RunLife life = engine::RunLife::ended;
  std::vector<BoardTask> tasks;
  std::map<TaskState, std::size_t> counts;
  double seconds_left = 0;
  std::size_t without_estimate = 0;   // tasks in no process of their own are not counted
};

/// @param names  only these, with their kinds: "estimate.F[64]"; empty: all
Board board_of_run(const store::SeenRun& run, const std::vector<std::string>& names, const store::Cache& cache, store::RunHistory& history);
/// @param history  nullptr where there is no database
Board board_of_plan(const plan::Plan& plan, const std::vector<std::size_t>& tasks, const store::Cache& cache, store::RunHistory* history);
/// One task, whoever works on it: for `logs`.
BoardTask look_at(const plan::TaskSpec& spec, const store::Cache& cache, store::RunHistory* history, bool run_is_on);

}  // namespace bgw::cli
