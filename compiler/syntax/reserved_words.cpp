#include "compiler/syntax/reserved_words.h"

#include <antlr4-runtime.h>

#include <algorithm>
#include <cctype>

#include "grammar/BgwLexer.h"

namespace bgw::syntax {

std::vector<std::string> reserved_words() {
  antlr4::ANTLRInputStream nothing("");
  grammar::BgwLexer lexer(&nothing);
  std::vector<std::string> words;
  const antlr4::dfa::Vocabulary& vocabulary = lexer.getVocabulary();
  for (std::size_t type = 0; type <= vocabulary.getMaxTokenType(); ++type) {
    const std::string literal = vocabulary.getLiteralName(type);  // 'param', '->'
    if (literal.size() > 2 && std::isalpha(static_cast<unsigned char>(literal[1]))) {
      words.push_back(literal.substr(1, literal.size() - 2));
    }
  }
  std::sort(words.begin(), words.end());
  return words;
}

}  // namespace bgw::syntax
