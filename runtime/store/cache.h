#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/store/object_store.h"
#include "runtime/store/records.h"

namespace bgw::store {

/// One cache directory: its objects and its database.
class Cache {
 public:
  /// For commands that write: makes the directory and the database when they are missing.
  /// @throws StoreError (exit code 6) when that cannot be done, or a newer bgw wrote the database
  static Cache open(const std::filesystem::path& root);
  /// For commands that only look (`plan`, `show`): creates nothing; a missing cache is an empty one.
  static Cache look(const std::filesystem::path& root);

  const std::filesystem::path& root() const { return objects_.layout().root; }
  const Layout& layout() const { return objects_.layout(); }
  const ObjectStore& objects() const { return objects_; }
  bool has_records() const { return records_ != nullptr; }
  Records& records();  // throws std::logic_error without records

  /// True when the result of the task is there: an object of a child task, a row of an inline one.
  bool has_result(const plan::TaskSpec& spec);
  /// The row of an inline task, if there is one.
  std::optional<schema::Value> row(const plan::Key& key);
  /// Named results and cost of a child task, if it is finished.
  std::optional<Manifest> manifest(const plan::Key& key) const { return objects_.find_manifest(key); }

 private:
  Cache(Layout layout, std::unique_ptr<Records> records);

  ObjectStore objects_;
  std::unique_ptr<Records> records_;
};

/// `bgw cache verify`: reads every object; returns the keys of the damaged ones.
std::vector<plan::Key> damaged_objects(const Cache& cache);
/// `bgw cache rebuild`: fills the index of the database again from the manifests; returns how many there were.
std::size_t rebuild_records(Cache& cache);

}  // namespace bgw::store
