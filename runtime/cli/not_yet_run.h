#pragma once

#include <string>
#include <vector>

#include "compiler/plan/plan.h"

namespace bgw::cli {

/// The parts of the language that these tasks use and this version checks but cannot run, a line each: "`flow.type =
/// augmented_coupling`: bg[64], bg[216] and 4 more". Empty: all of it can be run.
std::vector<std::string> not_yet_run(const plan::Plan& plan, const std::vector<std::size_t>& tasks);

}  // namespace bgw::cli
