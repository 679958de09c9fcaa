#include "runtime/inline_tasks/task_results.h"

#include <fmt/format.h>

#include "runtime/foundation/errors.h"

namespace bgw::inline_tasks {

artifacts::Result TaskResults::number(const std::string& role, const std::string& name) const {
  const std::shared_ptr<const store::Manifest> manifest = inputs_.manifest(role);
  if (const artifacts::Result* result = manifest->find_result(name)) return *result;
  std::string names;
  for (const artifacts::Result& result : manifest->results) names += (names.empty() ? "" : ", ") + result.name;
  throw InputError(
      fmt::format("{} has no result `{}`; it has: {}", manifest->name, name, names.empty() ? "none" : names));
}

Curve TaskResults::curve(const std::string& role) const {
  const std::shared_ptr<const artifacts::Artifact> artifact = inputs_.artifact(role);
  const artifacts::Array& r = artifact->array("r");
  const artifacts::Array& g = artifact->array("g");
  if (r.doubles.size() != g.doubles.size()) {
    throw ShapeError(
        fmt::format("r and g of '{}' have different lengths: {} and {}", role, r.doubles.size(), g.doubles.size()));
  }
  return {r.doubles, g.doubles, r.unit, g.unit};
}

std::string TaskResults::identity(const std::string& role) const { return inputs_.key(role).hex(); }

}  // namespace bgw::inline_tasks
