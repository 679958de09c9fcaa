#pragma once

#include <map>
#include <memory>
#include <string>

#include "compiler/schema/catalog.h"
#include "compiler/semantics/model.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/source_file.h"
#include "compiler/syntax/ast.h"

namespace bgw::semantics {

/// Param -> the text given for it outside the program, "250K".
using Overrides = std::map<std::string, std::string>;

/// Checks a program against the catalog and resolves every block of it. All errors go to the sink, one a cause.
/// @return nullptr when there was an error
std::unique_ptr<const Model> analyze(const syntax::File& file, const source::SourceMap& text,
                                     const schema::Catalog& catalog, const Overrides& overrides,
                                     source::DiagnosticSink& sink);

}  // namespace bgw::semantics
