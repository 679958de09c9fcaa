#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/lowering/program.h"
#include "runtime/engine/compare.h"
#include "runtime/store/cache.h"
#include "runtime/store/run_history.h"

namespace bgw::cli {

/// A task as far as anything is known behind its key.
struct KnownTask {
  plan::Key key;
  std::string name;     // of the program as it stands, else of the last run that planned it, else of its object
  std::string kind;
  std::string preimage;
  schema::Value presentation;       // none where it is not known
  std::optional<std::size_t> task;  // its index in the plan of the program
  /// "bg", or the first digits of its key where no name is known.
  std::string called() const { return name.empty() ? key.short_hex() : name; }
};

/// Keys and names, looked up in the program, in the objects and in the history.
class KnownTasks {
 public:
  /// @param program  nullptr: only the cache is looked at
  KnownTasks(const lowering::Program* program, store::Cache& cache);

  std::optional<KnownTask> find(const plan::Key& key);
  /// nullopt for a task that no run planned.
  std::optional<store::LastPlan> last_plan(const plan::Key& key);
  /// @throws StoreError for a key of which nothing is known: its object is damaged, and no run planned it
  KnownTask get(const plan::Key& key);
  /// What a person means by a name of the program, by a key or by its first digits, four at least.
  /// @throws CommandFailure with exit code 3 for what nothing is known by, and for digits with which several keys begin
  std::vector<plan::Key> named(const std::string& text);
  /// The same for what has to be one task.
  plan::Key one(const std::string& text);

  const lowering::Program* program() const { return program_; }
  store::Cache& cache() { return cache_; }
  /// nullptr where there is no database yet.
  store::RunHistory* history() { return history_.get(); }

 private:
  std::vector<plan::Key> with_prefix(const std::string& digits);

  const lowering::Program* program_;
  store::Cache& cache_;
  std::unique_ptr<store::RunHistory> history_;
  std::map<plan::Key, std::size_t> planned_;
  std::optional<std::map<plan::Key, store::LastPlan>> last_plans_;  // all at once: the database has no order of keys for them
};

/// A field that differs, as the two programs would write it.
struct ShownChange {
  std::string place, before, now;
};
/// In the order of the places.
std::vector<ShownChange> shown_changes(const engine::Comparison& comparison, const KnownTask& before, const KnownTask& now);
/// "stage main.steps 1 000 000 -> 2 000 000"
std::string to_text(const ShownChange& change);
schema::Value to_value(const std::vector<ShownChange>& changes);

}  // namespace bgw::cli
