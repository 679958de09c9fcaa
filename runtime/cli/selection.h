#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "compiler/lowering/program.h"
#include "runtime/cli/program_options.h"
#include "runtime/engine/explain.h"
#include "runtime/store/cache.h"

namespace bgw::cli {

/// What of a program is meant, for commands that plan or run. All names may be families, members or slices.
struct SelectionOptions : ProgramOptions {
  std::vector<std::string> targets;  // none: the target default
  std::vector<std::string> until;    // of what the targets need, only these and what leads to them
  std::vector<std::string> only;     // exactly these; their inputs have to be there
  std::vector<std::string> force;    // to be made again though they are there
  bool locked = false;               // refuse what differs from the lock file
  std::string lock_file;             // "" is bgw.lock beside the program
};

/// The tasks that are meant.
struct Selection {
  Wanted wanted;
  std::vector<std::size_t> forced;  // indices of Plan::tasks
  bool only = false;                // nothing but the wanted tasks may run
};

/// @throws CommandFailure with exit code 3 for names that the program, or the targets, do not have
Selection select(const lowering::Program& program, const SelectionOptions& options);

/// What a run of the selection would do with each task of the plan.
std::vector<engine::TaskStatus> explain(const plan::Plan& plan, const Selection& selection, store::Cache& cache);

/// With `--only` what else would have to run is refused.
/// @throws CommandFailure with exit code 4 naming what is missing and the command that makes it
void refuse_others(const plan::Plan& plan, const Selection& selection, const std::vector<engine::TaskStatus>& statuses,
                   const ProgramOptions& options);

}  // namespace bgw::cli
