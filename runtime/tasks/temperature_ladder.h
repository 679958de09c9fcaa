#pragma once

#include "runtime/artifacts/artifact.h"
#include "runtime/engine/task.h"

namespace bgw::tasks {

/// The free energies of a crystal at all temperatures of a ladder, from chains at each and from direct references at one
/// or several of them, the anchors, to which the ladder is tied by least squares. Both paths: `replica_exchange`,
/// and `temperature_ladder`, which is the same without exchange.
artifacts::Artifact temperature_ladder(engine::TaskContext& context);

/// Whether a path of a reference is one of the two.
bool is_temperature_ladder(const schema::Value& path);

}  // namespace bgw::tasks
