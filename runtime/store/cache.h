#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
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
  /// Whether objects are there, one entry a key. One whose stamp is that with which it was found sound is not read; of
  /// the others the manifest is read, and sizes are compared.
  std::vector<ObjectState> look_at_objects(const std::vector<plan::Key>& keys);
  /// Whether rows are there, one entry a key.
  std::vector<bool> has_rows(const std::vector<plan::Key>& keys);
  /// The row of an inline task, if there is one.
  std::optional<schema::Value> row(const plan::Key& key);
  /// Named results and cost of a child task, if it is finished.
  std::optional<Manifest> manifest(const plan::Key& key) const { return objects_.find_manifest(key); }
  /// The same, read once for all that ask. From several threads.
  /// @throws StoreError when the object is absent or damaged
  std::shared_ptr<const Manifest> shared_manifest(const plan::Key& key);
  /// The object was made anew.
  void forget_manifest(const plan::Key& key);

 private:
  Cache(Layout layout, std::unique_ptr<Records> records);

  // Thousands of tables may read the results of the same few objects.
  struct Manifests {
    std::mutex mutex;
    std::map<plan::Key, std::shared_ptr<const Manifest>> known;
  };

  ObjectStore objects_;
  std::unique_ptr<Records> records_;
  std::unique_ptr<Manifests> manifests_;
};

}  // namespace bgw::store
