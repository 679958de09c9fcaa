#pragma once

#include <string>
#include <vector>

#include "compiler/plan/plan.h"

namespace bgw::report {

/// The tasks as families in layers: what a family reads stands to its left. Members of a family are one box with their
/// number; families without results yet are drawn with a dashed frame.
/// @param tasks    which of the plan to draw
/// @param missing  one entry a task of the plan
std::string draw_graph(const plan::Plan& plan, const std::vector<std::size_t>& tasks, const std::vector<bool>& missing);

}  // namespace bgw::report
