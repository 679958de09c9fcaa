#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/units/quantity.h"

namespace bgw::units {

// CODATA 2018. The first four are exact by the definition of the SI.
inline constexpr double kElementaryCharge = 1.602176634e-19;  // C, so 1 eV in J
inline constexpr double kBoltzmannJoule = 1.380649e-23;       // J/K
inline constexpr double kAvogadro = 6.02214076e23;            // 1/mol
inline constexpr double kPlanckJouleSecond = 6.62607015e-34;  // J s
inline constexpr double kAtomicMass = 1.66053906660e-27;      // kg
inline constexpr double kBohrRadius = 0.529177210903;         // angstrom
inline constexpr double kHartree = 27.211386245988;           // eV
inline constexpr double kBoltzmann = kBoltzmannJoule / kElementaryCharge;  // eV/K

/// One of that unit (or constant: kB, NA, h_planck), in base units; nullopt for an unknown name. `lj` is 1 without a
/// dimension, marked reduced: the place where it stands decides the dimension.
std::optional<Quantity> find_unit(std::string_view name);
std::vector<std::string> unit_names();

}  // namespace bgw::units
