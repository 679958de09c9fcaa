#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/schema/kind_schema.h"
#include "compiler/semantics/model.h"
#include "compiler/source/source_file.h"
#include "compiler/units/quantity.h"

namespace bgw::semantics {

struct Evaluated;

/// Something wrong, already told: whatever is made of it is silently wrong too, so one cause gives one error.
struct Poison {};
struct None {};
/// A bare name that stands for itself: `nvt`, `diamond_cubic`.
struct Word { std::string text; };
/// Lists and maps are shared: a copy costs nothing.
struct ListValue {
  std::shared_ptr<const std::vector<Evaluated>> shared;
  bool whole_range = false;  // `1 .. 3`: where an interval is expected, it is one
  ListValue();
  explicit ListValue(std::vector<Evaluated> items);
  const std::vector<Evaluated>& items() const { return *shared; }
};
struct MapValue {
  std::shared_ptr<const std::map<std::string, Evaluated>> shared;
  const std::map<std::string, Evaluated>& entries() const;
};
/// `200 K .. 300 K`: both ends have the same dimension.
struct Interval { units::Quantity low, high; };
/// A block, or a part of it: `pt.coexistence` on the way to `pt.coexistence.pressure`, `F.at(temperature = 600 K)`.
struct InstanceValue {
  const Instance* instance = nullptr;
  std::string part = {};     // "coexistence"
  schema::Value state = {};  // of `.at(…)`: {"temperature": 600.0}
};
/// Known only when the program runs: a number, samples or a curve made by tasks.
struct RunTime {
  schema::Value expression;  // docs/tasks.md; for samples the map {"task", "attribute"}
  units::Dimension dimension;
  schema::ResultType type = schema::ResultType::number;
  const Instance* of = nullptr;  // the one block it is a result of
  Scale scale = {};              // what lj means beside it
};
/// What `fit(…)` found: each of its parameters is a result.
struct FitValue { std::shared_ptr<const std::map<std::string, RunTime>> parameters; };

/// What an expression is worth, and the place in the program the value comes from: of an axis variable the entry of
/// the axis, of a param its default.
struct Evaluated {
  std::variant<Poison, None, bool, std::int64_t, units::Quantity, std::string, Word, ListValue, MapValue, Interval,
               InstanceValue, RunTime, FitValue>
      what;
  source::SourceRange origin;

  template <class T> const T* as() const { return std::get_if<T>(&what); }
  bool is_poison() const { return as<Poison>() != nullptr; }
};

MapValue make_map(std::map<std::string, Evaluated> entries);
inline const std::map<std::string, Evaluated>& MapValue::entries() const { return *shared; }

/// Equal compile-time values; 2 and 2.0 are equal.
bool equal(const Evaluated& a, const Evaluated& b);
/// A plain number, whether int or float; nullptr otherwise.
std::optional<units::Quantity> as_quantity(const Evaluated& value);
/// How many parts it has: what going through it costs. Shared parts may make it astronomical; counting ends at `most`.
std::size_t size_of(const Evaluated& value, std::size_t most);
/// "an energy", "an int", "a list", "the word `nvt`": for messages.
std::string describe(const Evaluated& value);
/// What an index is called in the name of an instance: "64", "diamond_cubic".
std::string index_text(const Evaluated& value);
/// True for a condition over results: `F.ess > 0.01`.
bool is_truth(const RunTime& result);
/// True when a block, a result or a fit is the value or stands in it.
bool holds_result(const Evaluated& value);
/// A number known beforehand as run-time expression; lengths, energies and temperatures carry their base unit, which
/// results of these kinds have.
schema::Value constant_expression(schema::Value value, const units::Dimension& dimension);
/// The value as a task or key sees it, in base units; none for what has no such form.
schema::Value to_value(const Evaluated& value);

}  // namespace bgw::semantics
