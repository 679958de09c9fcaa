#include "runtime/inline_tasks/task_results.h"

#include <fmt/format.h>

#include <cmath>

#include "runtime/foundation/errors.h"

namespace bgw::inline_tasks {
namespace {

/// What a task cost, under the names that every task has; none for other names.
std::optional<double> cost_named(const artifacts::Cost& cost, const std::string& name) {
  if (name == "energy_calls") return static_cast<double>(cost.energy_call_equivalents());
  if (name == "seconds") return cost.seconds;
  return std::nullopt;
}

/// The row of a grid that has these coordinates, up to the rounding of two ways of writing one number.
std::optional<std::size_t> row_of(const artifacts::Artifact& artifact, const schema::Value& state) {
  constexpr double kRounding = 1e-9;
  const schema::List& names = artifact.attributes.at("coordinates").as_list();
  const std::vector<double>& table = artifact.array("grid/coordinates").doubles;
  for (std::size_t row = 0; row * names.size() < table.size(); ++row) {
    bool same = true;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const double have = table[row * names.size() + i];
      const schema::Value* asked = state.find(names[i].as_string());
      same = same && (asked == nullptr || std::abs(asked->as_double() - have) <= kRounding * std::abs(have));
    }
    if (same) return row;
  }
  return std::nullopt;
}

}  // namespace

artifacts::Result TaskResults::number_at(const std::string& role, const std::string& name, const schema::Value& state) const {
  const std::string task = inputs_.manifest(role)->name;
  const std::shared_ptr<const artifacts::Artifact> artifact = inputs_.artifact(role);
  if (!artifact->arrays.contains("grid/coordinates")) throw InputError(fmt::format("{} is of one state, `.at(…)` has nothing to choose from", task));
  const std::string prefix = "grid/" + name + "/";
  if (!artifact->arrays.contains(prefix + "value")) throw InputError(fmt::format("{} has no result `{}` at the states of its grid", task, name));
  const std::optional<std::size_t> row = row_of(*artifact, state);
  if (!row) throw InputError(fmt::format("{} has no state {}", task, schema::to_json(state)));
  const artifacts::Array& values = artifact->array(prefix + "value");
  artifacts::Result result{name, values.doubles.at(*row), {}, values.unit, {}, ""};
  if (std::isnan(result.value)) throw InputError(fmt::format("{} has no `{}` at {}: its draws are too few to tell", task, name, schema::to_json(state)));
  const double sigma = artifact->array(prefix + "sigma").doubles.at(*row);
  if (!std::isnan(sigma)) result.sigma = sigma;
  result.convention = artifact->attributes.at("conventions").string_or(name, "");
  return result;
}

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
