#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/store/manifest.h"

namespace bgw::store {

class Database;

/// The form of the tables; a database of an earlier form is brought to this one when it is opened, a copy is kept.
inline constexpr std::int64_t kDatabaseSchema = 2;

/// A run as it is remembered.
struct RunRecord {
  std::string program;         // absolute path
  std::string program_sha256;
  std::vector<std::string> arguments;  // of the command line
  schema::Map parameters;      // those overridden
  std::string target = {};     // "default", "F[64], rdf"
};

/// The reason of a planned task whose result is there.
inline constexpr const char* kCached = "cached";

/// What an attempt begins with.
struct AttemptStart {
  int cpus = 1;
  std::string gpus;            // ids as the child sees them, "0,1"; empty: none
};

/// One attempt at a task.
struct AttemptRecord {
  std::string state;  // "running", "checkpointed", "done", "failed", "lost"
  std::string cause = {};  // of a failure, see engine::TaskFailed; else empty
  std::string message = {};
  int exit = 0;
  double seconds = 0;          // of this attempt
  std::int64_t started = 0;    // UTC, microseconds
  std::int64_t peak_memory = 0;  // bytes of resident memory; 0: not known
};

/// The result of an inline task, ready to be entered.
struct InlineResult {
  const plan::TaskSpec* spec = nullptr;
  schema::Value value;
  double seconds = 0;  // it took
};

/// How a check came out in a run.
struct CheckRecord {
  std::string name;    // "published[64]"
  std::string kind;    // "expect" or "require"
  bool holds = false;
  schema::Value detail;  // value, reference, difference, criterion
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

  /// How the checks of a run came out.
  void put_checks(std::int64_t run, const std::vector<CheckRecord>& checks);

  std::int64_t begin_attempt(std::int64_t run, const plan::Key& key, const AttemptStart& start);
  /// Where the attempt went on: known once its process has found a state that is whole.
  void attempt_resumed(std::int64_t attempt, std::int64_t step);
  void end_attempt(std::int64_t attempt, const AttemptRecord& record);
  /// Gives the attempts at a key that still count as running the end that nobody could write: done, when they began before
  /// its object was made, else lost. For the holder of the claim: whoever made them is dead.
  /// @param made  when the object was made, UTC in microseconds; 0 without one
  void end_abandoned_attempts(const plan::Key& key, std::int64_t made = 0);
  /// The newest attempt at a key that has ended, if any.
  std::optional<AttemptRecord> last_attempt(const plan::Key& key);

  /// Remembers a published object: its files and its named results. `stamp` is that of ObjectStore::stamp, with which
  /// the object was found sound; "" when nobody looked.
  void put_object(const Manifest& manifest, const std::string& stamp = "");
  void forget_object(const plan::Key& key);
  /// The stamps with which objects were found sound; one entry a key, "" for one never looked at.
  std::vector<std::string> object_stamps(const std::vector<plan::Key>& keys);
  void put_object_stamps(const std::vector<std::pair<plan::Key, std::string>>& stamps);
  /// Published objects with this stream key, of a kind and version.
  std::vector<plan::Key> finished_with_stream(const plan::Key& stream_key, const std::string& kind, int version);

  /// The result of an inline task.
  std::optional<schema::Value> row(const plan::Key& key);
  /// Whether there is one; an entry a key.
  std::vector<bool> has_rows(const std::vector<plan::Key>& keys);
  /// Enters results in one transaction, with the run that made them.
  void put_rows(std::optional<std::int64_t> run, const std::vector<InlineResult>& results);

  /// What was planned last under this name by the same program with another key.
  std::optional<EarlierTask> latest_other(const std::string& program, const plan::TaskSpec& spec);

 private:
  std::mutex mutex_;
  std::unique_ptr<Database> database_;
};

}  // namespace bgw::store
