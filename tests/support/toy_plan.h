#pragma once
// Plans of toy tasks for the tests of the engine; tests/runtime/fake_task_main.cpp runs them.
#include <map>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "compiler/plan/preimage.h"
#include "compiler/plan/sha256.h"

namespace bgw::test {

struct ToyOptions {
  plan::Placement placement = plan::Placement::child;
  schema::Map policy = {};
};

/// Adds tasks to a plan the way lowering does: pre-image from kind, arguments and input keys, the key from that.
class ToyPlan {
 public:
  using Options = ToyOptions;
  ToyPlan() { plan.program = "toy.bgw"; }

  std::size_t add(const std::string& name, const std::string& kind, schema::Map arguments,
                  const std::map<std::string, std::size_t>& inputs = {}, Options options = {}) {
    plan::TaskSpec spec;
    spec.name = name;
    spec.kind = kind;
    spec.placement = options.placement;
    for (const auto& [role, task] : inputs) {
      arguments[role] = schema::Map{{"task", role}};
      spec.inputs.push_back({role, plan.tasks.at(task).key, task});
    }
    spec.arguments = arguments;
    spec.policy = std::move(options.policy);
    spec.presentation = schema::Map{};
    spec.key = plan::sha256(plan::preimage(spec));
    spec.stream_key = spec.key;
    plan.tasks.push_back(spec);
    return plan.tasks.size() - 1;
  }

  std::vector<std::size_t> all() const {
    std::vector<std::size_t> tasks;
    for (std::size_t task = 0; task < plan.tasks.size(); ++task) tasks.push_back(task);
    return tasks;
  }

  plan::Plan plan;
};

inline const ToyPlan::Options kInline{plan::Placement::inline_, {}};

/// Checkpoints at every step.
inline ToyPlan::Options eager() {
  return {plan::Placement::child, {{"checkpoint", schema::Map{{"every_s", 0.0}, {"keep", 2}}}}};
}

/// first -> second -> total: two counts of which the second begins where the first ended, and an inline sum.
inline ToyPlan chain(int steps, int sleep_ms) {
  ToyPlan toy;
  const schema::Map arguments{{"steps", steps}, {"sleep_ms", sleep_ms}};
  const std::size_t first = toy.add("first", "count", arguments, {}, eager());
  const std::size_t second = toy.add("second", "count", arguments, {{"before", first}}, eager());
  toy.add("total", "sum", {}, {{"a", first}, {"b", second}}, kInline);
  return toy;
}

}  // namespace bgw::test
