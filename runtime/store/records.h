#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/store/manifest.h"

namespace bgw::store {

class Database;

/// A run as it is remembered.
struct RunRecord {
  std::string program;         // absolute path
  std::string program_sha256;
  std::vector<std::string> arguments;  // of the command line
  schema::Map parameters;      // those overridden
};

/// One attempt at a task.
struct AttemptRecord {
  std::string state;  // "running", "checkpointed", "done", "failed", "lost"
  std::string cause;  // of a failure: nan bad_input disk oom crash killed; else empty
  std::string message;
  int exit = 0;
  double seconds = 0;          // of this attempt
  std::int64_t started = 0;    // UTC, microseconds
};

/// The task that stood under a name in an earlier run.
struct EarlierTask {
  plan::Key key;
  std::string preimage;
  std::int64_t planned = 0;  // UTC, microseconds
};

/// The database of a cache: history of runs, an index over objects, and the results of inline tasks.
///
/// Objects on disk are the truth; losing the database loses history and the results of inline tasks, which are made
/// again. All functions may be called from several threads; every write is one IMMEDIATE transaction.
class Records {
 public:
  /// Opens or makes the database.
  /// @throws StoreError when the file is no database of bgw or a newer bgw wrote it
  explicit Records(const std::filesystem::path& file);
  ~Records();
  Records(const Records&) = delete;
  Records& operator=(const Records&) = delete;

  std::int64_t begin_run(const RunRecord& run);
  void end_run(std::int64_t run, int exit_code);
  /// Remembers what a run set out to do: the tasks at `indices`, with the reason of each.
  void plan_tasks(std::int64_t run, const plan::Plan& plan, const std::vector<std::size_t>& indices,
                  const std::vector<std::string>& reasons);

  std::int64_t begin_attempt(std::int64_t run, const plan::Key& key);
  void end_attempt(std::int64_t attempt, const AttemptRecord& record);
  /// The newest attempt at a key that has ended, if any.
  std::optional<AttemptRecord> last_attempt(const plan::Key& key);

  /// Remembers a published object: its files and its named results.
  void put_object(const Manifest& manifest);
  void forget_object(const plan::Key& key);

  /// The result of an inline task.
  std::optional<schema::Value> row(const plan::Key& key);
  void put_row(const plan::TaskSpec& spec, const schema::Value& value);

  /// What was planned last under this name by the same program with another key.
  std::optional<EarlierTask> latest_other(const std::string& program, const std::string& name, const plan::Key& key);
  /// Mean seconds of the last finished attempts of a kind; nullopt without history.
  std::optional<double> typical_seconds(const std::string& kind);

 private:
  void put_task(const plan::TaskSpec& spec);

  std::mutex mutex_;
  std::unique_ptr<Database> database_;
};

}  // namespace bgw::store
