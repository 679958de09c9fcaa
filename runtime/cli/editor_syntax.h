#pragma once

#include <string>

#include "compiler/schema/catalog.h"

namespace bgw::cli {

/// Colours for Vim, editors/vim/syntax/bgw.vim: made from the grammar's words, the catalog and the units.
std::string vim_syntax(const schema::Catalog& catalog);
/// The same as a TextMate grammar (VS Code, Sublime Text, ...), editors/textmate/bgw.tmLanguage.json.
std::string textmate_grammar(const schema::Catalog& catalog);

}  // namespace bgw::cli
