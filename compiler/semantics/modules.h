#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>

#include "compiler/syntax/ast.h"

namespace bgw::semantics {

/// A parsed file and what it imports.
struct SourceModule {
  const syntax::File* file = nullptr;
  std::string prefix;  // of the names it gives to others: "" for the program, "water." for an import
  struct Import {
    std::size_t module = 0;     // index in Modules
    source::SourceRange range;  // of the import; empty for the bundled `std`
  };
  std::map<std::string, Import> imports;  // by the name under which they are used
};

/// The program first, then every imported file once.
struct Modules {
  std::deque<syntax::File> files;
  std::deque<SourceModule> modules;
};

/// Names that some expression of the file mentions, also where it is not evaluated: in the branch not taken.
std::set<std::string> names_in(const syntax::File& file);

}  // namespace bgw::semantics
