#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/artifacts/artifact.h"

namespace bgw::engine {

/// The saved states of one unfinished task: work/<key>/ckpt-<n>.h5, the newest few kept.
///
/// A file is an HDF5 image followed by a seal: the SHA-256 of the task's key and the image. So a truncated file, a
/// flipped byte and the state of another task are all found out, and the file before it is used instead.
class Checkpoints {
 public:
  Checkpoints(std::filesystem::path directory, const plan::Key& key, std::size_t keep);

  /// The newest valid state. Bad files are kept, renamed to *.bad, and `warn` hears of each, and when none is left.
  std::optional<artifacts::Artifact> load(const std::function<void(const std::string&)>& warn);
  /// Writes beside, makes durable, renames, and removes all but the newest `keep`.
  /// @throws StoreError; the older states stay
  void save(const artifacts::Artifact& state);
  /// After success nothing of them is needed.
  void remove_all();

 private:
  std::filesystem::path file(int number) const;
  std::vector<int> numbers() const;  // ascending

  std::filesystem::path directory_;
  plan::Key key_;
  std::size_t keep_;
};

/// Empties the work directory of a task that is done, for the holder of its claim. States that were found bad stay: they
/// tell of a disk, or of us.
void clear_work(const std::filesystem::path& directory);
/// The same with the states that were found bad.
void remove_work(const std::filesystem::path& directory);

/// A checkpoint as it lies in a work directory; `problem` says why it cannot be used, "" when it can.
struct CheckpointFile {
  std::filesystem::path path;
  std::string problem;
};
/// Reads all checkpoints of a task and changes nothing; ascending.
/// @throws store::Unreadable when the system does not give one
std::vector<CheckpointFile> look_at_checkpoints(const std::filesystem::path& directory, const plan::Key& key);

/// When the newest checkpoint in a work directory was written; nullopt without one.
std::optional<std::filesystem::file_time_type> newest_checkpoint_time(const std::filesystem::path& directory);

}  // namespace bgw::engine
