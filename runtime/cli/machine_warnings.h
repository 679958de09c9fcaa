#pragma once

#include <string>
#include <vector>

#include "compiler/plan/plan.h"

namespace bgw::cli {

/// Threads this machine runs at once.
int machine_cpus();

/// What the tasks ask for and this machine does not have, a sentence a task. A warning in `check` and `plan`, where the
/// run may happen elsewhere; `run` refuses.
std::vector<std::string> machine_warnings(const plan::Plan& plan, const std::vector<std::size_t>& tasks);

/// Tells the first few of them on stderr.
void print_machine_warnings(const std::vector<std::string>& warnings);

}  // namespace bgw::cli
