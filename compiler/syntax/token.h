#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/source/diagnostic.h"

namespace bgw::syntax {

/// What the statement scanner and the wording of errors need to know of a token.
enum class TokenKind {
  identifier, number, string, open, close, comma, assign, colon, newline, semicolon,
  top_keyword,   // bgw import param fn axis target: begin a statement, never a member of a block
  keyword,       // the other reserved words
  prefix,        // - and not
  chained,       // ^ < if else: nest without brackets
  other_operator,
  unterminated_string, meaningless, end
};

struct Token {
  TokenKind kind;
  source::SourceRange range;
  std::size_t line = 1;
  std::size_t column = 1;  // in characters, from 1
};

/// A stretch of tokens that is one statement: [begin, end) without its separator.
struct Statement {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool complete = true;  // false: a mistake in it was told already, what the parser says of it is not news
  std::optional<std::size_t> stray = {};  // its first bracket that closes nothing
};

/// Finds what can be seen without a grammar - unclosed strings and blocks, meaningless characters, digits grouped by
/// spaces, brackets nested too deeply - and cuts the program into statements.
/// @return no statements when brackets are nested too deeply
std::vector<Statement> scan_statements(const std::vector<Token>& tokens, const source::SourceFile& file,
                                       source::DiagnosticSink& sink);

/// The diagnostic for the token at which the parser stumbled, in words of the language: no rule names, no lists of
/// expected tokens.
source::Diagnostic explain_stumble(const std::vector<Token>& tokens, const Statement& statement, std::size_t stumble,
                                   const source::SourceFile& file);

}  // namespace bgw::syntax
