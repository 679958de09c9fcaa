#pragma once

#include <cmath>

#include "compiler/units/unit_table.h"

namespace bgw::phases {

/// The part of the free energy of classical vibrations that no polynomial in T follows well, -3/2 k T ln(T / K) an atom. That of
/// their motion is left out, as in every beta F / N here: it is the same in all phases.
inline double thermal_free_energy(double temperature) { return -1.5 * units::kBoltzmann * temperature * std::log(temperature); }
/// Its energy, f - T df/dT.
inline double thermal_energy(double temperature) { return 1.5 * units::kBoltzmann * temperature; }

}  // namespace bgw::phases
