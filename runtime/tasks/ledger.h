#pragma once

#include "runtime/artifacts/artifact.h"
#include "runtime/physics/energy_model.h"

namespace bgw::tasks {

/// Calls of an energy model as an entry of the cost ledger, and back (for counts that a checkpoint carries).
artifacts::Cost cost_of(const physics::CallCount& calls);
physics::CallCount calls_of(const artifacts::Cost& cost);
physics::CallCount operator+(const physics::CallCount& a, const physics::CallCount& b);
physics::CallCount operator-(const physics::CallCount& a, const physics::CallCount& b);

}  // namespace bgw::tasks
