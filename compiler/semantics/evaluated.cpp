#include "compiler/semantics/evaluated.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "compiler/semantics/quantities.h"

namespace bgw::semantics {

ListValue::ListValue() : shared(std::make_shared<const std::vector<Evaluated>>()) {}
ListValue::ListValue(std::vector<Evaluated> items) : shared(std::make_shared<const std::vector<Evaluated>>(std::move(items))) {}
MapValue make_map(std::map<std::string, Evaluated> entries) {
  return {std::make_shared<const std::map<std::string, Evaluated>>(std::move(entries))};
}

bool equal(const Evaluated& a, const Evaluated& b) {
  if (a.as<std::int64_t>() && b.as<std::int64_t>()) return *a.as<std::int64_t>() == *b.as<std::int64_t>();
  const auto p = as_quantity(a), q = as_quantity(b);
  if (p && q) return p->value == q->value && p->dimension == q->dimension && p->reduced == q->reduced;
  const auto text = [](const Evaluated& v) -> const std::string* {
    if (const auto* word = v.as<Word>()) return &word->text;
    return v.as<std::string>();
  };
  if (text(a) && text(b)) return *text(a) == *text(b);
  if (a.what.index() != b.what.index()) return false;
  if (a.as<bool>()) return *a.as<bool>() == *b.as<bool>();
  if (a.as<None>()) return true;
  if (const auto* x = a.as<ListValue>()) {
    const auto& other = b.as<ListValue>()->items();
    return x->shared == b.as<ListValue>()->shared ||
           (x->items().size() == other.size() && std::equal(other.begin(), other.end(), x->items().begin(), equal));
  }
  if (const auto* x = a.as<MapValue>()) {
    const auto& other = b.as<MapValue>()->entries();
    return x->entries().size() == other.size() &&
           std::equal(other.begin(), other.end(), x->entries().begin(),
                      [](const auto& one, const auto& two) { return one.first == two.first && equal(one.second, two.second); });
  }
  if (a.as<InstanceValue>()) return a.as<InstanceValue>()->instance == b.as<InstanceValue>()->instance;
  return false;
}

namespace {

std::size_t size_of(const schema::Value& value, std::size_t most) {
  std::size_t size = 1;
  if (value.is_list()) {
    for (const auto& item : value.as_list()) {
      if (size >= most) break;
      size += size_of(item, most - size);
    }
  } else if (value.is_map()) {
    for (const auto& [name, item] : value.as_map()) {
      if (size >= most) break;
      size += size_of(item, most - size);
    }
  }
  return size;
}

}  // namespace

std::size_t size_of(const Evaluated& value, std::size_t most) {
  std::size_t size = 1;
  if (const auto* list = value.as<ListValue>()) {
    for (const Evaluated& item : list->items()) {
      if (size >= most) break;
      size += size_of(item, most - size);
    }
  } else if (const auto* map = value.as<MapValue>()) {
    for (const auto& [name, item] : map->entries()) {
      if (size >= most) break;
      size += size_of(item, most - size);
    }
  } else if (const auto* run_time = value.as<RunTime>()) {
    size += size_of(run_time->expression, most);
  }
  return size;
}

std::optional<units::Quantity> as_quantity(const Evaluated& value) {
  if (const auto* number = value.as<std::int64_t>()) return plain(static_cast<double>(*number));
  if (const auto* quantity = value.as<units::Quantity>()) return *quantity;
  return std::nullopt;
}

std::string describe(const Evaluated& value) {
  struct Describe {
    std::string operator()(const Poison&) const { return "a wrong value"; }
    std::string operator()(const None&) const { return "none"; }
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(std::int64_t) const { return "an int"; }
    std::string operator()(const units::Quantity& q) const {
      if (q.reduced) return "a number in reduced units (lj)";
      return is_plain(q) ? "a plain number" : units::dimension_phrase(q.dimension);
    }
    std::string operator()(const std::string&) const { return "a string"; }
    std::string operator()(const Word& w) const { return fmt::format("the word `{}`", w.text); }
    std::string operator()(const ListValue&) const { return "a list"; }
    std::string operator()(const MapValue&) const { return "a map"; }
    std::string operator()(const Interval& i) const { return i.low.reduced || i.low.dimension.is_dimensionless() ? "an interval" : std::string("an interval of ") + units::dimension_name(i.low.dimension); }
    std::string operator()(const InstanceValue& i) const { return fmt::format("the {} `{}`", i.instance->kind->noun, i.instance->block); }
    std::string operator()(const RunTime& r) const {
      if (r.type == schema::ResultType::samples) return "samples";
      if (r.type == schema::ResultType::curve) return "a curve";
      if (r.type == schema::ResultType::numbers) return "a list of results";
      if (r.type == schema::ResultType::field) return "a field";
      return r.dimension == units::Dimension{} ? "a result (a plain number)" : fmt::format("a result ({})", units::dimension_phrase(r.dimension));
    }
    std::string operator()(const FitValue&) const { return "a fit"; }
  };
  return std::visit(Describe{}, value.what);
}

std::string index_text(const Evaluated& value) {
  if (const auto* number = value.as<std::int64_t>()) return fmt::format("{}", *number);
  if (const auto* word = value.as<Word>()) return word->text;
  if (const auto* text = value.as<std::string>()) return *text;
  if (const bool* flag = value.as<bool>()) return *flag ? "true" : "false";
  if (const auto* quantity = value.as<units::Quantity>()) return fmt::format("{}", quantity->value + 0.0);
  return "?";
}

bool is_truth(const RunTime& result) {
  static const std::set<std::string> kTruths{"less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "and", "or", "not"};
  const schema::Value* op = result.expression.find("op");
  return op && op->is_string() && kTruths.count(op->as_string()) != 0;
}

bool holds_result(const Evaluated& value) {
  if (value.as<InstanceValue>() || value.as<RunTime>() || value.as<FitValue>()) return true;
  if (const auto* list = value.as<ListValue>()) return std::any_of(list->items().begin(), list->items().end(), holds_result);
  const auto* map = value.as<MapValue>();
  return map && std::any_of(map->entries().begin(), map->entries().end(), [](const auto& entry) { return holds_result(entry.second); });
}

schema::Value constant_expression(schema::Value value, const units::Dimension& dimension) {
  schema::Map map{{"op", "const"}, {"value", std::move(value)}};
  for (const auto& [name, unit] : {std::pair{"length", "angstrom"}, {"energy", "eV"}, {"temperature", "K"}, {"density", "/angstrom^3"}, {"pressure", "eV/angstrom^3"},
                                  {"area", "angstrom^2"}, {"volume", "angstrom^3"}, {"force", "eV/angstrom"}, {"spring", "eV/angstrom^2"}}) {
    if (dimension == dimension_named(name)) map["unit"] = unit;
  }
  return map;
}

schema::Value to_value(const Evaluated& value) {
  struct Convert {
    schema::Value operator()(const Poison&) const { return {}; }
    schema::Value operator()(const None&) const { return {}; }
    schema::Value operator()(bool v) const { return v; }
    schema::Value operator()(std::int64_t v) const { return v; }
    schema::Value operator()(const units::Quantity& q) const { return q.reduced ? from_reduced(q.value, q.dimension) : q.value; }
    schema::Value operator()(const std::string& v) const { return v; }
    schema::Value operator()(const Word& v) const { return v.text; }
    schema::Value operator()(const ListValue& v) const {
      schema::List list;
      for (const Evaluated& item : v.items()) list.push_back(to_value(item));
      return list;
    }
    schema::Value operator()(const MapValue& v) const {
      schema::Map map;
      for (const auto& [name, item] : v.entries()) map[name] = to_value(item);
      return map;
    }
    schema::Value operator()(const Interval& v) const { return schema::List{v.low.value, v.high.value}; }
    schema::Value operator()(const InstanceValue& v) const { return v.instance->name; }
    schema::Value operator()(const RunTime& v) const { return v.expression; }
    schema::Value operator()(const FitValue&) const { return {}; }
  };
  return std::visit(Convert{}, value.what);
}

}  // namespace bgw::semantics
