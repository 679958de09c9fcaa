#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "runtime/engine/task.h"

namespace bgw::engine {

/// The child's end of progress.jsonl: one line an entry, at most five a second, the last one always.
class ProgressWriter {
 public:
  explicit ProgressWriter(std::filesystem::path file) : file_(std::move(file)) {}
  void report(const Progress& progress);
  /// Writes the entry that was held back, if any.
  void flush();

 private:
  void append(const Progress& progress);
  std::filesystem::path file_;
  std::int64_t last_ = 0;  // microseconds
  std::optional<Progress> held_back_;
};

/// The controller's end: what was added since the last look.
class ProgressReader {
 public:
  /// Begins at the end of what earlier attempts left.
  explicit ProgressReader(std::filesystem::path file);
  /// The newest whole entry since the last call; nullopt when there is none.
  std::optional<Progress> newest();

 private:
  std::filesystem::path file_;
  std::uintmax_t offset_ = 0;
};

}  // namespace bgw::engine
