#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace bgw::engine {

/// What a task process tells of itself when it begins, in work/<key>/attempt.json: for those who look at a run, from
/// files alone. The claim tells whether it is still true.
struct AttemptFile {
  int pid = 0;
  std::string host;
  std::int64_t started = 0;  // UTC, microseconds
  int cpus = 1;
  std::string gpus;          // as the process sees them, "0,1"; empty: none
};

/// Every attempt at a task begins in its log with a line that begins so.
inline constexpr const char* kAttemptLine = "--- attempt begins ";

/// Writes the file and the line. A disk that takes neither is no reason to fail: it is noticed where it matters.
void announce_attempt(const std::filesystem::path& work, int cpus);

/// nullopt when no attempt has begun yet.
std::optional<AttemptFile> read_attempt_file(const std::filesystem::path& work);

}  // namespace bgw::engine
