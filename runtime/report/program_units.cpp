#include "runtime/report/program_units.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "compiler/units/unit_expression.h"
#include "compiler/units/unit_table.h"

namespace bgw::report {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

/// What a number in this base unit is multiplied with to be in `lj`; none for what has no place there, as kT and seconds.
std::optional<double> factor_to_reduced(const std::string& unit) {
  if (unit == "K") return units::kBoltzmann;
  const bool counted_in_them = unit.find("eV") != std::string::npos || unit.find("angstrom") != std::string::npos;
  return counted_in_them && unit.find('K') == std::string::npos ? std::optional<double>(1.0) : std::nullopt;
}

/// The roles of the tasks that an expression reads (inline_tasks/expression.h).
void add_roles(const Value& expression, std::set<std::string>& roles) {
  if (expression.is_list()) {
    for (const Value& item : expression.as_list()) add_roles(item, roles);
  }
  if (!expression.is_map()) return;
  for (const auto& [name, member] : expression.as_map()) {
    if (name == "task" && member.is_string()) roles.insert(member.as_string());
    else add_roles(member, roles);
  }
}

bool reads_reduced(const plan::TaskSpec& spec, const plan::Plan& plan) {
  return std::any_of(spec.inputs.begin(), spec.inputs.end(), [&](const plan::TaskInput& input) { return is_reduced(plan.tasks[input.task]); });
}

/// Whether an expression reads tasks, and all of them are in reduced units.
bool all_reduced(const Value& expression, const plan::TaskSpec& spec, const plan::Plan& plan) {
  std::set<std::string> roles;
  add_roles(expression, roles);
  const auto reduced = [&](const plan::TaskInput& input) { return !roles.contains(input.role) || is_reduced(plan.tasks[input.task]); };
  return !roles.empty() && std::all_of(spec.inputs.begin(), spec.inputs.end(), reduced);
}

Value cell_in_reduced(const Value& cell) {
  const std::optional<double> factor = cell.is_map() ? factor_to_reduced(cell.string_or("unit", "")) : std::nullopt;
  if (!factor) return cell;
  Map shown = cell.as_map();
  for (const char* name : {"value", "sigma"}) {
    if (const auto found = shown.find(name); found != shown.end() && found->second.is_number()) found->second = found->second.as_double() * *factor;
  }
  shown["unit"] = "lj";
  return shown;
}

/// "T (K)" as "T (lj)", and what its numbers are multiplied with.
std::optional<double> relabel(Map& figure, const char* label) {
  const auto found = figure.find(label);
  if (found == figure.end() || !found->second.is_string()) return std::nullopt;
  const std::string text = found->second.as_string();
  const std::size_t open = text.find(" (");
  if (open == std::string::npos || text.back() != ')') return std::nullopt;
  const std::size_t close = text.find(')', open);
  const std::optional<double> factor = factor_to_reduced(text.substr(open + 2, close - open - 2));
  if (factor) found->second = text.substr(0, open) + " (lj)";
  return factor;
}

void scale(Map& series, const char* name, double factor) {
  const auto found = series.find(name);
  if (found == series.end() || factor == 1.0) return;
  List numbers;
  for (const Value& number : found->second.as_list()) numbers.push_back(number.is_number() ? Value(number.as_double() * factor) : number);
  found->second = std::move(numbers);
}

}  // namespace

bool is_reduced(const plan::TaskSpec& spec) { return spec.presentation.is_map() && spec.presentation.string_or("energy_unit", "") == "lj"; }

std::string reduced_units_in_words() {
  return fmt::format("in words, 1 lj is 1 eV, 1 angstrom, {:.6g} K and {:.6g} GPa", 1.0 / units::kBoltzmann, 1.0 / units::parse_quantity("GPa").value);
}

artifacts::Result in_unit_of_program(artifacts::Result result, const plan::TaskSpec& spec) {
  const std::string unit = spec.presentation.is_map() ? spec.presentation.string_or("energy_unit", "") : "";
  const std::optional<double> reduced = unit == "lj" ? factor_to_reduced(result.unit) : std::nullopt;
  if (!reduced && (result.unit != "eV" || unit.empty() || unit == "eV")) return result;
  const double factor = reduced ? *reduced : 1.0 / units::parse_quantity(unit).value;
  result.value *= factor;
  if (result.sigma) *result.sigma *= factor;
  result.unit = unit;
  return result;
}

Value table_in_units_of_program(Value table, const plan::TaskSpec& spec, const plan::Plan& plan) {
  if (!reads_reduced(spec, plan)) return table;
  const List &columns = table.at("columns").as_list(), &written = spec.arguments.at("rows").as_list();
  List rows = table.at("rows").as_list();
  for (std::size_t i = 0; i < rows.size() && i < written.size(); ++i) {
    const List& expressions = written[i].at("cells").as_list();
    List cells = rows[i].at("cells").as_list();
    for (std::size_t k = 0; k < cells.size(); ++k) {
      if (columns[k].string_or("unit", "").empty() && all_reduced(expressions[k], spec, plan)) cells[k] = cell_in_reduced(cells[k]);
    }
    Map row = rows[i].as_map();
    row["cells"] = std::move(cells);
    rows[i] = std::move(row);
  }
  Map shown = table.as_map();
  shown["rows"] = std::move(rows);
  return shown;
}

Value figure_in_units_of_program(Value figure, const plan::TaskSpec& spec, const plan::Plan& plan) {
  if (!reads_reduced(spec, plan) || !all_reduced(spec.arguments.at("series"), spec, plan)) return figure;
  Map shown = figure.as_map();
  const auto of_curves = [&](const char* label) {
    const Value* written = spec.arguments.find(label);
    return written == nullptr || written->is_none() ? relabel(shown, label).value_or(1.0) : 1.0;
  };
  const double along_x = of_curves("xlabel"), along_y = of_curves("ylabel");
  List all = shown.at("series").as_list();
  for (Value& series : all) {
    Map one = series.as_map();
    for (const char* name : {"x", "xerr"}) scale(one, name, along_x);
    for (const char* name : {"y", "yerr"}) scale(one, name, along_y);
    series = std::move(one);
  }
  shown["series"] = std::move(all);
  return shown;
}

}  // namespace bgw::report
