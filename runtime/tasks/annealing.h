#pragma once

#include "runtime/engine/task.h"
#include "runtime/tasks/ground.h"

namespace bgw::tasks {

/// The reference by annealed importance sampling: the free energy of the trajectories' weights, and their ends as
/// weighted configurations of the crystal.
artifacts::Artifact annealing(engine::TaskContext& context, const Ground& ground);

}  // namespace bgw::tasks
