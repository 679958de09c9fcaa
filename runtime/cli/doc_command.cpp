#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "compiler/source/diagnostic.h"
#include "runtime/catalog/builtin_catalog.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/editor_syntax.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/schema_doc.h"
#include "runtime/cli/terminal.h"
#include "runtime/report/text_table.h"

namespace bgw::cli {
namespace {

using schema::Catalog;
using schema::List;
using schema::Map;
using schema::Value;

constexpr const char* kLater = "checked, not run by this version yet";

bool is_set(const Value& map, const char* member) { return map.bool_or(member, false); }

std::vector<std::string> words_of(const Value& list) {
  std::vector<std::string> words;
  for (const Value& word : list.as_list()) words.push_back(word.as_string());
  return words;
}

// "a temperature in K, above 0; required"
std::string facts_of(const Value& attribute) {
  std::string text = attribute.at("type").as_string();
  if (const std::string unit = attribute.string_or("unit", ""); !unit.empty()) text += " in " + unit;
  if (const std::string bounds = attribute.string_or("bounds", ""); !bounds.empty()) text += ", " + bounds;
  if (is_set(attribute, "required")) text += "; required";
  if (attribute.has("default")) text += "; default " + attribute.at("default").as_string();
  return text;
}

// What is said of an attribute under its first line.
std::vector<std::string> remarks_on(const Value& attribute, const std::string& discriminator) {
  std::vector<std::string> lines;
  const std::string doc = attribute.string_or("doc", "");
  if (!doc.empty()) lines.push_back(doc);
  const std::vector<std::string> variants = words_of(attribute.at("variants"));
  if (!variants.empty()) lines.push_back(fmt::format("only with {} = {}", discriminator, fmt::join(variants, " or ")));
  if (const std::string example = attribute.string_or("example", ""); !example.empty()) {
    lines.push_back(fmt::format("for instance {} = {}", attribute.at("name").as_string(), example));
  }
  if (attribute.has("only"))
    lines.push_back(fmt::format("values other than {}: {}", attribute.at("only").as_string(), kLater));
  const std::vector<std::string> later = words_of(attribute.at("later_words"));
  if (!later.empty()) lines.push_back(fmt::format("{}: {}", fmt::join(later, ", "), kLater));
  if (is_set(attribute, "later")) lines.emplace_back(kLater);
  return lines;
}

// A name, then its facts and remarks in a column of their own.
void print_entry(const std::string& name, std::size_t width, const std::vector<std::string>& lines,
                 std::size_t indent) {
  std::string head = name;
  for (const std::string& line : lines) {
    const std::string gap(width - std::min(width, report::width_of(head)) + 2, ' ');
    fmt::print("{}{}{}{}\n", std::string(indent, ' '), head, gap, line);
    head.clear();
  }
}

std::size_t widest(const List& entries) {
  std::size_t width = 0;
  for (const Value& entry : entries) width = std::max(width, report::width_of(entry.at("name").as_string()));
  return width;
}

void print_attributes(const Value& attributes, const std::string& discriminator, std::size_t indent) {
  const std::size_t width = widest(attributes.as_list());
  for (const Value& attribute : attributes.as_list()) {
    std::vector<std::string> lines{facts_of(attribute)};
    for (std::string& remark : remarks_on(attribute, discriminator)) lines.push_back(std::move(remark));
    print_entry(attribute.at("name").as_string(), width, lines, indent);
  }
}

void print_title(const Value& entry) {
  const std::string makes = entry.at("makes").as_string();
  fmt::print("{} ({}): {}{}\n", painted(entry.at("name").as_string(), Colour::bold, stdout), makes,
             entry.at("doc").as_string(), is_set(entry, "later") ? fmt::format(" [{}]", kLater) : "");
}

void print_results(const Value& entry) {
  if (entry.at("results").as_list().empty()) return;
  fmt::print("\n  results\n");
  const std::size_t width = widest(entry.at("results").as_list());
  for (const Value& result : entry.at("results").as_list()) {
    const std::string dimension = result.at("dimension").as_string();
    std::vector<std::string> lines{result.at("type").as_string() + (dimension.empty() ? "" : ", " + dimension) + ": " +
                                   result.at("doc").as_string()};
    for (const Value& argument : result.at("arguments").as_list()) {
      lines.push_back(fmt::format("called with {}: {}", argument.at("name").as_string(), facts_of(argument)));
    }
    print_entry(result.at("name").as_string(), width, lines, 4);
  }
}

void print_kind(const Value& kind) {
  print_title(kind);
  if (is_set(kind, "indexed_as_rows")) fmt::print("  the index set of the block makes its rows\n");
  fmt::print("\n");
  print_attributes(kind.at("attributes"), kind.at("variants_by").as_string(), 2);
  for (const Value& nested : kind.at("nested").as_list()) {
    const bool many = is_set(nested, "many");
    fmt::print("\n  {}{} {{ ... }}: {}{}{}\n", nested.at("kind").as_string(), many ? " NAME" : "",
               nested.at("doc").as_string(), many ? "; any number of them" : "",
               is_set(nested, "required") ? ", at least one" : "");
    print_attributes(nested.at("attributes"), "", 4);
  }
  print_results(kind);
  if (!kind.at("coordinates").as_list().empty()) {
    fmt::print("\n  one state of a grid: .at(...)\n");
    print_attributes(kind.at("coordinates"), "", 4);
  }
}

void print_constructor(const Value& constructor) {
  print_title(constructor);
  if (!constructor.at("attributes").as_list().empty()) fmt::print("\n");
  print_attributes(constructor.at("attributes"), "", 2);
}

void print_units() {
  report::TextTable table{{{"unit", false}, {"value", true}, {"in", false}, {"dimension", false}}, {}};
  for (const Value& unit : document_units()) {
    table.rows.push_back({unit.at("name").as_string(), fmt::format("{}", unit.at("value").as_double()),
                          unit.at("base_unit").as_string(), unit.at("dimension").as_string()});
  }
  fmt::print("{}", report::render(table));
}

void print_functions(const Catalog& catalog) {
  report::TextTable table{{{"function", false}, {"value", false}}, {}};
  for (const Value& function : document_functions()) {
    table.rows.push_back({function.at("call").as_string(), function.at("doc").as_string()});
  }
  fmt::print("{}", report::render(table));
  for (const std::string& name : catalog.function_names()) {
    fmt::print("\n");
    print_kind(document(*catalog.find_function(name)));
  }
}

void print_overview(const Catalog& catalog) {
  report::TextTable kinds{{{"block", false}, {"makes", false}, {"", false}}, {}};
  for (const std::string& noun : catalog.nouns()) {
    const Value kind = document(*catalog.find_kind(noun));
    kinds.rows.push_back({noun, kind.at("makes").as_string(), kind.at("doc").as_string()});
  }
  report::TextTable constructors{{{"value of an attribute", false}, {"", false}}, {}};
  for (const std::string& name : catalog.constructor_names()) {
    constructors.rows.push_back({name + "(...)", catalog.find_constructor(name)->doc});
  }
  fmt::print("{}\n{}\n`bgw doc NAME` says more; also `bgw doc units`, `bgw doc functions`, `bgw doc all`\n",
             report::render(kinds), report::render(constructors));
}

List all_kinds(const Catalog& catalog) {
  List list;
  for (const std::string& noun : catalog.nouns()) list.push_back(document(*catalog.find_kind(noun)));
  return list;
}

List all_constructors(const Catalog& catalog) {
  List list;
  for (const std::string& name : catalog.constructor_names()) list.push_back(document(*catalog.find_constructor(name)));
  return list;
}

List all_functions(const Catalog& catalog) {
  List list = document_functions();
  for (const std::string& name : catalog.function_names()) list.push_back(document(*catalog.find_function(name)));
  return list;
}

Value everything(const Catalog& catalog) {
  return Map{{"kinds", all_kinds(catalog)},
             {"constructors", all_constructors(catalog)},
             {"functions", all_functions(catalog)},
             {"units", document_units()}};
}

void print_all(const Catalog& catalog) {
  for (const Value& kind : all_kinds(catalog)) {
    print_kind(kind);
    fmt::print("\n");
  }
  for (const Value& constructor : all_constructors(catalog)) {
    print_constructor(constructor);
    fmt::print("\n");
  }
  print_functions(catalog);
  fmt::print("\n");
  print_units();
}

[[noreturn]] void refuse(const std::string& topic, const Catalog& catalog) {
  std::vector<std::string> known = catalog.nouns();
  for (const auto& names : {catalog.constructor_names(), catalog.function_names(), {"all", "units", "functions"}}) {
    known.insert(known.end(), names.begin(), names.end());
  }
  const std::string nearest = source::nearest(topic, known);
  throw CommandFailure(
      kWrongUse, fmt::format("there is no block kind, constructor or function `{}`; {}", topic,
                             nearest.empty() ? "`bgw doc` lists all" : fmt::format("did you mean `{}`?", nearest)));
}

// A built-in function by its name, as `bgw doc derive`.
Value find_builtin(const std::string& name) {
  for (const Value& function : document_functions()) {
    if (function.at("name").as_string() == name) return function;
  }
  return {};
}

int print_json(const Value& value) {
  put_document(value);
  return kDone;
}

int document_topic(const std::string& topic, const Catalog& catalog, bool json) {
  const schema::KindSchema* kind = catalog.find_kind(topic);
  if (!kind) kind = catalog.find_function(topic);
  if (kind) {
    const Value value = document(*kind);
    if (json) return print_json(value);
    print_kind(value);
    return kDone;
  }
  if (const schema::ConstructorSchema* constructor = catalog.find_constructor(topic)) {
    const Value value = document(*constructor);
    if (json) return print_json(value);
    print_constructor(value);
    return kDone;
  }
  const Value builtin = find_builtin(topic);
  if (builtin.is_none()) refuse(topic, catalog);
  if (json) return print_json(builtin);
  fmt::print("{}: {}\n", builtin.at("call").as_string(), builtin.at("doc").as_string());
  return kDone;
}

}  // namespace

int doc(const DocOptions& options) {
  const Catalog catalog = catalog::builtin_catalog();
  if (!options.editor.empty()) {
    fmt::print("{}", options.editor == "vim" ? vim_syntax(catalog) : textmate_grammar(catalog));
    return kDone;
  }
  const std::string& topic = options.topic;
  if (topic.empty() || topic == "all") {
    if (options.json) return print_json(everything(catalog));
    topic.empty() ? print_overview(catalog) : print_all(catalog);
    return kDone;
  }
  if (topic == "units") {
    if (options.json) return print_json(document_units());
    print_units();
    return kDone;
  }
  if (topic == "functions") {
    if (options.json) return print_json(all_functions(catalog));
    print_functions(catalog);
    return kDone;
  }
  return document_topic(topic, catalog, options.json);
}

}  // namespace bgw::cli
