#pragma once
// What tests of tasks over ranges of states are written with.

#include <string>

#include "runtime/foundation/errors.h"
#include "runtime/tasks/tasks.h"
#include "tests/support/task_desk.h"

namespace bgw::test {

constexpr double kElectronvolt = 0.043364104241800934;  // of a kcal/mol

inline schema::Value between(double low, double high) { return schema::Map{{"interval", schema::List{low, high}}}; }

inline schema::Value with(const schema::Value& map, const std::string& name, schema::Value value) {
  schema::Map changed = map.as_map();
  changed[name] = std::move(value);
  return changed;
}

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

}  // namespace bgw::test
