#pragma once

#include "runtime/crystal/lattice.h"
#include "runtime/physics/energy_model.h"
#include "runtime/physics/gaussian_base.h"

namespace bgw::physics {

/// Sites as a tensor, [N, 3].
Tensor sites_tensor(const crystal::Crystal& crystal);

/// Displacement of the sites to the nearest stationary point of the energy, [N, 3] without translation, by Newton's
/// method on the Hessian.
/// @throws NumericalError when 50 steps do not bring the gradient below 1e-10 (of the largest force constant, where that is
///         below one)
Tensor relaxed_shift(const EnergyModel& model);

/// The harmonic crystal: K = beta times the Hessian at the sites, relaxed first if asked.
/// @param model  the energy around the crystal's sites
/// @throws NumericalError when modes are imaginary: how many, the lowest, and what to use instead
GaussianBase phonon_base(const EnergyModel& model, const crystal::Crystal& crystal, double beta, bool relax_sites);

}  // namespace bgw::physics
