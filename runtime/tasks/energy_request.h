#pragma once

#include "compiler/schema/value.h"

namespace bgw::tasks {

/// Energies (and forces and stresses) of structures under a system's potential.
/// @param request  {"system": value, "structures": [{"cell": [[x, y, z] three times], "positions": [[x, y, z], ...]}, ...],
///                 "forces": bool, "stress": bool}, angstrom
/// @return         {"structures": [{"energy": eV, "forces": [[x, y, z], ...] in eV/angstrom, "stress": dU/d strain by the
///                 volume, three rows in eV/angstrom^3; the last two where asked for}, ...]}
/// @throws InputError when a structure is no structure, its energy is not finite, or the potential is tied to a lattice
schema::Value answer_energy_request(const schema::Value& request);

}  // namespace bgw::tasks
