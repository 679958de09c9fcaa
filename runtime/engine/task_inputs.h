#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/artifacts/artifact.h"
#include "runtime/store/cache.h"

namespace bgw::engine {

/// The finished results that an inline task or a check reads, by role. Each is read when it is first asked for.
/// May be used from several threads.
class TaskInputs {
 public:
  TaskInputs(store::Cache& cache, const std::vector<plan::TaskInput>& inputs);

  /// Key behind a role; throws std::logic_error for an unknown one.
  const plan::Key& key(const std::string& role) const;
  /// True for the result of an inline task, which is a value and has no object.
  bool is_row(const std::string& role) const;
  /// Value of an inline task; throws StoreError when it is not there.
  schema::Value value(const std::string& role) const;
  /// Named results and cost of a child task, read without HDF5; throws StoreError when it is not there.
  std::shared_ptr<const store::Manifest> manifest(const std::string& role) const;
  /// The whole result of a child task, arrays included; throws StoreError when it is absent or damaged.
  std::shared_ptr<const artifacts::Artifact> artifact(const std::string& role) const;
  /// The specification with which a child task's result was made.
  plan::TaskSpec spec(const std::string& role) const;

 private:
  store::Cache& cache_;
  std::map<std::string, plan::Key> keys_;
  mutable std::mutex mutex_;
  mutable std::map<plan::Key, std::shared_ptr<const artifacts::Artifact>> artifacts_;
};

}  // namespace bgw::engine
