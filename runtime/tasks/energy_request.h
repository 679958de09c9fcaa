#pragma once

#include "compiler/schema/value.h"

namespace bgw::tasks {

/// Energy (and forces) of one structure under a system's potential.
/// @param request  {"system": value, "cell": [[x, y, z] three times], "positions": [[x, y, z], ...], "forces": bool},
/// angstrom
/// @return         {"energy": eV, "forces": [[x, y, z], ...] in eV/angstrom, where asked for}
/// @throws InputError when the structure is no structure
schema::Value answer_energy_request(const schema::Value& request);

}  // namespace bgw::tasks
