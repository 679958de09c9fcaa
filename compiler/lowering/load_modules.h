#pragma once

#include <string>
#include <string_view>

#include "compiler/semantics/modules.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/read_source.h"
#include "compiler/source/source_file.h"

namespace bgw::lowering {

/// How imported files are read.
using ImportReader = source::FileReader;

/// Parses a program and, once each, the files it imports and those these import.
/// @param sources  holds the program; the other files are added
/// @param read     empty: from the disk
/// @return false when there is nothing to go on with; mistakes are in the sink
bool load_modules(source::SourceMap& sources, const ImportReader& read, source::DiagnosticSink& sink, semantics::Modules& modules);

/// The module `std`, which comes with bgw.
std::string_view bundled_std();

}  // namespace bgw::lowering
