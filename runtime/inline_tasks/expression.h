#pragma once

#include <string>
#include <variant>
#include <vector>

#include "compiler/schema/value.h"
#include "runtime/inline_tasks/estimate.h"
#include "runtime/inline_tasks/results.h"

namespace bgw::inline_tasks {

struct Evaluated;
using EvaluatedList = std::vector<Evaluated>;

/// What an expression over results turned out to be.
struct Evaluated {
  std::variant<std::monostate, Estimate, bool, std::string, EvaluatedList, Curve, Field> what;

  bool is_none() const { return std::holds_alternative<std::monostate>(what); }
  /// Typed access; throws InputError naming what stands there instead.
  const Estimate& estimate() const;
  bool truth() const;
  const EvaluatedList& list() const;
};

/// Evaluates an expression of docs/tasks.md. The same attribute of the same task is the same number wherever it
/// occurs; free energies of states that share what was measured (grid_numbers.h) have their covariance; other different attributes
/// count as independent.
/// @throws InputError for operations without a meaning, NumericalError for numbers without one, StoreError for results
///         that are not there, std::logic_error for an operation this version does not know
Evaluated evaluate(const schema::Value& expression, const Results& results);

/// As JSON: estimates as their maps, lists as lists, curves as {"x", "y"}, fields as {"x", "y", "words", "places"}.
schema::Value to_value(const Evaluated& evaluated);

}  // namespace bgw::inline_tasks
