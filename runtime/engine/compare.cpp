#include "runtime/engine/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace bgw::engine {
namespace {

using schema::Value;

constexpr std::string_view kArguments = "arguments.";

bool is_list_of_named(const Value& value) {
  return value.is_list() && !value.as_list().empty() &&
         std::all_of(value.as_list().begin(), value.as_list().end(),
                     [](const Value& item) { return item.find("name") != nullptr && item.at("name").is_string(); });
}

std::string joined(const std::string& place, const std::string& member) { return place.empty() ? member : place + "." + member; }

// "stages" -> "stage"
std::string singular(const std::string& place) { return place.ends_with('s') ? place.substr(0, place.size() - 1) : place; }

void flatten(const Value& value, const std::string& place, Fields& fields) {
  if (is_list_of_named(value)) {
    for (const Value& item : value.as_list()) {
      const std::string name = item.at("name").as_string();
      for (const auto& [member, inner] : item.as_map()) {
        if (member != "name") flatten(inner, joined(fmt::format("{} {}", singular(place), name), member), fields);
      }
    }
  } else if (value.is_map()) {
    for (const auto& [name, item] : value.as_map()) {
      if (name == "task" && item.is_string()) continue;  // where an input enters: it is compared as an input
      // a constructor is named by its place: "flow mode_split -> affine"
      flatten(item, name == "call" && item.is_string() ? place : joined(place, name), fields);
    }
  } else {
    fields[place] = value;
  }
}

Fields fields_in(const Value& preimage) {
  Fields fields;
  for (const auto& [name, value] : preimage.as_map()) {
    if (name != "inputs" && name != "record") flatten(value, name, fields);
  }
  return fields;
}

std::map<std::string, plan::Key> inputs_in(const Value& preimage) {
  std::map<std::string, plan::Key> inputs;
  const Value* map = preimage.find("inputs");
  if (map == nullptr || !map->is_map()) return inputs;
  for (const auto& [role, key] : map->as_map()) inputs.emplace(role, plan::Key::from_hex(key.as_string()));
  return inputs;
}

template <class Map>
std::set<std::string> names_of(const Map& before, const Map& now) {
  std::set<std::string> names;
  for (const auto& entry : before) names.insert(entry.first);
  for (const auto& entry : now) names.insert(entry.first);
  return names;
}

Value value_at(const Fields& fields, const std::string& place) {
  const auto found = fields.find(place);
  return found == fields.end() ? Value() : found->second;
}

std::optional<plan::Key> key_at(const std::map<std::string, plan::Key>& inputs, const std::string& role) {
  const auto found = inputs.find(role);
  return found == inputs.end() ? std::nullopt : std::optional(found->second);
}

// Both in the order of their names, side by side.
template <class Map>
void count_likeness(const Map& one, const Map& other, Likeness& likeness) {
  auto a = one.begin();
  auto b = other.begin();
  while (a != one.end() && b != other.end()) {
    const int order = a->first.compare(b->first);
    ++(order == 0 && a->second == b->second ? likeness.same : likeness.different);
    if (order <= 0) ++a;
    if (order >= 0) ++b;
  }
  likeness.different += static_cast<std::size_t>(std::distance(a, one.end()) + std::distance(b, other.end()));
}

}  // namespace

Fields fields_of(const std::string& preimage) { return fields_in(schema::parse_json(preimage)); }

Preimage read_preimage(const std::string& text) {
  const Value preimage = schema::parse_json(text);
  return {fields_in(preimage), inputs_in(preimage)};
}

Likeness likeness(const Preimage& one, const Preimage& other) {
  Likeness likeness;
  count_likeness(one.fields, other.fields, likeness);
  count_likeness(one.inputs, other.inputs, likeness);
  return likeness;
}

Comparison compare(const std::string& earlier_preimage, const std::string& preimage) {
  const auto [before, inputs_before] = read_preimage(earlier_preimage);
  const auto [now, inputs_now] = read_preimage(preimage);
  Comparison comparison;
  for (const std::string& place : names_of(before, now)) {
    const Value old_value = value_at(before, place);
    const Value new_value = value_at(now, place);
    if (old_value == new_value)
      ++comparison.same_fields;
    else
      comparison.fields.push_back({place, old_value, new_value});
  }
  for (const std::string& role : names_of(inputs_before, inputs_now)) {
    const std::optional<plan::Key> old_key = key_at(inputs_before, role);
    const std::optional<plan::Key> new_key = key_at(inputs_now, role);
    if (old_key == new_key)
      ++comparison.same_inputs;
    else
      comparison.inputs.push_back({role, old_key, new_key});
  }
  return comparison;
}

std::string shown_place(const std::string& place) {
  return place.starts_with(kArguments) ? place.substr(kArguments.size()) : place;
}

}  // namespace bgw::engine
