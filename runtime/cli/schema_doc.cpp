#include "runtime/cli/schema_doc.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <stdexcept>

#include "compiler/units/unit_expression.h"
#include "compiler/units/unit_table.h"

namespace bgw::cli {
namespace {

using schema::Attribute;
using schema::Bounds;
using schema::List;
using schema::Map;
using schema::Type;
using schema::TypeKind;
using schema::Value;

List texts(const std::vector<std::string>& words) { return {words.begin(), words.end()}; }

// The first dimension in a type: `a temperature or none` is counted in K.
std::string dimension_in(const Type& type) {
  if (type.kind == TypeKind::quantity) return type.dimension;
  for (const Type& item : type.items) {
    if (std::string found = dimension_in(item); !found.empty()) return found;
  }
  return "";
}

void collect_later(const Type& type, std::vector<std::string>& words) {
  words.insert(words.end(), type.later.begin(), type.later.end());
  for (const Type& item : type.items) collect_later(item, words);
}

bool counts_in(const std::string& unit, const units::Dimension& dimension) {
  try {
    const units::Quantity one = units::parse_quantity(unit);
    return one.reduced || one.dimension == dimension;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

// That of the example, "6.189 kcal/mol", else the usual one.
std::string unit_of(const Attribute& attribute) {
  const std::string name = dimension_in(attribute.type);
  const auto dimension = units::find_dimension(name);
  if (!dimension) return "";
  const std::size_t blank = attribute.example.find(' ');
  if (blank != std::string::npos && counts_in(attribute.example.substr(blank + 1), *dimension)) {
    return attribute.example.substr(blank + 1);
  }
  return units::usual_unit_of(name);
}

std::string text_of(const Value& value, const std::string& unit, bool quoted) {
  if (value.is_bool()) return value.as_bool() ? "true" : "false";
  if (value.is_string()) return quoted ? fmt::format("\"{}\"", value.as_string()) : value.as_string();
  if (value.is_int())
    return unit.empty() ? fmt::format("{}", value.as_int()) : units::format_in_unit(value.as_double(), unit);
  if (value.is_double()) return units::format_in_unit(value.as_double(), unit);
  std::vector<std::string> parts;
  if (value.is_list()) {
    for (const Value& item : value.as_list()) parts.push_back(text_of(item, unit, quoted));
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
  if (!value.is_map()) return "none";
  for (const auto& [name, argument] : value.as_map()) {
    if (name != "call") parts.push_back(fmt::format("{} = {}", name, text_of(argument, "", quoted)));
  }
  const std::string call = value.string_or("call", "");
  return parts.empty() ? call : fmt::format("{}({})", call, fmt::join(parts, ", "));
}

std::string bounds_of(const Attribute& attribute, const std::string& unit) {
  const double scale = unit.empty() ? 1 : units::parse_quantity(unit).value;
  Bounds bounds = attribute.bounds;
  bool shown = false;
  for (std::optional<double>* end : {&bounds.least, &bounds.above, &bounds.most}) {
    if (!*end) continue;
    shown |= **end != 0;
    **end /= scale;
  }
  const std::string text = bounds.describe();
  return text.empty() || unit.empty() || !shown ? text : fmt::format("{} {}", text, unit);
}

Map document(const Attribute& attribute) {
  const std::string unit = unit_of(attribute);
  std::vector<std::string> later;
  collect_later(attribute.type, later);
  const bool quoted = attribute.type.kind == TypeKind::string;
  Map map{{"name", attribute.name},
          {"type", attribute.type.dimension == "any" ? "a quantity of any dimension" : attribute.type.describe()},
          {"unit", unit},
          {"required", attribute.required},
          {"default", attribute.otherwise.is_none() ? Value() : Value(text_of(attribute.otherwise, unit, quoted))},
          {"bounds", bounds_of(attribute, unit)},
          {"variants", texts(attribute.variants)},
          {"doc", attribute.doc},
          {"example", attribute.example},
          {"later", attribute.later},
          {"later_words", texts(later)}};
  if (!attribute.only.is_none()) map.insert_or_assign("only", text_of(attribute.only, unit, quoted));
  return map;
}

List document(const std::vector<Attribute>& attributes) {
  List list;
  for (const Attribute& attribute : attributes) list.push_back(document(attribute));
  return list;
}

const char* made_by(schema::Makes makes) {
  switch (makes) {
    case schema::Makes::value: return "value";
    case schema::Makes::task: return "task";
    case schema::Makes::inline_task: return "small task";
    case schema::Makes::check: return "check";
    case schema::Makes::policy: return "policy";
  }
  return "";
}

const char* name_of(schema::ResultType type) {
  switch (type) {
    case schema::ResultType::number: return "number";
    case schema::ResultType::numbers: return "list of numbers";
    case schema::ResultType::samples: return "samples";
    case schema::ResultType::curve: return "curve";
    case schema::ResultType::field: return "field";
  }
  return "";
}

List document_results(const schema::KindSchema& kind) {
  List results;
  for (const schema::Result& result : kind.results) {
    results.push_back(Map{{"name", result.name},
                          {"type", name_of(result.type)},
                          {"dimension", result.dimension},
                          {"doc", result.doc},
                          {"arguments", document(result.arguments)}});
  }
  return results;
}

List document_nested(const schema::KindSchema& kind) {
  List blocks;
  for (const schema::NestedSchema& nested : kind.nested) {
    blocks.push_back(Map{{"kind", nested.kind},
                         {"doc", nested.doc},
                         {"many", nested.many},
                         {"required", nested.required},
                         {"attributes", document(nested.attributes)}});
  }
  return blocks;
}

struct Builtin {
  const char* name;
  const char* call;
  const char* doc;
};

constexpr Builtin kBuiltins[] = {
    {"abs", "abs(x)", "absolute value"},
    {"at", "at(value, temperature = 200 K, ...)",
     "one state of what an interval leaves open: of a system, ensemble, base or trained flow"},
    {"crossing", "crossing([x, ...], [y, ...], level)", "the x at which a curve through results y takes a value"},
    {"derive", "derive(seed, n, ...)", "a seed of its own for each n: independent streams from one root"},
    {"error", "error(x)", "one standard error of a result, as an exact number"},
    {"exp", "exp(x)", "of a plain number"},
    {"fit", "fit(results, model = \"a + b/n\")",
     "least squares of results against the indices of their blocks; the model is linear in what it finds, `.a`"},
    {"first", "first(n)", "true for the first value of the axis that n runs over"},
    {"last", "last(n)", "true for the last value of the axis that n runs over"},
    {"len", "len(list)", "number of items"},
    {"linspace", "linspace(a, b, count)", "count values from a to b, equally spaced"},
    {"log", "log(x)", "natural logarithm of a plain number"},
    {"logspace", "logspace(a, b, count)", "count values from a to b, with equal ratios"},
    {"max", "max(list) or max(a, b, ...)", "the largest"},
    {"mean", "mean(list) or mean(a, b, ...)", "arithmetic mean; of results with their errors, when the program runs"},
    {"min", "min(list) or min(a, b, ...)", "the smallest"},
    {"next", "next(n)", "the value after n on its axis; none for the last"},
    {"prev", "prev(n)", "the value before n on its axis; none for the first"},
    {"sqrt", "sqrt(x)", "square root, of the dimension too"},
    {"sum", "sum(list) or sum(a, b, ...)", "the sum"},
};

}  // namespace

Map document(const schema::KindSchema& kind) {
  return {{"name", kind.noun},
          {"makes", made_by(kind.makes)},
          {"doc", kind.doc},
          {"version", static_cast<std::int64_t>(kind.version)},
          {"variants_by", kind.discriminator},
          {"attributes", document(kind.attributes)},
          {"nested", document_nested(kind)},
          {"results", document_results(kind)},
          {"coordinates", document(kind.coordinates)},
          {"indexed_as_rows", kind.indexed_as_rows},
          {"later", kind.later}};
}

Map document(const schema::ConstructorSchema& constructor) {
  return {{"name", constructor.name},
          {"makes", "constructor"},
          {"doc", constructor.doc},
          {"attributes", document(constructor.arguments)},
          {"later", constructor.later}};
}

List document_units() {
  List list;
  for (const std::string& name : units::unit_names()) {
    const units::Quantity unit = *units::find_unit(name);
    list.push_back(Map{{"name", name},
                       {"value", unit.value},
                       {"base_unit", unit.reduced ? "of what its place expects, in epsilon, sigma and the mass"
                                                  : units::base_unit(unit.dimension)},
                       {"dimension", unit.reduced ? "reduced" : units::dimension_name(unit.dimension)}});
  }
  return list;
}

List document_functions() {
  List list;
  for (const Builtin& builtin : kBuiltins) {
    list.push_back(Map{{"name", builtin.name}, {"call", builtin.call}, {"doc", builtin.doc}});
  }
  return list;
}

}  // namespace bgw::cli
