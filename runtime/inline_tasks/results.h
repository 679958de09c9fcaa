#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/schema/value.h"
#include "runtime/artifacts/artifact.h"

namespace bgw::inline_tasks {

/// y over x, as an rdf task makes it, and the tasks of distributions.
struct Curve {
  std::vector<double> x, y;
  std::string x_unit, y_unit;
  std::string x_name = "r", y_name = "g(r)";  // of the axes of a figure
  std::vector<double> sigma = {};             // standard errors of y; empty where the task knows none
};

/// A number or word over a plane: which of the words stands at each place of a grid.
struct Field {
  std::vector<double> x, y;
  std::string x_unit, y_unit, x_name, y_name;
  std::vector<std::string> words;
  std::vector<std::int64_t> places;  // [y, x], index of a word, -1 where there is none
};

/// A number at one state of a grid.
struct StateNumber {
  artifacts::Result result;
  std::size_t row = 0;  // of the state, the same however its coordinates were written
  /// How far each of the independent causes moves it that the free energies of the states of this grid have in common, in its
  /// unit; empty for a number that stands by itself.
  std::vector<double> shares = {};
};

/// The finished results an expression may read, by the role under which the task has them. Tests answer from a map.
class Results {
 public:
  virtual ~Results() = default;
  /// @throws InputError when the task makes no such number, StoreError when its result is not there
  virtual artifacts::Result number(const std::string& role, const std::string& name) const = 0;
  /// Several numbers under one name, in the order of the task.
  /// @throws InputError when the task makes no such numbers, StoreError when its result is not there
  virtual std::vector<artifacts::Result> numbers(const std::string& role, const std::string& name) const = 0;
  /// @throws InputError when the task makes no such field, StoreError when its result is not there
  virtual Field field(const std::string& role, const std::string& name) const = 0;
  /// The name of the one result that a call means (artifacts/called_result.h).
  /// @throws InputError when none is meant, or several
  virtual std::string called(const std::string& role, const std::string& name, const schema::Map& arguments) const = 0;
  /// The same at one state of a grid. @param state  coordinates by their names, as the grid has them
  /// @throws also InputError where the task has no grid, no such state, or no such number there
  virtual StateNumber number_at(const std::string& role, const std::string& name, const schema::Value& state) const = 0;
  /// @param name  of a task that makes several curves; empty for the only one
  /// @throws InputError when the task makes no such curve, StoreError when its result is not there
  virtual Curve curve(const std::string& role, const std::string& name) const = 0;
  /// The same text for the same task, whatever the role: its key.
  virtual std::string identity(const std::string& role) const = 0;
};

}  // namespace bgw::inline_tasks
