#pragma once

#include "runtime/engine/task.h"

namespace bgw::tasks {

/// The estimate of free energies on a grid of states from a flow over ranges: `count` fresh draws in each, exponential average
/// of their weights, means of energy and pressure under them. Every state is a chunk of the checkpoint.
/// @throws InputError for a state outside of the training; NumericalError naming the state at which no weights are left
artifacts::Artifact grid_estimate(engine::TaskContext& context);

}  // namespace bgw::tasks
