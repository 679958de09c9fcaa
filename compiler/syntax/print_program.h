#pragma once

#include <string>

#include "compiler/syntax/ast.h"

namespace bgw::syntax {

/// The tree as a program again, with the parentheses it needs: parsing it gives the same tree.
std::string print_program(const File& file);

}  // namespace bgw::syntax
