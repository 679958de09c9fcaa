#pragma once

#include <variant>

#include "compiler/schema/value.h"
#include "runtime/physics/kernels/kernel_table.h"

namespace bgw::physics {

/// A potential with its numbers checked, ready for the kernels.
struct Potential {
  std::variant<kernels::StillingerWeber, kernels::LennardJones> kernel;
  double epsilon = 1;
  double sigma = 1;
  double cutoff = 0;
  bool tail = false;  // Lennard-Jones: mean-field energy beyond the cutoff
};

/// @param potential {"style": "stillinger_weber" | "lennard_jones", ...}, see docs/tasks.md; Stillinger-Weber
///                  constants that are absent take the values of the 1985 paper, with cos0 = cos(109.47 degrees)
/// @throws InputError for a style, power or sign that the kernels do not know
Potential make_potential(const schema::Value& potential);

/// Energy per atom that the truncation at the cutoff leaves out, for an even density beyond it; 0 without `tail`.
double tail_energy_per_atom(const Potential& potential, double density);

/// 1 / kT of an ensemble, 1/eV. Reduced units need no other constant: the compiler makes one lj of energy 1 eV and one
/// lj of temperature 1 eV / kB.
double inverse_temperature(const schema::Value& ensemble);
/// The potential's length, which is Lambda in every printed free energy.
double length_scale(const schema::Value& system);

}  // namespace bgw::physics
