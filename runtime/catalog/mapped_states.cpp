#include "runtime/catalog/mapped_states.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "runtime/catalog/states.h"
#include "runtime/catalog/values.h"

namespace bgw::catalog {
namespace {

using schema::CheckContext;
using schema::List;
using schema::Map;
using schema::Type;
using schema::Value;

constexpr std::size_t kMostStates = 500;  // their numbers have one covariance

void complain(CheckContext& context, const char* id, const std::string& attribute, std::string message, std::vector<std::string> notes, std::string help) {
  context.complain({id, attribute, std::move(message), std::move(notes), {std::move(help)}});
}

/// No pressure: bases are at constant volume.
std::vector<schema::Attribute> without_pressure(std::vector<schema::Attribute> attributes) {
  std::erase_if(attributes, [](const schema::Attribute& attribute) { return attribute.name == "pressure"; });
  return attributes;
}

List values_of(const Value& one_or_list) { return one_or_list.is_list() ? one_or_list.as_list() : List{one_or_list}; }

bool same(double a, double b) { return std::abs(a - b) <= 1e-9 * std::max(std::abs(a), std::abs(b)); }

bool check_rising(const Variable& variable, const List& values, CheckContext& context) {
  for (std::size_t i = 1; i < values.size(); ++i) {
    const double before = values[i - 1].as_double(), after = values[i].as_double();
    if (before < after && !same(before, after)) continue;
    complain(context, "E0428", variable.name, fmt::format("the values of `{}` in {} do not rise", variable.name, context.block),
             {fmt::format("{} stands before {}", shown(context, before, variable.dimension), shown(context, after, variable.dimension))}, "list them from the lowest to the highest");
    return false;
  }
  return true;
}

/// What the base leaves open is listed, within its ranges, and nothing else.
bool check_variable(const Map& reference, const State& wide, const std::string& base, const Variable& variable, CheckContext& context) {
  const Value *grid = given(reference, variable.name), *range = wide.find(variable);
  const bool open = range != nullptr && is_interval(*range);
  if (!open && grid == nullptr) return true;
  if (grid == nullptr) {
    complain(context, "E0415", "", fmt::format("{} lacks `{}`, which `{}` leaves open", context.block, variable.name, base),
             {fmt::format("its range is {}", shown(context, range_of(*range), variable.dimension))},
             fmt::format("write for instance `{} = {}`, a value or a list", variable.name, shown(context, range_of(*range).middle(), variable.dimension)));
    return false;
  }
  if (!open) {
    complain(context, "E0415", variable.name, fmt::format("`{}` has one `{}`, {} has no choice of it", base, variable.name, context.block), {}, "leave it out, or leave it open in the system or the ensemble");
    return false;
  }
  const List values = values_of(*grid);
  if (values.empty()) {
    complain(context, "E0428", variable.name, fmt::format("`{}` of {} lists nothing", variable.name, context.block), {}, "list at least one value");
    return false;
  }
  const Range asked = range_of(*grid);
  if (!range_of(*range).holds(asked.low) || !range_of(*range).holds(asked.high)) {
    complain(context, "E0414", variable.name, fmt::format("`{}` of {} lies outside the range of `{}`", variable.name, context.block, base),
             {fmt::format("the grid is {}, the base {}", shown(context, asked, variable.dimension), shown(context, range_of(*range), variable.dimension))}, "stay within the range, or make the base over a wider one");
    return false;
  }
  return check_rising(variable, values, context);
}

bool check_grid(const Map& reference, const State& wide, const std::string& base, CheckContext& context) {
  std::size_t states = 1;
  for (const Variable& variable : variables()) {
    if (!check_variable(reference, wide, base, variable, context)) return false;
    if (const Value* grid = given(reference, variable.name)) states *= values_of(*grid).size();
    if (states > kMostStates) {
      complain(context, "E0428", "", fmt::format("the grid of {} has more than {} states", context.block, kMostStates), {}, "list fewer values");
      return false;
    }
  }
  if (states > 1) return true;
  complain(context, "E0428", "path", fmt::format("the grid of {} has one state", context.block), {"neighbouring states share their samples"}, "list several values, or write `path = base_to_target(…)` at one state");
  return false;
}

/// An anchor stands at a state of the grid.
void check_anchor(const Map& reference, const State& wide, const schema::UpstreamTask& anchor, CheckContext& context) {
  const State theirs = state_of(anchor, context);
  if (const std::vector<Variable> open = theirs.open(); !open.empty()) {
    complain(context, "E0413", "path", fmt::format("the anchor `{}` of {} leaves `{}` open", anchor.name, context.block, open.front().name), {"an anchor says the free energy of one state"},
             "take a reference at one state of the grid, `path = base_to_target(…)`");
    return;
  }
  expect_within(wide, theirs, "path", fmt::format("`{}`", anchor.name), context);
  for (const Variable& variable : wide.open()) {
    const Value *grid = given(reference, variable.name), *value = theirs.find(variable);
    if (grid == nullptr || value == nullptr || !value->is_number()) continue;
    const List values = values_of(*grid);
    if (std::any_of(values.begin(), values.end(), [value](const Value& each) { return same(each.as_double(), value->as_double()); })) continue;
    complain(context, "E0428", "path", fmt::format("the anchor `{}` of {} is at {}, its grid has no such `{}`", anchor.name, context.block, shown(context, value->as_double(), variable.dimension), variable.name), {},
             fmt::format("write {} into the list, or take an anchor at a state that is listed", shown(context, value->as_double(), variable.dimension)));
    return;
  }
}

void check_anchors(const Map& reference, const State& wide, CheckContext& context) {
  const List& anchors = reference.at("path").at("anchors").as_list();
  if (anchors.empty()) {
    complain(context, "E0428", "path", fmt::format("the grid of {} has no anchor", context.block), {"neighbouring states tell differences; absolute free energies come from references at one or two of them"},
             "write for instance `anchors = [middle]`, a reference with `path = base_to_target(…)`");
  }
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    const schema::UpstreamTask anchor = context.upstream(anchors[i]);
    if (std::count(anchors.begin(), anchors.begin() + static_cast<std::ptrdiff_t>(i), anchors[i]) > 0) {
      complain(context, "E0428", "path", fmt::format("`{}` stands twice among the anchors of {}", anchor.name, context.block), {"it would count as two measurements"}, "leave one of the two out");
    }
    check_anchor(reference, wide, anchor, context);
  }
}

}  // namespace

bool is_mapped_states(const Value& path) { return path.at("call").as_string() == "mapped_states"; }

std::vector<schema::Attribute> grid_attributes() { return without_pressure(variable_attributes(one_or_list, "of mapped_states: of the grid")); }

std::vector<schema::Attribute> grid_coordinates() {
  return without_pressure(variable_attributes([](const Type& single) { return single; }, "of a state of the grid"));
}

void check_grid_of_reference(const Map& reference, CheckContext& context) {
  if (!is_mapped_states(reference.at("path"))) {
    for (const Variable& variable : variables()) {
      if (given(reference, variable.name) == nullptr) continue;
      complain(context, "E0428", variable.name, fmt::format("{} has no grid, `{}` goes with `mapped_states`", context.block, variable.name), {}, "leave it out, or write `path = mapped_states(…)`");
    }
    return;
  }
  const schema::UpstreamTask base = context.upstream(reference.at("path").at("base"));
  const State wide = state_of(base, context), mine = state_of(reference);
  if (!wide.system || !wide.ensemble) return;
  const std::string other = fmt::format("`{}`", base.name);
  expect_same(mine.system, wide.system, "system", "path", other, context);
  expect_same(mine.ensemble, wide.ensemble, "ensemble", "path", other, context);
  if (wide.open().empty()) {
    complain(context, "E0428", "path", fmt::format("`{}` is of one state, the grid of {} needs a base over ranges", base.name, context.block), {},
             "write for instance `temperature = 300 K .. 900 K` in the ensemble, or `density = … .. …` in the lattice");
    return;
  }
  if (check_grid(reference, wide, base.name, context)) check_anchors(reference, wide, context);
}

std::vector<schema::Attribute> mapped_states_arguments() {
  return {{"base", Type::reference({"base"}), "over the ranges of the grid: chains begin at its Gaussians, and configurations are carried between them", true, {}},
          {"anchors", Type::list(Type::reference({"reference"})), "references that tell the absolute free energy at one or more states of the grid", true, {}, {}, {}, "[middle]"}};
}

}  // namespace bgw::catalog
