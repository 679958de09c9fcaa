#pragma once

#include <string>

#include "compiler/syntax/ast.h"

namespace bgw::syntax {

/// The tree as indented text, two spaces a level, one statement or member a line; expressions in one line with every
/// operator in brackets, `(1 + (2 * x))`. The text depends on what was written, not on its layout.
std::string print_ast(const File& file);
std::string print_ast(const Expression& expression);

}  // namespace bgw::syntax
