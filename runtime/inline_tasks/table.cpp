#include "runtime/inline_tasks/table.h"

#include <fmt/format.h>

#include <stdexcept>

#include "compiler/units/unit_expression.h"
#include "runtime/foundation/errors.h"
#include "runtime/inline_tasks/expression.h"

namespace bgw::inline_tasks {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

// How many of `to` one of `from` is.
double conversion_factor(const std::string& from, const std::string& to) {
  try {
    const units::Quantity one = units::parse_quantity(from);
    const units::Quantity other = units::parse_quantity(to);
    if (one.dimension == other.dimension && one.reduced == other.reduced) return one.value / other.value;
  } catch (const std::invalid_argument& error) {
    throw InputError(error.what());
  }
  throw InputError(fmt::format("a number in {} cannot be shown in {}", from, to));
}

Value in_unit_of_column(Value number, const Value& column) {
  const std::string wanted = column.string_or("unit", "");
  const std::string unit = number.string_or("unit", "");
  if (wanted.empty() || wanted == unit) return number;
  if (unit.empty() || unit == "kT")
    throw InputError(fmt::format("a number in {} cannot be shown in {}", unit.empty() ? "no unit" : unit, wanted));
  const double factor = conversion_factor(unit, wanted);
  Map converted = number.as_map();
  for (const char* name : {"value", "sigma"}) {
    if (number.has(name)) converted[name] = number.at(name).as_double() * factor;
  }
  converted["unit"] = wanted;
  return converted;
}

Value cell(const Value& expression, const Value& index, const Value& column, const Results& results) {
  const auto where = [&] {
    return fmt::format("column `{}`, row {}: ", column.at("name").as_string(), schema::to_json(index));
  };
  try {
    const Evaluated evaluated = evaluate(expression, results);
    if (std::holds_alternative<Estimate>(evaluated.what)) return in_unit_of_column(to_value(evaluated), column);
    return to_value(evaluated);
  } catch (const InputError& error) {
    throw InputError(where() + error.what());
  } catch (const NumericalError& error) {
    throw NumericalError(where() + error.what());
  }
}

}  // namespace

Value make_table(const Value& arguments, const Results& results) {
  const List& columns = arguments.at("columns").as_list();
  List rows;
  for (const Value& row : arguments.at("rows").as_list()) {
    const List& expressions = row.at("cells").as_list();
    if (expressions.size() != columns.size()) {
      throw std::logic_error(
          fmt::format("a row of the table has {} cells for {} columns", expressions.size(), columns.size()));
    }
    List cells;
    for (std::size_t i = 0; i < columns.size(); ++i)
      cells.push_back(cell(expressions[i], row.at("index"), columns[i], results));
    Map shown{{"index", row.at("index")}};
    shown["cells"] = std::move(cells);
    rows.emplace_back(std::move(shown));
  }
  Map table{{"indices", arguments.at("indices")}, {"columns", arguments.at("columns")}};
  table["rows"] = std::move(rows);
  return table;
}

}  // namespace bgw::inline_tasks
