#pragma once

#include <string>

#include "compiler/source/source_file.h"

namespace bgw::syntax {

/// A line that is longer is broken where it can be: at the braces and the `;` of blocks.
inline constexpr std::size_t kWidestLine = 120;

/// The canonical layout of a program. Comments and tokens stay as they are and in their order, only blanks, line ends
/// and `;` change; formatting twice is formatting once. The rules are in docs/commands.md.
/// @param file  a program without syntax errors
std::string format_program(const source::SourceFile& file);

}  // namespace bgw::syntax
