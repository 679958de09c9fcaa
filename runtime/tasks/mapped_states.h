#pragma once

#include "runtime/artifacts/artifact.h"
#include "runtime/engine/task.h"

namespace bgw::tasks {

/// The free energies of a crystal on a grid of states, path `mapped_states`: chains at every state, whose configurations are carried to
/// the neighbours by the map of their Gaussians, differences from works on both sides, and direct references at some states, the
/// anchors, which say what is absolute.
artifacts::Artifact mapped_states(engine::TaskContext& context);

}  // namespace bgw::tasks
