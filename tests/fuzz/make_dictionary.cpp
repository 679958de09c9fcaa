#include <cstdio>
#include <fstream>
#include <regex>
#include <set>
#include <string>

#include "compiler/schema/catalog.h"
#include "compiler/units/unit_table.h"
#include "runtime/catalog/builtin_catalog.h"

// make_dictionary GRAMMAR: the words of the language as a dictionary of libFuzzer: the tokens in quotes in the grammar,
// the units, and every word of the schema table.
namespace bgw::fuzz {
namespace {

using Words = std::set<std::string>;

void add_tokens(const char* grammar, Words& words) {
  std::ifstream stream(grammar);
  const std::regex quoted("'([^'\\\\ \"]+)' *;");
  for (std::string line; std::getline(stream, line);) {
    for (std::sregex_iterator at(line.begin(), line.end(), quoted), end; at != end; ++at) words.insert((*at)[1]);
  }
}

void add_type(const schema::Type& type, Words& words) {
  words.insert(type.words.begin(), type.words.end());
  words.insert(type.nouns.begin(), type.nouns.end());
  words.insert(type.later.begin(), type.later.end());
  for (const auto& [alias, word] : type.aliases) words.insert(alias);
  for (const schema::Type& item : type.items) add_type(item, words);
}

void add_attributes(const std::vector<schema::Attribute>& attributes, Words& words) {
  for (const schema::Attribute& attribute : attributes) {
    words.insert(attribute.name);
    add_type(attribute.type, words);
  }
}

void add_kind(const schema::KindSchema& kind, Words& words) {
  words.insert(kind.noun);
  add_attributes(kind.attributes, words);
  add_attributes(kind.coordinates, words);
  for (const schema::NestedSchema& nested : kind.nested) {
    words.insert(nested.kind);
    add_attributes(nested.attributes, words);
  }
  for (const schema::Result& result : kind.results) words.insert(result.name);
}

Words all_words(const char* grammar) {
  Words words;
  add_tokens(grammar, words);
  const schema::Catalog catalog = catalog::builtin_catalog();
  for (const std::string& noun : catalog.nouns()) add_kind(*catalog.find_kind(noun), words);
  for (const std::string& name : catalog.constructor_names()) {
    words.insert(name);
    add_attributes(catalog.find_constructor(name)->arguments, words);
  }
  for (const std::string& unit : units::unit_names()) words.insert(unit);
  return words;
}

}  // namespace
}  // namespace bgw::fuzz

int main(int count, char** arguments) {
  if (count != 2) return 2;
  for (const std::string& word : bgw::fuzz::all_words(arguments[1])) std::printf("\"%s\"\n", word.c_str());
  return 0;
}
