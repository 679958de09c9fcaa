#pragma once

#include "runtime/engine/task.h"
#include "runtime/tasks/ground.h"

namespace bgw::tasks {

/// The reference by Langevin dynamics between an Einstein crystal and the crystal, one trajectory a state, combined by
/// MBAR. A state records a thousand configurations, or every step where they are fewer.
artifacts::Artifact einstein_dynamics(engine::TaskContext& context, const Ground& ground);

}  // namespace bgw::tasks
