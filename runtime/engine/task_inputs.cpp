#include "runtime/engine/task_inputs.h"

#include <fmt/format.h>

#include <stdexcept>

#include "runtime/foundation/errors.h"

namespace bgw::engine {

TaskInputs::TaskInputs(store::Cache& cache, const std::vector<plan::TaskInput>& inputs) : cache_(cache) {
  for (const plan::TaskInput& input : inputs) keys_[input.role] = input.key;
}

const plan::Key& TaskInputs::key(const std::string& role) const {
  const auto found = keys_.find(role);
  if (found == keys_.end()) throw std::logic_error(fmt::format("no input has the role '{}'", role));
  return found->second;
}

bool TaskInputs::is_row(const std::string& role) const { return cache_.row(key(role)).has_value(); }

schema::Value TaskInputs::value(const std::string& role) const {
  if (std::optional<schema::Value> row = cache_.row(key(role))) return *std::move(row);
  throw StoreError(fmt::format("the result of '{}' ({}) is not in the cache; `bgw run` makes it", role, key(role).short_hex()));
}

std::shared_ptr<const store::Manifest> TaskInputs::manifest(const std::string& role) const {
  return cache_.shared_manifest(key(role));
}

std::shared_ptr<const artifacts::Artifact> TaskInputs::artifact(const std::string& role) const {
  const std::lock_guard guard(mutex_);
  std::shared_ptr<const artifacts::Artifact>& known = artifacts_[key(role)];
  if (!known) known = std::make_shared<artifacts::Artifact>(cache_.objects().load(key(role)));
  return known;
}

plan::TaskSpec TaskInputs::spec(const std::string& role) const { return cache_.objects().task(key(role)); }

}  // namespace bgw::engine
