#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"

namespace bgw::semantics {
namespace {

using schema::ResultType;

std::string joined_name(const std::string& part, const std::string& name) { return part.empty() ? name : part + "." + name; }

/// True when a result has this name as its beginning: `coexistence` of `coexistence.pressure`.
bool is_part(const schema::KindSchema& kind, const std::string& name) {
  for (const schema::Result& result : kind.results) {
    if (result.name.starts_with(name + ".")) return true;
  }
  return false;
}

std::vector<std::string> result_names(const schema::KindSchema& kind) {
  std::vector<std::string> names;
  for (const schema::Result& result : kind.results) names.push_back(result.name);
  return names;
}

std::vector<std::string> list_of(const std::vector<std::string>& names) {
  return names.empty() ? std::vector<std::string>{} : std::vector<std::string>{fmt::format("it has {}", fmt::join(names, ", "))};
}

}  // namespace

Evaluated Elaborator::member(const Evaluated& of, const syntax::Name& name, SourceRange range) {
  if (const auto* list = of.as<ListValue>()) {
    std::vector<Evaluated> items;
    for (const Evaluated& item : list->items()) {
      if (!affords(1, range)) return poison();
      items.push_back(member(item, name, range));
      if (items.back().is_poison()) return poison();
    }
    return {ListValue(std::move(items)), range};
  }
  if (const auto* map = of.as<MapValue>()) {
    const auto found = map->entries().find(name.text);
    if (found != map->entries().end()) return found->second;
    ++errors_;
    if (!told_.insert(fmt::format("{} of {}", name.text, static_cast<const void*>(map->shared.get()))).second) return poison();
    std::vector<std::string> keys;
    for (const auto& [key, value] : map->entries()) keys.push_back(key);
    return error("E0215", name.range, fmt::format("this map has no `{}`", name.text), did_you_mean(name.text, keys, fmt::format("add `{}: …` to the map", name.text)),
                 {fmt::format("it has {}", fmt::join(keys, ", "))});
  }
  if (const auto* fitted = of.as<FitValue>()) {
    const auto found = fitted->parameters->find(name.text);
    if (found != fitted->parameters->end()) return {found->second, range};
    std::vector<std::string> parameters;
    for (const auto& [parameter, value] : *fitted->parameters) parameters.push_back(parameter);
    return error("E0215", name.range, fmt::format("this fit has no parameter `{}`", name.text), did_you_mean(name.text, parameters),
                 {fmt::format("its model has {}", fmt::join(parameters, ", "))});
  }
  if (const auto* instance = of.as<InstanceValue>()) return result_of(*instance, name, range);
  return error("E0215", name.range, fmt::format("{} has no `{}`", describe(of), name.text), {fmt::format("leave `.{}` out", name.text)});
}

Evaluated Elaborator::result_of(const InstanceValue& of, const syntax::Name& name, SourceRange range) {
  const schema::KindSchema& kind = *of.instance->kind;
  const std::string full = joined_name(of.part, name.text);
  const schema::Result* result = kind.find_result(full);
  if (!result) {
    if (is_part(kind, full)) return {InstanceValue{of.instance, full, of.state}, range};
    const std::vector<std::string> known = result_names(kind);
    return error("E0215", name.range, fmt::format("{} `{}` has no result `{}`", kind.noun, of.instance->block, full), did_you_mean(full, known, known.empty() ? "no result can be read of it" : ""), list_of(known));
  }
  if (!result->arguments.empty()) {
    return error("E0217", name.range, fmt::format("`{}` of {} `{}` needs its arguments", full, kind.noun, of.instance->block),
                 {fmt::format("write `{}({} = …)`", shown(range), result->arguments[0].name)});
  }
  const bool long_one = result->type == ResultType::samples || result->type == ResultType::curve;
  if (long_one && on_a_grid(*of.instance)) return kept_of_no_state(of, full, range);
  if (!state_given_where_needed(of, full, range)) return poison();
  if (full == "absolute" && kind.noun == "estimate" && lacks_mass(*of.instance)) {
    // The true de Broglie length needs the mass of an atom; the task would find out hours later.
    return error("E0407", range, "`.absolute` needs the mass of an atom", {"write `mass = …` in the system"});
  }
  if (full.starts_with("pressure") && lacks_stress(*of.instance)) {
    return error("E0428", range, fmt::format("`.{}` of {} `{}` needs its pressures, which cost an energy call each", full, kind.noun, of.instance->block), {fmt::format("write `stress = true` in the {}", kind.noun)});
  }
  return check_asked(*of.instance, *result, {}, {}, range) ? make_result(of, *result, {}, range) : poison();
}

/// True for a free energy that measures no pressures though it could.
bool Elaborator::lacks_stress(const Instance& instance) {
  const auto& known = instance.kind->attributes;
  if (std::none_of(known.begin(), known.end(), [](const schema::Attribute& attribute) { return attribute.name == "stress"; })) return false;
  const Value* stress = instance.arguments.find("stress");
  return stress == nullptr || !stress->is_bool() || !stress->as_bool();
}

/// True for a block whose results are of states of a grid.
bool Elaborator::on_a_grid(const Instance& of) {
  const auto listed = [&](const schema::Attribute& coordinate) { return of.arguments.has(coordinate.name); };
  return std::any_of(of.kind->coordinates.begin(), of.kind->coordinates.end(), listed);
}

/// Configurations and curves are not kept of each state of a grid.
Evaluated Elaborator::kept_of_no_state(const InstanceValue& of, const std::string& result, SourceRange range) {
  return error("E0415", range, fmt::format("{} `{}` is on a grid of states, of which it keeps no `{}`", of.instance->kind->noun, of.instance->block, result), {"take that of a block at one state"});
}

Evaluated Elaborator::make_result(const InstanceValue& of, const schema::Result& result, schema::Map arguments, SourceRange range) {
  const units::Dimension dimension = result.dimension.empty() ? units::Dimension{} : dimension_named(result.dimension).value_or(units::Dimension{});
  const std::int64_t task = of.instance->number;
  if (result.type == ResultType::samples) return {RunTime{schema::Map{{"task", task}, {"attribute", result.name}}, dimension, result.type, of.instance, of.instance->traits.scale}, range};
  if (result.type == ResultType::curve) {
    schema::Map curve{{"op", "curve"}, {"task", task}};
    if (result.name != "curve") curve["name"] = result.name;
    return {RunTime{std::move(curve), dimension, result.type, of.instance, of.instance->traits.scale}, range};
  }
  const char* op = result.type == ResultType::numbers ? "numbers" : result.type == ResultType::field ? "field" : "attribute";
  schema::Map expression{{"op", op}, {"task", task}, {"name", result.name}};
  if (!of.state.is_none()) expression["at"] = of.state;
  if (!arguments.empty()) expression["arguments"] = std::move(arguments);
  return {RunTime{std::move(expression), dimension, result.type, of.instance, of.instance->traits.scale}, range};
}

/// True when the system that a free energy is of has no mass.
bool Elaborator::lacks_mass(const Instance& estimate) {
  const Instance* at = &estimate;
  while (at && !at->arguments.find("system")) {
    const Value* model = at->arguments.has("samples") ? at->arguments.find("samples") : at->arguments.find("model");
    if (model && model->find("call")) model = model->find("base") ? model->find("base") : model->find("model");
    at = model ? find_task(*model) : nullptr;
  }
  return at && at->arguments.at("system").is_map() && !at->arguments.at("system").has("mass");
}

/// What a call on the results of a block is given, in the units of that block.
std::optional<Value> Elaborator::construct_on(const Instance& of, const std::vector<syntax::CallArgument>& arguments, SourceRange range,
                                              const schema::ConstructorSchema& constructor, const Scope& scope) {
  Traits given;
  Traits* outer = std::exchange(traits_, &given);
  const std::string outer_place = std::exchange(place_, std::string());
  auto made = construct(constructor.name, arguments, range, constructor, {constructor.name, range}, scope);
  traits_ = outer;
  place_ = outer_place;
  for (UnboundNumber& number : given.unbound) number.path.erase(0, 1);  // ".temperature": a place within nothing
  if (!made || !bind_to_scale(of, given, *made, range)) return std::nullopt;
  return made;
}

/// `pt.gibbs(p, temperature = 600 K)`.
Evaluated Elaborator::called_result(const InstanceValue& of, const syntax::Name& name, const syntax::CallTrailer& called, const Scope& scope, SourceRange range) {
  const schema::KindSchema& kind = *of.instance->kind;
  const std::string full = joined_name(of.part, name.text);
  const schema::Result* result = kind.find_result(full);
  if (!result) {
    const std::vector<std::string> known = result_names(kind);
    return error("E0215", name.range, fmt::format("{} `{}` has no result `{}`", kind.noun, of.instance->block, full), did_you_mean(full, known, known.empty() ? "no result can be read of it" : ""), list_of(known));
  }
  if (result->arguments.empty()) {
    return error("E0217", name.range, fmt::format("`{}` of {} `{}` takes no arguments", full, kind.noun, of.instance->block), {"leave the brackets out"});
  }
  const schema::ConstructorSchema arguments{full, result->arguments, result->doc};
  const auto made = construct_on(*of.instance, called.arguments, range, arguments, scope);
  if (!made) return poison();
  schema::Map map = made->as_map();
  map.erase("call");
  if (!check_asked(*of.instance, *result, map, called.arguments, range)) return poison();
  return make_result(of, *result, std::move(map), range);
}

/// A block on a grid has most results once for each state.
bool Elaborator::state_given_where_needed(const InstanceValue& of, const std::string& result, SourceRange range) {
  const schema::KindSchema& kind = *of.instance->kind;
  const auto listed = [&](const schema::Attribute& coordinate) { return of.instance->arguments.has(coordinate.name); };
  const auto first = std::find_if(kind.coordinates.begin(), kind.coordinates.end(), listed);
  const bool whole = result == "energy_calls" || result == "seconds" || std::find(kind.of_whole_grid.begin(), kind.of_whole_grid.end(), result) != kind.of_whole_grid.end();
  if (first == kind.coordinates.end() || whole || !of.state.is_none()) return true;
  error("E0415", range, fmt::format("{} `{}` is on a grid of states, each has its own `{}`", kind.noun, of.instance->block, result),
        {fmt::format("say which, as `{}.at({} = …).{}`", of.instance->name, first->name, result)}, {fmt::format("the grid as a whole has {}", fmt::join(kind.of_whole_grid, ", "))});
  return false;
}

/// A state is one of the grid: each number that is listed there is given, and is one of the list. What the grid has one of need not be given.
bool Elaborator::on_grid(const Instance& of, schema::Map& state, SourceRange range) {
  for (const schema::Attribute& coordinate : of.kind->coordinates) {
    const Value* grid = of.arguments.find(coordinate.name);
    const bool listed = grid != nullptr && !grid->is_none();
    const auto given = state.find(coordinate.name);
    if (!listed && given == state.end()) continue;
    if (!listed) {
      error("E0415", range, fmt::format("{} `{}` has no grid of `{}`", of.kind->noun, of.block, coordinate.name), {fmt::format("leave `{}` out", coordinate.name)});
      return false;
    }
    const schema::List values = grid->is_list() ? grid->as_list() : schema::List{*grid};
    if (given == state.end()) {
      if (values.size() == 1) continue;
      error("E0415", range, fmt::format("{} `{}` has {} values of `{}`, the state names none", of.kind->noun, of.block, values.size(), coordinate.name), {fmt::format("add `{} = …`", coordinate.name)});
      return false;
    }
    const double asked = given->second.as_double();
    const auto same = [&](const Value& value) { return std::abs(value.as_double() - asked) <= 1e-9 * std::abs(asked); };
    const auto found = std::find_if(values.begin(), values.end(), same);
    if (found == values.end()) {
      error("E0415", range, fmt::format("this `{}` is none of those of {} `{}`", coordinate.name, of.kind->noun, of.block), {fmt::format("take one that `{}` of the block lists, or add it there", coordinate.name)});
      return false;
    }
    given->second = *found;
  }
  return true;
}

/// `F.at(temperature = 600 K)`: one state of results on a grid.
Evaluated Elaborator::state_of_results(const InstanceValue& of, const syntax::CallTrailer& called, const Scope& scope, SourceRange range) {
  const schema::KindSchema& kind = *of.instance->kind;
  if (kind.coordinates.empty()) {
    return error("E0217", range, fmt::format("{} `{}` has one state, `.at(…)` has nothing to choose from", kind.noun, of.instance->block), {"leave it out"});
  }
  const schema::ConstructorSchema coordinates{"at", kind.coordinates, "a state of the grid"};
  const auto made = construct_on(*of.instance, called.arguments, range, coordinates, scope);
  if (!made) return poison();
  schema::Map state;
  for (const auto& [coordinate, value] : made->as_map()) {
    if (coordinate != "call" && !value.is_none()) state[coordinate] = value;
  }
  if (state.empty()) return error("E0217", range, "`.at(…)` names no state", {fmt::format("write for instance `.at({} = …)`", kind.coordinates[0].name)});
  if (!on_grid(*of.instance, state, range)) return poison();
  return {InstanceValue{of.instance, of.part, std::move(state)}, range};
}

}  // namespace bgw::semantics
