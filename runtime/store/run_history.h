#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/store/sqlite_database.h"

namespace bgw::store {

/// A run as those see it who look at it.
struct SeenRun {
  std::int64_t id = 0;
  std::int64_t started = 0;  // UTC, microseconds
  std::optional<std::int64_t> ended;
  int exit_code = 0;         // once it has ended
  int pid = 0;
  std::string boot;          // of the machine on which the pid means something
  std::string host;
  std::string target;        // "default", "F[64], rdf"
  std::string bgw_version;
};

/// A task that a run set out to look at or to do.
struct SeenTask {
  plan::Key key;
  std::string name, kind;
  bool was_cached = false;   // when the run began
};

/// When a task was planned last.
struct LastPlan {
  std::string name;          // one of those it had
  std::int64_t run = 0;
  std::int64_t started = 0;  // of that run; UTC, microseconds
};

/// An attempt as those see it who look at it; the newest of a key.
struct SeenAttempt {
  std::int64_t run = 0;
  std::string state, cause, message, host, gpus, device;
  int cpus = 0;
  std::int64_t started = 0;  // UTC, microseconds
  std::optional<std::int64_t> ended;
  double seconds = 0;
  std::int64_t peak_memory = 0;  // bytes; 0: not known
  std::optional<std::int64_t> resumed_from;
};

/// Questions to the database of a cache. Reads only: a writer never waits for it.
class RunHistory {
 public:
  /// @throws StoreError when the file is no readable database
  explicit RunHistory(const std::filesystem::path& file) : database_(file) {}

  /// Runs of a program that have not ended in an orderly way, newest first: they are on, or were killed.
  std::vector<SeenRun> open_runs(const std::string& program, int at_most);
  std::optional<SeenRun> newest_run(const std::string& program);
  std::optional<SeenRun> run(std::int64_t id);
  /// In the order of their names; of several names of one task the first.
  std::vector<SeenTask> planned(std::int64_t run);

  std::optional<std::pair<std::string, std::string>> kind_and_preimage(const plan::Key& key);
  /// Of every key that was planned the last time.
  std::map<plan::Key, LastPlan> last_plans();
  std::vector<plan::Key> inputs_of(const plan::Key& key);
  /// Keys that begin with these digits, at most so many.
  std::vector<plan::Key> with_prefix(const std::string& digits, int at_most);
  /// Keys of a kind, those planned last first.
  std::vector<plan::Key> recent_of_kind(const std::string& kind, int at_most);

  std::optional<SeenAttempt> newest_attempt(const plan::Key& key);
  /// The attempt that made the result.
  std::optional<SeenAttempt> successful_attempt(const plan::Key& key);
  bool has_row(const plan::Key& key);
  /// When a row was made, microseconds.
  std::optional<std::int64_t> row_made(const plan::Key& key);
  /// The most memory that finished tasks took, bytes, by kind; without those of which it is not known.
  std::map<std::string, double> peak_memory();

  std::int64_t schema();
  bool uses_wal();

 private:
  Database database_;
};

}  // namespace bgw::store
