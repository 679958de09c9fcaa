#pragma once

#include "runtime/engine/task.h"
#include "runtime/tasks/ground.h"
#include "runtime/tasks/model.h"

namespace bgw::tasks {

/// The reference by annealed importance sampling: the free energy of the trajectories' weights, and their ends as
/// weighted configurations of the crystal.
artifacts::Artifact annealing(engine::TaskContext& context, const Ground& ground);

/// An estimate by the same from a model, in its latent space: free energies of the trajectories that end in the crystal, with
/// their `log_weight`, [k].
artifacts::Artifact annealing_from(engine::TaskContext& context, const Model& model);

}  // namespace bgw::tasks
