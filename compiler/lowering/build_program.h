#pragma once

#include "compiler/lowering/program.h"
#include "compiler/semantics/model.h"
#include "compiler/source/source_file.h"

namespace bgw::lowering {

/// The tasks of a checked program with their keys; equal work is one task.
///
/// Key = SHA-256 of {"record":"bgw-key/1","kind","version","arguments","inputs":{role: key}}. The stream key leaves out
/// `steps`, `count` and `produce` at any depth, here and in the inputs, so that work that goes on longer draws the same
/// random numbers first.
Program build_program(const semantics::Model& model, const source::SourceMap& sources);

}  // namespace bgw::lowering
