#pragma once

#include <cstddef>
#include <vector>

#include "compiler/plan/plan.h"

namespace bgw::engine {

/// What a run has to look at and what it has to do. Pure: made from the plan and from what is cached.
struct WorkList {
  std::vector<bool> needed;  // wanted, or read by a task that will run
  std::vector<bool> to_run;  // needed and not cached
};

/// A task to run needs its inputs; a child task also the inputs of its inputs, because it may ask for any object
/// behind it (the model behind the samples).
/// @param cached  one entry a task of the plan
WorkList make_work_list(const plan::Plan& plan, const std::vector<std::size_t>& wanted, const std::vector<bool>& cached);

/// The tasks to run that have to end before `task` may start: its inputs and, for a child task, those behind its cached
/// inputs too, because it may ask for any object behind it. Ascending.
std::vector<std::size_t> predecessors(const plan::Plan& plan, std::size_t task, const std::vector<bool>& to_run);

/// Seconds from the start of each task to the end of the longest chain of tasks to run behind it; 0 for the others.
/// @param seconds  estimated, one entry a task of the plan
std::vector<double> remaining_path(const plan::Plan& plan, const std::vector<bool>& to_run, const std::vector<double>& seconds);

}  // namespace bgw::engine
