#include "runtime/catalog/values.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace bgw::catalog {

using schema::Type;
using schema::TypeKind;
using schema::Value;

Type number_or_interval() { return Type::any_of({Type::of(TypeKind::number), Type::interval(Type::of(TypeKind::number))}); }

Type quantity_or_interval(const char* dimension) {
  return Type::any_of({Type::quantity(dimension), Type::interval(Type::quantity(dimension))});
}

Type one_or_list(const Type& item) { return Type::any_of({item, Type::list(item)}); }

Type schedule(const Type& item) { return Type::any_of({item, Type::list(item), Type::interval(item)}); }

schema::Attribute later(schema::Attribute attribute) {
  attribute.later = true;
  return attribute;
}

void leave_out(schema::Map& map, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (const auto found = map.find(name); found != map.end() && found->second.is_none()) map.erase(found);
  }
}

const Value* given(const schema::Map& map, const std::string& name) {
  const auto found = map.find(name);
  return found == map.end() || found->second.is_none() ? nullptr : &found->second;
}

const Value* given(const Value& map, const std::string& name) { return map.is_map() ? given(map.as_map(), name) : nullptr; }

bool Range::holds(double value) const {
  const double rounding = 1e-9 * std::max(std::abs(low), std::abs(high));
  return value >= low - rounding && value <= high + rounding;
}

bool is_interval(const Value& value) { return value.find("interval") != nullptr; }

Range range_of(const Value& value) {
  const Value& ends = is_interval(value) ? value.at("interval") : value;
  if (!ends.is_list()) return {ends.as_double(), ends.as_double()};
  Range range{INFINITY, -INFINITY};
  for (const Value& end : ends.as_list()) {
    range.low = std::min(range.low, end.as_double());
    range.high = std::max(range.high, end.as_double());
  }
  return range;
}

std::string shown(const schema::CheckContext& context, double value, const std::string& dimension) {
  return dimension.empty() ? fmt::format("{:.6g}", value) : context.shown(value, dimension.c_str());
}

std::string shown(const schema::CheckContext& context, const Range& range, const std::string& dimension) {
  if (range.low == range.high) return shown(context, range.low, dimension);
  return fmt::format("{} .. {}", shown(context, range.low, dimension), shown(context, range.high, dimension));
}

}  // namespace bgw::catalog
