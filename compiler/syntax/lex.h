#pragma once

#include <string>
#include <vector>

#include "compiler/source/source_file.h"

namespace bgw::syntax {

enum class Channel { program, comment, doc };

/// A token as the grammar names it; blanks are none.
struct SourceToken {
  std::string kind;  // "ID", "NUMBER", "COMMENT": the names in grammar/Bgw.g4
  Channel channel = Channel::program;
  source::SourceRange range;
};

/// All tokens of a text with its comments, whether it is a program or not.
std::vector<SourceToken> lex(const source::SourceFile& file);

/// One line a token: `line:col KIND text`, for comments `line:col KIND(comment) text` or `KIND(doc)`. A line end in a
/// token is written \n or \r.
std::string print_tokens(const source::SourceFile& file);

}  // namespace bgw::syntax
