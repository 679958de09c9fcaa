#pragma once

#include <optional>
#include <string>

#include "compiler/source/diagnostic.h"
#include "compiler/syntax/ast.h"

namespace bgw::syntax {

/// Reads a program. Every mistake in it becomes one diagnostic; statements without a mistake are kept, so that later
/// stages can find theirs in the same run.
/// @param file  text that is UTF-8 (source/read_source.h)
/// @return nullopt when there is nothing to go on with: an empty program, or brackets nested too deeply
std::optional<File> parse(const source::SourceFile& file, source::DiagnosticSink& sink);

}  // namespace bgw::syntax
