#pragma once
// Tasks one after the other, with their artifacts in memory.

#include <map>
#include <memory>
#include <string>

#include "compiler/plan/preimage.h"
#include "compiler/plan/sha256.h"
#include "runtime/foundation/errors.h"
#include "runtime/tasks/tasks.h"
#include "tests/support/memory_context.h"

namespace bgw::test {

/// A task that is stopped at the end of every step and started again.
inline artifacts::Artifact run_in_steps(MemoryStore& store, const plan::TaskSpec& spec, int& stops) {
  MemoryContext context(store, spec);
  context.stop = true;
  for (stops = 0;; ++stops) {
    const int steps = context.reports;
    try {
      return tasks::registry().at(spec.kind)(context);
    } catch (const Stopped&) {
      context.stop = context.reports > steps;
    }
  }
}

class TaskDesk {
 public:
  static plan::TaskSpec spec(const std::string& kind, const std::string& name, schema::Map arguments, const std::map<std::string, plan::Key>& inputs = {}) {
    plan::TaskSpec result;
    result.kind = kind;
    result.name = name;
    for (const auto& [role, key] : inputs) result.inputs.push_back({role, key, 0});
    result.arguments = std::move(arguments);
    result.key = result.stream_key = plan::sha256(plan::preimage(result));
    return result;
  }

  /// The artifact of a task that is never interrupted; later tasks find it.
  const artifacts::Artifact& run(const plan::TaskSpec& of) {
    MemoryContext context(store, of);
    return keep(of, tasks::registry().at(of.kind)(context));
  }

  /// Puts an artifact in the place of what the task would make.
  const artifacts::Artifact& keep(const plan::TaskSpec& of, artifacts::Artifact artifact) {
    auto shared = std::make_shared<const artifacts::Artifact>(std::move(artifact));
    store.objects[of.key] = {of, shared};
    return *shared;
  }

  MemoryStore store;
};

}  // namespace bgw::test
