#include <algorithm>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"

namespace bgw::semantics {
namespace {

/// A variable that an interval may leave open, and where it stands.
struct Coordinate {
  const char *name, *kind;
};
constexpr Coordinate kCoordinates[] = {{"temperature", "ensemble"}, {"pressure", "ensemble"}, {"density", "lattice"}, {"c_over_a", "lattice"},
                                       {"b_over_a", "lattice"},     {"delta", "lattice"},     {"lambda", "potential"}};

const Coordinate* find_coordinate(const std::string& name) {
  for (const Coordinate& coordinate : kCoordinates) {
    if (name == coordinate.name) return &coordinate;
  }
  return nullptr;
}

/// The place of a block of that kind in the arguments of another: "system.lattice", "" for itself.
std::optional<std::string> place_of(const std::string& wanted, const std::string& noun, const Value& arguments) {
  if (wanted == noun) return "";
  for (const char* inner : {"ensemble", "system", "lattice", "potential"}) {
    const Value* part = arguments.find(inner);
    if (!part || !part->is_map()) continue;
    if (const auto place = place_of(wanted, inner, *part)) return place->empty() ? inner : fmt::format("{}.{}", inner, *place);
  }
  return std::nullopt;
}

const Value* part_at(const Value& value, const std::string& path) {
  const std::size_t dot = path.find('.');
  const Value* part = value.find(path.substr(0, dot));
  return dot == std::string::npos || !part ? part : part_at(*part, path.substr(dot + 1));
}

Value replaced(const Value& value, const std::string& path, const Value& by) {
  const std::size_t dot = path.find('.');
  schema::Map map = value.as_map();
  const std::string first = path.substr(0, dot);
  map[first] = dot == std::string::npos ? by : replaced(map[first], path.substr(dot + 1), by);
  return map;
}

}  // namespace

/// `at(phonons[p], temperature = 600 K)`: the same block with a variable fixed.
Evaluated Elaborator::at_state(const syntax::CallTrailer& called, const Scope& scope, SourceRange range) {
  if (called.arguments.empty() || called.arguments[0].name) {
    return error("E0217", range, "`at` takes a block and then what is fixed", {"write for instance `at(phonons, temperature = 600 K)`"});
  }
  const Evaluated of = evaluate(*called.arguments[0].value, scope);
  if (of.is_poison()) return of;
  const auto* value = of.as<InstanceValue>();
  if (!value) return error("E0303", called.arguments[0].range, fmt::format("`at` takes a block, got {}", describe(of)), {"write for instance `at(phonons, temperature = 600 K)`"});
  const Instance& instance = *value->instance;
  std::vector<std::pair<std::string, Value>> changes;
  Traits traits;
  for (std::size_t i = 1; i < called.arguments.size(); ++i) {
    const syntax::CallArgument& argument = called.arguments[i];
    const Coordinate* coordinate = argument.name ? find_coordinate(argument.name->text) : nullptr;
    const auto place = coordinate ? place_of(coordinate->kind, instance.kind->noun, instance.arguments) : std::nullopt;
    const schema::KindSchema* kind = place ? catalog_.find_kind(coordinate->kind) : nullptr;
    const schema::Attribute* attribute = kind ? kind->find_attribute(coordinate->name) : nullptr;
    if (!attribute) {
      std::vector<std::string> known;
      for (const Coordinate& each : kCoordinates) known.emplace_back(each.name);
      const std::string name = argument.name ? argument.name->text : shown(argument.range);
      return error("E0202", argument.range, fmt::format("`at` cannot fix `{}` of {} `{}`", name, instance.kind->noun, instance.block),
                   argument.name ? did_you_mean(name, known) : std::vector<std::string>{"write for instance `temperature = 600 K`"}, {fmt::format("a state is given by {}", fmt::join(known, ", "))});
    }
    if (!attribute->variants.empty()) {
      const Value* part = place->empty() ? &instance.arguments : part_at(instance.arguments, *place);
      const Value* variant = part ? part->find(kind->discriminator) : nullptr;
      if (variant && variant->is_string() && std::find(attribute->variants.begin(), attribute->variants.end(), variant->as_string()) == attribute->variants.end()) {
        return error("E0202", argument.range, fmt::format("{} with `{} = {}` has no `{}`", coordinate->kind, kind->discriminator, variant->as_string(), coordinate->name), {"leave it out"});
      }
    }
    const std::string path = place->empty() ? coordinate->name : fmt::format("{}.{}", *place, coordinate->name);
    Traits* outer = std::exchange(traits_, &traits);
    const std::string outer_place = std::exchange(place_, path);
    const auto fixed = resolve(*argument.value, attribute->type, {coordinate->kind, argument.value->range, attribute}, scope);
    traits_ = outer;
    place_ = outer_place;
    if (!fixed) return poison();
    const bool again = std::any_of(changes.begin(), changes.end(), [&](const auto& change) { return change.first == path; });
    if (again) return error("E0205", argument.range, fmt::format("`{}` is given twice", coordinate->name), {"leave one of the two out"});
    if (attribute->later) traits.later.push_back(fmt::format("`{}.{}`", coordinate->kind, coordinate->name));
    if (!fixed->is_none()) changes.emplace_back(path, *fixed);
  }
  if (changes.empty()) return of;
  return instance_at_state(instance, changes, traits, range);
}

Evaluated Elaborator::instance_at_state(const Instance& of, const std::vector<std::pair<std::string, Value>>& changes, const Traits& traits, SourceRange range) {
  std::string state;
  Value arguments = of.arguments;
  std::vector<UnboundNumber> unbound = of.traits.unbound;
  for (const auto& [path, value] : changes) {
    const std::string name = path.substr(path.rfind('.') + 1);
    // 1.0 lj and 1.0 in base units are two states.
    const bool in_lj = std::any_of(traits.unbound.begin(), traits.unbound.end(), [&, &at = path](const UnboundNumber& number) { return number.path.starts_with(at); });
    state += fmt::format(", {} = {}{}", name, schema::to_json(value.is_map() ? value.at("interval") : value), in_lj ? " lj" : "");
    arguments = replaced(arguments, path, value);
    std::erase_if(unbound, [&, &fixed = path](const UnboundNumber& number) { return number.path.starts_with(fixed); });
  }
  const std::string name = fmt::format("at({}{})", of.name, state);
  const std::string full_name = fmt::format("{}.{}", of.kind->noun, name);
  if (const auto known = made_.find(full_name); known != made_.end()) {
    if (!known->second->good) return poison();
    return {InstanceValue{known->second}, range};
  }
  Instance& instance = add_instance(*of.kind, name, range);
  instance.name = name;
  instance.policy = of.policy;
  instance.traits = of.traits;
  instance.traits.unbound = std::move(unbound);
  instance.traits.reduced = instance.traits.reduced || traits.reduced;
  instance.traits.physical = instance.traits.physical || traits.physical;
  for (const std::string& what : traits.later) {
    if (std::find(instance.traits.later.begin(), instance.traits.later.end(), what) == instance.traits.later.end()) instance.traits.later.push_back(what);
  }
  instance.traits.unbound.insert(instance.traits.unbound.end(), traits.unbound.begin(), traits.unbound.end());
  made_[full_name] = &instance;
  schema::Map map = arguments.as_map();
  bind_reduced(instance, map);
  bool good = check_changed_parts(instance, changes, map);
  good = good && run_domain_check(instance, map, nullptr);
  instance.arguments = std::move(map);
  return good && instance.good ? Evaluated{InstanceValue{&instance}, range} : poison();
}

/// The blocks within, in which something was changed, hold what their own schemas ask for.
bool Elaborator::check_changed_parts(const Instance& instance, const std::vector<std::pair<std::string, Value>>& changes, schema::Map& arguments) {
  std::set<std::string> places;
  for (const auto& [path, value] : changes) {
    if (const std::size_t dot = path.rfind('.'); dot != std::string::npos) places.insert(path.substr(0, dot));
  }
  for (const std::string& place : places) {
    const Value whole = arguments;
    const Value* part = part_at(whole, place);
    const schema::KindSchema* kind = catalog_.find_kind(place.substr(place.rfind('.') + 1));
    if (!part || !part->is_map() || !kind) continue;
    Instance changed;
    changed.kind = kind;
    changed.block = instance.block;
    changed.range = instance.range;
    changed.traits.scale = instance.traits.scale;
    schema::Map map = part->as_map();
    if (!run_domain_check(changed, map, nullptr)) return false;
    arguments = replaced(whole, place, map).as_map();
  }
  return true;
}

}  // namespace bgw::semantics
