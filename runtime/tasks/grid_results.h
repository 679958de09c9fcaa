#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/artifacts/artifact.h"
#include "runtime/crystal/cell.h"
#include "runtime/tasks/conditions.h"
#include "runtime/tasks/ground.h"

namespace bgw::tasks {

/// Results that a task has once for each state of a grid, as `.at(…)` reads them: arrays grid/NAME/value and grid/NAME/sigma [K], not a
/// number where a state has none, and the attribute `conventions`: the words of a result are the same at all states, a warning of one
/// state is a result of the whole grid.
class GridResults {
 public:
  /// The results of the next state.
  void add(const std::vector<artifacts::Result>& results);
  std::int64_t count() const { return count_; }
  /// Of a result that some state has: its values at all.
  const std::vector<double>& values(const std::string& name) const { return columns_.at(name).value; }
  const std::vector<double>& sigmas(const std::string& name) const { return columns_.at(name).sigma; }
  bool has(const std::string& name) const { return columns_.contains(name); }

  void add_to(artifacts::Artifact& artifact) const;
  /// The same back, empty when there are none.
  static GridResults from(const artifacts::Artifact& artifact);

 private:
  struct Column {
    std::vector<double> value, sigma;
    std::string unit, convention;
  };
  std::map<std::string, Column> columns_;
  std::int64_t count_ = 0;
};

/// All combinations of what a task lists of each open number, the last axis fastest.
/// @param arguments  with a value or a list under the name of each axis
/// @param whose      "the estimate"
/// @throws InputError where one is not listed
std::vector<StateValues> grid_states(const schema::Value& arguments, const Conditions& conditions, const std::string& whose);

/// The states of the rows: array grid/coordinates [K, axes], with the names in the attribute `coordinates`.
void add_coordinates(artifacts::Artifact& artifact, const Conditions& conditions, const std::vector<StateValues>& states);

/// Whether the edges of a box stand along x, y and z, up to the rounding of a file, so that a surface has coordinates for it: grids in
/// others get no states/table.
bool has_right_angles(const crystal::Cell& cell);

/// Temperature (K), volume of an atom (angstrom^3), c/a and b/a of the unit cell: a row of states/table [K, 4].
std::vector<double> table_row(const Ground& ground);

}  // namespace bgw::tasks
