#pragma once

#include <filesystem>
#include <optional>

#include "runtime/engine/attempt_file.h"
#include "runtime/engine/progress_seen.h"
#include "runtime/store/run_history.h"

// What files and the kernel tell of work that goes on, for those who only look: nothing is made, and no lock is taken
// that a run could want.
namespace bgw::engine {

/// A work directory, seen now.
struct TaskLook {
  bool claimed = false;  // a run has taken it: it is worked on, or will be
  bool running = false;  // a process works on it
  std::optional<AttemptFile> attempt;
  std::optional<ProgressSeen> progress;     // of the newest attempt that told any
  std::optional<double> checkpoint_age;     // seconds
  std::optional<std::int64_t> checkpoint_step;  // that was told last before the checkpoint was written
  double silent_seconds = 0;                // of a running task, since it told anything
  /// A running task that has been silent ten times as long as it usually is, and at least three minutes.
  bool stands_still() const;
};
TaskLook look_at_task(const std::filesystem::path& work);

/// Whether a process of this machine lives; one that ended and that nobody has waited for yet does not.
bool process_lives(int pid);

/// Whether the process of a run still lives.
enum class RunLife {
  ended,      // in an orderly way, or it was killed
  alive,
  elsewhere   // on another machine, from which it cannot be seen here
};
RunLife life_of(const store::SeenRun& run);

}  // namespace bgw::engine
