#pragma once

#include "runtime/artifacts/artifact.h"
#include "runtime/estimators/numbers.h"

namespace bgw::tasks {

/// What a route to a free energy came to, once: beta F / N with its error, and what it cost.
struct FreeEnergyRun {
  estimators::Estimate per_particle;
  artifacts::Cost cost;
};

}  // namespace bgw::tasks
