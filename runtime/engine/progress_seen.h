#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "runtime/engine/task.h"

namespace bgw::engine {

/// What a task told last, for those who only look at it.
struct ProgressSeen {
  Progress newest;
  std::int64_t time = 0;               // UTC, microseconds
  double seconds_between = 0;          // two entries; 0: not known
  std::optional<double> seconds_left;  // of this phase, at its pace
};

/// @param file   progress.jsonl of a task; nullopt where it is missing or tells nothing
/// @param begin  of the attempt that goes on, UTC in microseconds: its pace is not that of earlier ones
std::optional<ProgressSeen> last_progress(const std::filesystem::path& file, std::int64_t begin = 0);
/// The step of the newest entry that is not younger than `time` (UTC, microseconds).
std::optional<std::int64_t> step_told_before(const std::filesystem::path& file, std::int64_t time);

}  // namespace bgw::engine
