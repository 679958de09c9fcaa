#pragma once

#include "runtime/cli/finding.h"

namespace bgw::cli {

/// Processors, memory, limits of the user, the clock.
Findings machine_findings();
/// Variables of the environment that slow tasks down or change what they do.
Findings environment_findings();
/// The program that runs tasks, as a task process sees its machine: threads, matrix products, GPUs. Starts it for about
/// a second.
Findings task_program_findings();
/// Whether figures can be drawn.
Findings gnuplot_findings();

}  // namespace bgw::cli
