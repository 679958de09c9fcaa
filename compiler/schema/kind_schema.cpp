#include "compiler/schema/kind_schema.h"

#include <algorithm>

#include <fmt/format.h>

namespace bgw::schema {
namespace {

std::string joined(const std::vector<std::string>& words, const char* last) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? fmt::format(" {} ", last) : ", ";
    text += words[i];
  }
  return text;
}

std::string with_article(const std::string& noun) {
  const bool vowel = std::string("aeiou").find(noun.front()) != std::string::npos;
  return (vowel ? "an " : "a ") + noun;
}

}  // namespace

Type Type::quantity(std::string dimension) {
  Type type = of(TypeKind::quantity);
  type.dimension = std::move(dimension);
  return type;
}
Type Type::word(std::vector<std::string> words, std::vector<std::string> later) {
  Type type = of(TypeKind::word);
  type.words = std::move(words);
  type.later = std::move(later);
  return type;
}
Type Type::list(Type item) {
  Type type = of(TypeKind::list);
  type.items.push_back(std::move(item));
  return type;
}
Type Type::interval(Type ends) {
  Type type = of(TypeKind::interval);
  type.items.push_back(std::move(ends));
  return type;
}
Type Type::reference(std::vector<std::string> nouns) {
  Type type = of(TypeKind::reference);
  type.nouns = std::move(nouns);
  return type;
}
Type Type::samples(std::vector<std::string> nouns) {
  Type type = of(TypeKind::samples);
  type.nouns = std::move(nouns);
  return type;
}
Type Type::constructor(std::vector<std::string> names, std::vector<std::string> later) {
  Type type = of(TypeKind::constructor);
  type.nouns = std::move(names);
  type.later = std::move(later);
  return type;
}
Type Type::any_of(std::vector<Type> alternatives) {
  Type type = of(TypeKind::any_of);
  type.items = std::move(alternatives);
  return type;
}

std::string Type::describe() const {
  std::vector<std::string> names;
  switch (kind) {
    case TypeKind::integer: return "an int";
    case TypeKind::number: return "a number";
    case TypeKind::boolean: return "true or false";
    case TypeKind::string: return "a string";
    case TypeKind::word:
      names = words;
      names.insert(names.end(), later.begin(), later.end());  // legal, too
      return names.size() == 1 ? "`" + names[0] + "`" : "one of " + joined(names, "or");
    case TypeKind::seed: return "a seed (an int)";
    case TypeKind::quantity: return with_article(dimension);
    case TypeKind::list: {
      const std::string item = items[0].describe();
      return "a list, each item " + item;
    }
    case TypeKind::interval: return "an interval of " + (items[0].kind == TypeKind::quantity ? items[0].dimension : "numbers");
    case TypeKind::reference:
      for (const std::string& noun : nouns) names.push_back(with_article(noun));
      return joined(names, "or");
    case TypeKind::samples: return "samples (of " + joined(nouns, "or") + ")";
    case TypeKind::constructor:
      for (const std::string& noun : nouns) names.push_back(noun + "(…)");
      for (const std::string& noun : later) names.push_back(noun + "(…)");
      return joined(names, "or");
    case TypeKind::expression: return "a number or a result";
    case TypeKind::any_of:
      for (const Type& item : items) names.push_back(item.describe());
      return joined(names, "or");
  }
  return "";
}

bool Bounds::holds(double value) const {
  return (!least || value >= *least) && (!above || value > *above) && (!most || value <= *most);
}

std::string Bounds::describe() const {
  std::vector<std::string> parts;
  if (least) parts.push_back(fmt::format("at least {}", *least));
  if (above) parts.push_back(fmt::format("above {}", *above));
  if (most) parts.push_back(fmt::format("at most {}", *most));
  return joined(parts, "and");
}

const Attribute* KindSchema::find_attribute(const std::string& name) const {
  const auto found = std::find_if(attributes.begin(), attributes.end(), [&](const Attribute& a) { return a.name == name; });
  return found == attributes.end() ? nullptr : &*found;
}

const NestedSchema* KindSchema::find_nested(const std::string& kind) const {
  const auto found = std::find_if(nested.begin(), nested.end(), [&](const NestedSchema& n) { return n.kind == kind; });
  return found == nested.end() ? nullptr : &*found;
}

const Result* KindSchema::find_result(const std::string& name) const {
  const auto found = std::find_if(results.begin(), results.end(), [&](const Result& r) { return r.name == name; });
  return found == results.end() ? nullptr : &*found;
}

}  // namespace bgw::schema
