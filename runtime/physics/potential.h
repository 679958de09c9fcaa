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
  double listed_within = 0;  // PotentialForm::neighbours_within
};

/// What is taken in place of the energy itself, in training and along paths.
struct PotentialForm {
  /// Below this distance, in angstrom, a pair's energy goes on along its tangent, and is constant below 0.01 angstrom: no
  /// draw of an untrained model is infinitely high. Three-body terms stay. 0: the energy itself.
  double linearize_below = 0.0;
  /// Lennard-Jones: 4 lambda epsilon (1/g^2 - 1/g) with g = (1 - lambda)^2 / 2 + (r/sigma)^6, shifted by its own value at
  /// the cutoff where the potential is; 1 is the energy itself, 0 is none.
  /// @source Wirnsberger et al. (2022), supplement
  double soft_core_lambda = 1.0;
  /// Pairs that stand further apart than this at the sites, in angstrom, are left out wherever the atoms go, and so is the
  /// tail: a cheap energy whose neighbours never change. 0: all pairs within the cutoff.
  double neighbours_within = 0.0;
};

/// The form in which the published flows were trained: linear below 0.8 sigma (Lennard-Jones), 0.5 sigma (Stillinger-Weber).
PotentialForm training_form(const schema::Value& potential);

/// @param potential {"style": "stillinger_weber" | "lennard_jones", ...}, see docs/tasks.md; Stillinger-Weber
///                  constants that are absent take the values of the 1985 paper, with cos0 = cos(109.47 degrees)
/// @throws InputError for a style, power or sign that the kernels do not know, and for a form that the style has not
Potential make_potential(const schema::Value& potential, const PotentialForm& form = {});

/// Energy per atom that the truncation at the cutoff leaves out, for an even density beyond it; 0 without `tail`. Along a
/// soft-core path it is taken times lambda.
double tail_energy_per_atom(const Potential& potential, double density);
/// The pressure of the pairs beyond the cutoff, likewise. It is not the slope of the tail's energy: that leaves out the
/// pairs which cross the cutoff as the volume changes, and whose jumps in energy no virial contains.
double tail_pressure(const Potential& potential, double density);

/// 1 / kT of an ensemble, 1/eV. Reduced units need no other constant: the compiler makes one lj of energy 1 eV and one
/// lj of temperature 1 eV / kB.
double inverse_temperature(const schema::Value& ensemble);
/// The potential's length, which is Lambda in every printed free energy: sigma, or 1 angstrom for crystals of springs,
/// which have none.
double length_scale(const schema::Value& system);

}  // namespace bgw::physics
