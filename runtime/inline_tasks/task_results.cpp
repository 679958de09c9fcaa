#include "runtime/inline_tasks/task_results.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

#include "runtime/artifacts/called_result.h"
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

StateNumber TaskResults::number_at(const std::string& role, const std::string& name, const schema::Value& state) const {
  auto found = grids_.find(role);
  if (found == grids_.end()) found = grids_.emplace(role, GridNumbers(inputs_.artifact(role), inputs_.manifest(role)->name)).first;
  return found->second.at(name, state);
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

std::vector<artifacts::Result> TaskResults::numbers(const std::string& role, const std::string& name) const {
  const std::shared_ptr<const artifacts::Artifact> artifact = inputs_.artifact(role);
  const auto found = artifact->arrays.find("lists/" + name + "/value");
  if (found == artifact->arrays.end()) throw InputError(fmt::format("{} has no numbers `{}`", inputs_.manifest(role)->name, name));
  const auto errors = artifact->arrays.find("lists/" + name + "/sigma");
  std::vector<artifacts::Result> results;
  for (std::size_t i = 0; i < found->second.doubles.size(); ++i) {
    artifacts::Result result{name, found->second.doubles[i], {}, found->second.unit, {}, ""};
    if (errors != artifact->arrays.end()) result.sigma = errors->second.doubles[i];
    results.push_back(std::move(result));
  }
  return results;
}

Field TaskResults::field(const std::string& role, const std::string& name) const {
  const std::shared_ptr<const artifacts::Artifact> artifact = inputs_.artifact(role);
  const auto found = artifact->arrays.find("fields/" + name + "/places");
  if (found == artifact->arrays.end()) throw InputError(fmt::format("{} has no field `{}`", inputs_.manifest(role)->name, name));
  const artifacts::Array &x = artifact->array("fields/" + name + "/x"), &y = artifact->array("fields/" + name + "/y");
  const schema::Value& words = artifact->attributes.at("fields").at(name);
  Field field{x.doubles, y.doubles, x.unit, y.unit, words.at("x").as_string(), words.at("y").as_string(), {}, found->second.integers};
  for (const schema::Value& word : words.at("words").as_list()) field.words.push_back(word.as_string());
  return field;
}

std::string TaskResults::called(const std::string& role, const std::string& name, const schema::Map& arguments) const {
  const std::shared_ptr<const store::Manifest> manifest = inputs_.manifest(role);
  std::vector<std::string> known;
  for (const artifacts::Result& result : manifest->results) known.push_back(result.name);
  std::vector<std::string> meant = artifacts::meant_results(known, name, arguments);
  if (meant.empty()) {  // lists stand with the arrays
    const std::string before = "lists/", behind = "/value";
    for (const auto& [array, numbers] : inputs_.artifact(role)->arrays) {
      if (array.starts_with(before) && array.ends_with(behind)) known.push_back(array.substr(before.size(), array.size() - before.size() - behind.size()));
    }
    meant = artifacts::meant_results(known, name, arguments);
  }
  if (meant.size() == 1) return meant.front();
  const std::string asked = artifacts::called_result(name, arguments);
  if (meant.empty()) {
    const std::vector<std::string> others = artifacts::meant_results(known, name, {});
    throw InputError(fmt::format("{} has no `{}`; it has {}", manifest->name, asked, others.empty() ? "none of that name" : fmt::format("{}", fmt::join(others, ", "))));
  }
  throw InputError(fmt::format("`{}` of {} may mean {}: name one of them", asked, manifest->name, fmt::join(meant, " or ")));
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
  const auto errors = artifact->arrays.find(prefix + "sigma");
  if (errors != artifact->arrays.end() && errors->second.doubles.size() == curve.y.size()) curve.sigma = errors->second.doubles;
  return curve;
}

std::string TaskResults::identity(const std::string& role) const { return inputs_.key(role).hex(); }

}  // namespace bgw::inline_tasks
