#include "runtime/cli/editor_syntax.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <vector>

#include "compiler/syntax/reserved_words.h"
#include "compiler/units/dimension.h"
#include "compiler/units/unit_table.h"
#include "runtime/cli/schema_doc.h"

// The same word may be a kind, an attribute and a type (`ensemble`, `seed`), so the place decides: an attribute stands
// before `=`, a kind before a name and `{`, a function before `(`. Only the words of the grammar are coloured anywhere.
namespace bgw::cli {
namespace {

using schema::List;
using schema::Map;
using Words = std::set<std::string>;

struct Vocabulary {
  Words statements, constants, kinds, attributes, choices, functions, types, units;
};

void collect_words(const schema::Type& type, Vocabulary& vocabulary) {
  vocabulary.choices.insert(type.words.begin(), type.words.end());
  vocabulary.choices.insert(type.later.begin(), type.later.end());
  for (const schema::Type& item : type.items) collect_words(item, vocabulary);
}

void collect(const std::vector<schema::Attribute>& attributes, Vocabulary& vocabulary) {
  for (const schema::Attribute& attribute : attributes) {
    vocabulary.attributes.insert(attribute.name);
    collect_words(attribute.type, vocabulary);
  }
}

void collect(const schema::KindSchema& kind, Vocabulary& vocabulary) {
  collect(kind.attributes, vocabulary);
  for (const schema::NestedSchema& nested : kind.nested) {
    vocabulary.kinds.insert(nested.kind);
    collect(nested.attributes, vocabulary);
  }
}

Vocabulary vocabulary_of(const schema::Catalog& catalog) {
  Vocabulary vocabulary;
  for (const std::string& word : syntax::reserved_words()) {
    const bool constant = word == "true" || word == "false" || word == "none";
    (constant ? vocabulary.constants : vocabulary.statements).insert(word);
  }
  for (const std::string& noun : catalog.nouns()) {
    vocabulary.kinds.insert(noun);
    collect(*catalog.find_kind(noun), vocabulary);
  }
  for (const std::string& name : catalog.function_names()) {
    vocabulary.functions.insert(name);
    collect(*catalog.find_function(name), vocabulary);
  }
  for (const std::string& name : catalog.constructor_names()) {
    vocabulary.functions.insert(name);
    collect(catalog.find_constructor(name)->arguments, vocabulary);
  }
  for (const schema::Value& function : document_functions())
    vocabulary.functions.insert(function.at("name").as_string());
  for (const std::string& name : units::dimension_names()) vocabulary.types.insert(name);
  vocabulary.types.insert({"int", "float", "bool", "string", "seed", "enum", "path"});
  for (const std::string& name : units::unit_names()) vocabulary.units.insert(name);
  return vocabulary;
}

std::string any_of(const Words& words) { return fmt::format("{}", fmt::join(words, "|")); }

Map rule(const std::string& name, const std::string& match) { return {{"name", name + ".bgw"}, {"match", match}}; }

Map string_rule() {
  return {{"name", "string.quoted.double.bgw"},
          {"begin", "\""},
          {"end", "\"|$"},
          {"patterns", List{rule("constant.character.escape", R"(\\.)")}}};
}

}  // namespace

std::string vim_syntax(const schema::Catalog& catalog) {
  const Vocabulary words = vocabulary_of(catalog);
  // Of matches at one place Vim takes the one defined last.
  return fmt::format(R"vim(" Syntax of .bgw programs, made by `bgw doc --editor vim`.
if exists("b:current_syntax")
  finish
endif
syn case match
syn match bgwChoice /\v<({choices})>/
syn match bgwUnit /\v<({units})>/
syn match bgwFunction /\v<({functions})>\ze\s*\(/
syn match bgwKind /\v<({kinds})>\ze(\s+\k+)?\s*(\[[^\]]*\])?\s*(extends [^{{]*)?\{{/
syn match bgwAttribute /\v<({attributes})>\ze\s*\=[^=]/
syn match bgwType /\v(:|-\>)\s*\zs<({types})>/
syn match bgwNumber /\v<[0-9]([0-9_]*[0-9])?(\.[0-9]([0-9_]*[0-9])?)?([eE][+-]?[0-9]+)?>/
syn keyword bgwStatement {statements}
syn keyword bgwConstant {constants}
syn region bgwString start=/"/ skip=/\\./ end=/"/ oneline
syn match bgwComment /#.*$/
syn match bgwDoc /##.*$/
hi def link bgwStatement Statement
hi def link bgwConstant Constant
hi def link bgwKind Structure
hi def link bgwAttribute Identifier
hi def link bgwChoice Constant
hi def link bgwFunction Function
hi def link bgwType Type
hi def link bgwUnit Special
hi def link bgwNumber Number
hi def link bgwString String
hi def link bgwComment Comment
hi def link bgwDoc SpecialComment
setlocal commentstring=#\ %s
let b:current_syntax = "bgw"
)vim",
                     fmt::arg("choices", any_of(words.choices)), fmt::arg("units", any_of(words.units)),
                     fmt::arg("types", any_of(words.types)), fmt::arg("functions", any_of(words.functions)),
                     fmt::arg("kinds", any_of(words.kinds)), fmt::arg("attributes", any_of(words.attributes)),
                     fmt::arg("statements", fmt::join(words.statements, " ")),
                     fmt::arg("constants", fmt::join(words.constants, " ")));
}

std::string textmate_grammar(const schema::Catalog& catalog) {
  const Vocabulary words = vocabulary_of(catalog);
  // Of patterns at one place an editor takes the first.
  const List patterns{
      rule("comment.line.documentation", "##.*$"),
      rule("comment.line.number-sign", "#.*$"),
      string_rule(),
      rule("constant.numeric", R"(\b[0-9]([0-9_]*[0-9])?(\.[0-9]([0-9_]*[0-9])?)?([eE][+-]?[0-9]+)?\b)"),
      rule("keyword.control", fmt::format(R"(\b({})\b)", any_of(words.statements))),
      rule("constant.language", fmt::format(R"(\b({})\b)", any_of(words.constants))),
      rule("support.type", fmt::format(R"((?<=:|->|: |-> )({})\b)", any_of(words.types))),
      rule("variable.other.member", fmt::format(R"(\b({})\b(?=\s*=[^=]))", any_of(words.attributes))),
      rule("storage.type",
           fmt::format(R"(\b({})\b(?=(\s+\w+)?\s*(\[[^\]]*\])?\s*(extends [^{{]*)?\{{))", any_of(words.kinds))),
      rule("support.function", fmt::format(R"(\b({})\b(?=\s*\())", any_of(words.functions))),
      rule("keyword.other.unit", fmt::format(R"(\b({})\b)", any_of(words.units))),
      rule("constant.other", fmt::format(R"(\b({})\b)", any_of(words.choices)))};
  const Map grammar{{"name", "bgw"},
                    {"scopeName", "source.bgw"},
                    {"comment", "Made by `bgw doc --editor textmate`"},
                    {"fileTypes", List{"bgw"}},
                    {"patterns", patterns}};
  return schema::to_pretty_json(grammar) + "\n";
}

}  // namespace bgw::cli
