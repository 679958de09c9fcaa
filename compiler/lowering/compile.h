#pragma once

#include <optional>

#include "compiler/lowering/load_modules.h"
#include "compiler/lowering/program.h"
#include "compiler/schema/catalog.h"
#include "compiler/semantics/analyze.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/source_file.h"

namespace bgw::lowering {

/// Text to plan: parse, analyze, build. Everything wrong with the program is in the sink, together and in its order;
/// nothing but the text, what it imports and the files it names is read and nothing is written.
/// @param sources    the program; the files it imports are added
/// @param overrides  param -> text, as `-p T=250K` gives it
/// @param read       how these files are read; empty: from the disk
/// @return nullopt when there was an error
std::optional<Program> compile(source::SourceMap& sources, const schema::Catalog& catalog,
                               const semantics::Overrides& overrides, source::DiagnosticSink& sink,
                               const ImportReader& read = {});

}  // namespace bgw::lowering
