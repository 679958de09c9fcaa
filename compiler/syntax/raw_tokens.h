#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "compiler/source/source_file.h"

namespace bgw::syntax {

/// A token as the grammar's lexer cuts it, blanks and comments included.
struct RawToken {
  std::size_t type = 0;   // of grammar/Bgw.g4, as numbered in BgwLexer
  source::SourceRange range;
  std::size_t line = 1;   // of its first character
  std::size_t column = 0; // in characters, from 0
  bool operator==(const RawToken& other) const {
    return type == other.type && range.begin == other.range.begin && range.end == other.range.end && line == other.line && column == other.column;
  }
};

/// The tokens of a file, by the faster of the two lexers that can read it.
std::vector<RawToken> raw_tokens(const source::SourceFile& file);

/// The lexer that ANTLR makes of the grammar: the definition of what a token is.
std::vector<RawToken> raw_tokens_by_grammar(const source::SourceFile& file);
/// The same tokens several times faster, by hand; nullopt when a letter beyond ASCII stands outside strings and comments,
/// where Unicode's tables say what belongs to a name. docs/decisions/0014.
std::optional<std::vector<RawToken>> raw_tokens_by_hand(const source::SourceFile& file);

}  // namespace bgw::syntax
