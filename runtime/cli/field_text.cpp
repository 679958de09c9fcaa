#include "runtime/cli/field_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "compiler/units/dimension.h"
#include "compiler/units/unit_expression.h"
#include "runtime/report/number_format.h"
#include "runtime/report/text_table.h"

namespace bgw::cli {
namespace {

using schema::Attribute;
using schema::NestedSchema;
using schema::Type;
using schema::TypeKind;
using schema::Value;

// What may stand at one level of a task's arguments.
struct Level {
  std::vector<const std::vector<Attribute>*> attributes;
  std::vector<const std::vector<NestedSchema>*> nested;
};

void add_kind(const schema::KindSchema* kind, Level& level) {
  if (!kind) return;
  level.attributes.push_back(&kind->attributes);
  level.nested.push_back(&kind->nested);
}

// Below an attribute: the members of the block it refers to, or the arguments of the constructor that stands there.
void add_below(const schema::Catalog& catalog, const Type& type, const std::string& call, Level& level) {
  if (type.kind == TypeKind::reference || type.kind == TypeKind::samples) {
    for (const std::string& noun : type.nouns) add_kind(catalog.find_kind(noun), level);
  }
  if (type.kind == TypeKind::constructor) {
    if (const schema::ConstructorSchema* constructor = catalog.find_constructor(call))
      level.attributes.push_back(&constructor->arguments);
  }
  for (const Type& item : type.items) add_below(catalog, item, call, level);
}

// "stage main" and "checkpoint" are nested blocks, one of many and a single one.
const NestedSchema* find_nested(const Level& level, const std::string& word) {
  const std::string kind = word.substr(0, word.find(' '));
  for (const auto* list : level.nested) {
    for (const NestedSchema& nested : *list) {
      if (nested.kind == kind || nested.member == word) return &nested;
    }
  }
  return nullptr;
}

const Attribute* find_attribute(const Level& level, const std::string& word) {
  for (const auto* list : level.attributes) {
    for (const Attribute& attribute : *list) {
      if (attribute.name == word) return &attribute;
    }
  }
  return nullptr;
}

std::string dimension_in(const Type& type) {
  if (type.kind == TypeKind::quantity) return type.dimension;
  for (const Type& item : type.items) {
    if (std::string found = dimension_in(item); !found.empty()) return found;
  }
  return "";
}

bool is_seed(const Attribute* attribute) { return attribute && attribute->type.kind == TypeKind::seed; }

std::string number_text(const Value& value, const std::string& unit, bool grouped) {
  if (!unit.empty()) return units::format_in_unit(value.as_double(), unit);
  if (value.is_double()) return fmt::format("{}", value.as_double());
  constexpr std::int64_t kLarge = 10'000;
  return grouped && std::abs(value.as_int()) >= kLarge ? report::format_count(value.as_int()) : fmt::format("{}", value.as_int());
}

std::string text_of(const Value& value, const std::string& unit, bool grouped) {
  constexpr std::size_t kLongest = 60;  // characters
  if (value.is_none()) return "none";
  if (value.is_bool()) return value.as_bool() ? "true" : "false";
  if (value.is_number()) return number_text(value, unit, grouped);
  std::string text = value.is_string() ? value.as_string() : schema::to_json(value);
  if (value.is_list()) {
    std::vector<std::string> items;
    for (const Value& item : value.as_list()) items.push_back(text_of(item, unit, grouped));
    text = fmt::format("[{}]", fmt::join(items, ", "));
    if (report::width_of(text) > kLongest) return fmt::format("[{} values]", value.as_list().size());
  }
  return text;
}

}  // namespace

FieldText::FieldText(const schema::Catalog& catalog, std::string kind, engine::Fields fields, const Value& presentation)
    : catalog_(catalog), kind_(std::move(kind)), fields_(std::move(fields)) {
  if (!presentation.is_map()) return;
  energy_unit_ = presentation.string_or("energy_unit", "");
  length_unit_ = presentation.string_or("length_unit", "");
}

std::string FieldText::at(const std::string& place) const {
  const auto found = fields_.find(place);
  if (found == fields_.end()) return "none";
  const Attribute* attribute = attribute_at(place);
  return text_of(found->second, attribute ? unit_of(*attribute) : "", !is_seed(attribute));
}

const Attribute* FieldText::attribute_at(const std::string& place) const {
  Level level;
  add_kind(catalog_.find_kind(kind_), level);
  add_kind(catalog_.find_function(kind_), level);
  const Attribute* attribute = nullptr;
  std::string above = "arguments";
  if (!place.starts_with(above + ".")) return nullptr;
  for (std::size_t begin = above.size() + 1; begin <= place.size();) {
    const std::size_t end = std::min(place.find('.', begin), place.size());
    const std::string word = place.substr(begin, end - begin);
    above += "." + word;
    begin = end + 1;
    if (word == "interval" && attribute) continue;  // {"interval": [low, high]} has the unit of its ends
    const Attribute* here = find_attribute(level, word);
    const NestedSchema* nested = here ? nullptr : find_nested(level, word);
    if (!here && !nested) return nullptr;
    level = {};
    attribute = here;
    if (nested) {
      level.attributes.push_back(&nested->attributes);
    } else {
      const auto call = fields_.find(above);
      add_below(catalog_, here->type, call != fields_.end() && call->second.is_string() ? call->second.as_string() : "", level);
    }
  }
  return attribute;
}

std::string FieldText::unit_of(const Attribute& attribute) const {
  const std::string dimension = dimension_in(attribute.type);
  if (dimension.empty() || dimension == "dimensionless" || dimension == "any") return "";
  // A task in reduced units counts everything in them but what is no physics: time on the clock and memory.
  if (energy_unit_ == "lj" && dimension != "duration" && dimension != "memory") return "lj";
  if (dimension == "energy" && !energy_unit_.empty()) return energy_unit_;
  if (dimension == "length" && !length_unit_.empty()) return length_unit_;
  return units::usual_unit_of(dimension);
}

}  // namespace bgw::cli
