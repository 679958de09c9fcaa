#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/schema/value.h"
#include "runtime/engine/task.h"

namespace bgw::engine {

/// The child's end of progress.jsonl: one line an entry. Of progress at most five lines a second, the last one always.
class ProgressWriter {
 public:
  explicit ProgressWriter(std::filesystem::path file) : file_(std::move(file)) {}
  void report(const Progress& progress);
  /// Where the attempt went on; the display of the run says so.
  void resumed(const Resumption& resumption);
  /// Something the user should hear of, as a checkpoint that is damaged.
  void warn(const std::string& text);
  /// Writes the entry that was held back, if any.
  void flush();

 private:
  void append(schema::Map entry);
  std::filesystem::path file_;
  std::int64_t last_ = 0;  // microseconds
  std::optional<Progress> held_back_;
};

/// The controller's end: what was added since the last look.
class ProgressReader {
 public:
  /// Begins at the end of what earlier attempts left.
  explicit ProgressReader(std::filesystem::path file);
  /// The newest whole entry of progress since the last call; nullopt when there is none.
  std::optional<Progress> newest();
  /// What newest() met besides progress, each once.
  std::optional<Resumption> take_resumption() { return std::exchange(resumption_, std::nullopt); }
  std::vector<std::string> take_warnings() { return std::exchange(warnings_, {}); }

 private:
  void read(const std::string& line, std::optional<Progress>& newest);
  std::filesystem::path file_;
  std::uintmax_t offset_ = 0;
  std::optional<Resumption> resumption_;
  std::vector<std::string> warnings_;
};

}  // namespace bgw::engine
