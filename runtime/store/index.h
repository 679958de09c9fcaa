#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/store/manifest.h"
#include "runtime/store/sqlite_database.h"

namespace bgw::store {

/// A result as the database knows it.
struct KnownResult {
  plan::Key key;
  bool is_row = false;     // of an inline task; else an object stands behind it
  std::string name, kind;  // the name is "" when no run planned it
  std::uint64_t bytes = 0;
  std::int64_t made = 0;   // UTC, microseconds
};

/// A run that set out to use results.
struct KnownRun {
  std::int64_t id = 0;
  std::string program;
  std::int64_t started = 0;  // UTC, microseconds
  bool ended = false;
  std::string host, boot;
  int pid = 0;
};

/// A label under which results are kept from being removed.
struct Pin {
  std::string label;
  std::int64_t since = 0;  // UTC, microseconds
  std::vector<plan::Key> keys;
};

/// The database of a cache as a whole, for those who compare it with the objects and tidy up.
class Index {
 public:
  /// @throws StoreError when the file is no readable database
  explicit Index(const std::filesystem::path& file) : database_(file) {}

  /// What SQLite finds wrong with the file; empty when it is whole.
  std::vector<std::string> complaints();

  std::vector<KnownResult> results();
  /// Results and the keys they were made from, as pairs (result, input).
  std::vector<std::pair<plan::Key, plan::Key>> inputs();
  /// Names and checksums of the files of objects.
  std::map<plan::Key, std::map<std::string, plan::Key>> files();
  /// The names under which keys were planned last.
  std::map<plan::Key, std::string> names();
  std::vector<KnownRun> runs();
  std::vector<plan::Key> planned_by(std::int64_t run);
  std::vector<Pin> pins();

  /// Puts a label on keys; those that had it before lose it.
  void pin(const std::string& label, const std::vector<plan::Key>& keys);
  /// False when there is no such label.
  bool unpin(const std::string& label);

  /// Remembers the attempt that made an object, unless it is remembered already; the task has to be known.
  void put_attempt(const Manifest& manifest);
  /// Forgets a result: files and numbers of an object, or a row. What runs and attempts were stays.
  void forget(const plan::Key& key);
  /// The same for an object alone.
  void forget_object(const plan::Key& key);

  Database& database() { return database_; }

 private:
  Database database_;
};

}  // namespace bgw::store
