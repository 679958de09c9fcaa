#pragma once

#include <string>

#include "runtime/crystal/lattice.h"
#include "runtime/physics/crystal_symmetry.h"
#include "runtime/physics/energy_model.h"
#include "runtime/physics/gaussian_base.h"

namespace bgw::physics {

/// Sites as a tensor, [N, 3].
Tensor sites_tensor(const crystal::Crystal& crystal);

/// Displacement of the sites to the nearest minimum of the energy among those with the crystal's symmetry, [N, 3]
/// without translation: Newton's method in the coordinates of one primitive cell, downhill where the curvature is
/// negative, in steps of at most a tenth of the distance of atoms.
/// @throws NumericalError when 100 steps do not bring the force below 1e-10 (of the largest force constant, where that is
///         below one), with the force that is left
Tensor relaxed_shift(const EnergyModel& model, const crystal::Crystal& crystal, const CrystalSymmetry& symmetry);

/// Modes that are not stiff: imaginary, or free to 1e-9 of the stiffest.
struct SoftModes {
  std::int64_t count = 0;
  double lowest = 0;                // stiffness
  double highest = 0;               // the stiffest of all modes
  WaveVector wave;                  // of the lowest
};
SoftModes soft_modes(const Spectrum& spectrum);

/// A wave vector in units of the reciprocal vectors of the crystal's unit cell, the shortest of its equivalents:
/// "(0.5, 0, 0.25)".
std::string in_reciprocal_units(const WaveVector& wave, const TranslationGroup& group,
                                const crystal::Crystal& crystal);

/// The harmonic crystal: K = beta times the Hessian at the sites, relaxed first if asked.
/// @param model  the energy around the crystal's sites
/// @throws NumericalError when modes are imaginary: how many, the lowest and its wave vector, and what to use instead
GaussianBase phonon_base(const EnergyModel& model, const crystal::Crystal& crystal, double beta, bool relax_sites);

/// The same with given force constants (energy/length^2) about given sites, in place of a Hessian.
/// @param shift [N, 3], from the crystal's sites to those of the base
GaussianBase phonon_base(const EnergyModel& model, const crystal::Crystal& crystal, double beta,
                         const ForceConstants& constants, const Tensor& shift);

}  // namespace bgw::physics
