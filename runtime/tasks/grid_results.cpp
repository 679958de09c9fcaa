#include "runtime/tasks/grid_results.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "runtime/crystal/lattice_value.h"
#include "runtime/foundation/errors.h"

namespace bgw::tasks {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

std::vector<double> numbers_in(const schema::Value& one_or_list) {
  if (!one_or_list.is_list()) return {one_or_list.as_double()};
  std::vector<double> numbers;
  for (const schema::Value& one : one_or_list.as_list()) numbers.push_back(one.as_double());
  return numbers;
}

}  // namespace

void GridResults::add(const std::vector<artifacts::Result>& results) {
  const auto before = static_cast<std::size_t>(count_);
  for (const artifacts::Result& result : results) {
    Column& column = columns_[result.name];
    column.value.resize(before, kMissing);
    column.sigma.resize(before, kMissing);
    column.value.push_back(result.value);
    column.sigma.push_back(result.sigma.value_or(kMissing));
    column.unit = result.unit;
    column.convention = result.convention;
  }
  count_ += 1;
  for (auto& [name, column] : columns_) {  // that this state lacks
    column.value.resize(before + 1, kMissing);
    column.sigma.resize(before + 1, kMissing);
  }
}

void GridResults::add_to(artifacts::Artifact& artifact) const {
  if (count_ == 0) return;
  schema::Map conventions;
  for (const auto& [name, column] : columns_) {
    artifact.arrays["grid/" + name + "/value"] = {{count_}, column.value, {}, column.unit};
    artifact.arrays["grid/" + name + "/sigma"] = {{count_}, column.sigma, {}, column.unit};
    conventions[name] = column.convention;
  }
  artifact.attributes["conventions"] = std::move(conventions);
}

GridResults GridResults::from(const artifacts::Artifact& artifact) {
  GridResults grid;
  const auto conventions = artifact.attributes.find("conventions");
  if (conventions == artifact.attributes.end()) return grid;
  for (const auto& [name, convention] : conventions->second.as_map()) {
    const artifacts::Array& value = artifact.array("grid/" + name + "/value");
    grid.columns_[name] = {value.doubles, artifact.array("grid/" + name + "/sigma").doubles, value.unit, convention.as_string()};
    grid.count_ = std::ssize(value.doubles);
  }
  return grid;
}

std::vector<StateValues> grid_states(const schema::Value& arguments, const Conditions& conditions, const std::string& whose) {
  std::vector<StateValues> states{{}};
  for (const Conditions::Axis& axis : conditions.axes()) {
    if (!arguments.has(axis.name)) throw InputError(fmt::format("{0} does not say at which {1} it is, which is open; write `{1} = …`, a value or a list", whose, axis.name));
    std::vector<StateValues> finer;
    for (const StateValues& state : states) {
      for (const double value : numbers_in(arguments.at(axis.name))) {
        finer.push_back(state);
        finer.back().push_back(value);
      }
    }
    states = std::move(finer);
  }
  return states;
}

void add_coordinates(artifacts::Artifact& artifact, const Conditions& conditions, const std::vector<StateValues>& states) {
  artifacts::Array coordinates{{std::ssize(states), std::ssize(conditions.axes())}, {}, {}, ""};
  for (const StateValues& values : states) coordinates.doubles.insert(coordinates.doubles.end(), values.begin(), values.end());
  artifact.arrays["grid/coordinates"] = std::move(coordinates);
  schema::List names;
  for (const Conditions::Axis& axis : conditions.axes()) names.push_back(axis.name);
  artifact.attributes["coordinates"] = std::move(names);
}

bool has_right_angles(const crystal::Cell& cell) {
  constexpr double kRounding = 1e-9;  // of the edge
  for (std::size_t d = 0; d < 3; ++d) {
    for (std::size_t e = 0; e < 3; ++e) {
      if (e != d && std::abs(cell.vectors[d][e]) > kRounding * std::abs(cell.vectors[d][d])) return false;
    }
  }
  return true;
}

std::vector<double> table_row(const Ground& ground) {
  const crystal::LatticeKind kind = crystal::kind_of(ground.system.at("lattice"));
  const auto edge = [&](std::size_t d) { return std::hypot(kind.shape.vectors[d][0], kind.shape.vectors[d][1], kind.shape.vectors[d][2]); };
  return {ground.ensemble.at("temperature").as_double(), ground.base.cell.volume() / static_cast<double>(ground.particles()), edge(2) / edge(0), edge(1) / edge(0)};
}

}  // namespace bgw::tasks
