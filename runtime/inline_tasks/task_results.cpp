#include "runtime/inline_tasks/task_results.h"

#include <fmt/format.h>

#include "runtime/foundation/errors.h"

namespace bgw::inline_tasks {
namespace {

/// What a task cost, under the names that every task has; none for other names.
std::optional<double> cost_named(const artifacts::Cost& cost, const std::string& name) {
  if (name == "energy_calls") return static_cast<double>(cost.energy_call_equivalents());
  if (name == "seconds") return cost.seconds;
  return std::nullopt;
}

}  // namespace

artifacts::Result TaskResults::number(const std::string& role, const std::string& name) const {
  const std::shared_ptr<const store::Manifest> manifest = inputs_.manifest(role);
  if (const artifacts::Result* result = manifest->find_result(name)) return *result;
  if (const std::optional<double> cost = cost_named(manifest->cost, name)) return {name, *cost, {}, "", {}, ""};
  std::string names;
  for (const artifacts::Result& result : manifest->results) names += (names.empty() ? "" : ", ") + result.name;
  throw InputError(
      fmt::format("{} has no result `{}`; it has: {}", manifest->name, name, names.empty() ? "none" : names));
}

Curve TaskResults::curve(const std::string& role, const std::string& name) const {
  const std::shared_ptr<const artifacts::Artifact> artifact = inputs_.artifact(role);
  const bool radial = name.empty() && artifact->arrays.contains("r");
  const std::string prefix = name.empty() ? "" : "curves/" + name + "/";
  if (!name.empty() && !artifact->arrays.contains(prefix + "x")) {
    throw InputError(fmt::format("{} has no curve `{}`", inputs_.manifest(role)->name, name));
  }
  const artifacts::Array& x = artifact->array(prefix + (radial ? "r" : "x"));
  const artifacts::Array& y = artifact->array(prefix + (radial ? "g" : "y"));
  if (x.doubles.size() != y.doubles.size()) {
    throw ShapeError(fmt::format("x and y of '{}' have different lengths: {} and {}", role, x.doubles.size(), y.doubles.size()));
  }
  Curve curve{x.doubles, y.doubles, x.unit, y.unit};
  const schema::Value attributes = artifact->attributes;
  curve.x_name = attributes.string_or("x_name", curve.x_name);
  curve.y_name = attributes.string_or("y_name", curve.y_name);
  return curve;
}

std::string TaskResults::identity(const std::string& role) const { return inputs_.key(role).hex(); }

}  // namespace bgw::inline_tasks
