#pragma once

#include <vector>

#include "runtime/cli/commands.h"
#include "runtime/cli/selection.h"
#include "runtime/engine/executor.h"

namespace bgw::cli {

/// @throws CommandFailure with exit code 3 naming the parts that this version cannot run
void refuse_not_yet_run(const plan::Plan& plan, const Selection& selection);

/// What the engine is told.
engine::RunOptions engine_options(const RunCommandOptions& options, const plan::Plan& plan, const Selection& selection);

}  // namespace bgw::cli
