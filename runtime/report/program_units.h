#pragma once

#include "compiler/plan/plan.h"
#include "runtime/artifacts/artifact.h"

namespace bgw::report {

/// Energies are kept in eV and shown in the unit in which the program writes its potential; other results stay as they
/// are.
artifacts::Result in_unit_of_program(artifacts::Result result, const plan::TaskSpec& spec);

}  // namespace bgw::report
