#pragma once

#include "runtime/engine/task.h"
#include "runtime/estimators/mbar.h"
#include "runtime/tasks/ground.h"

namespace bgw::tasks {

/// What the potential adds to the pressures along x, y and z, with the other sign: dU / d epsilon over V. One energy call each.
/// @param displacements [n, N, 3]
/// @return [n, 3], eV/angstrom^3
Tensor axial_virials(const Ground& ground, const Tensor& displacements);

/// Pressures along x, y and z of configurations, (N kT - dU / d epsilon) / V with the kT of the motion of all atoms. The term
/// of the place of the crystal in Z makes the derivative of the free energy by the volume have N, not N - 1, of them.
/// @param displacements [n, N, 3]
/// @return [n, 3], eV/angstrom^3
Tensor axial_pressures(engine::TaskContext& context, const Ground& ground, const Tensor& displacements);

/// What is averaged over the samples of the crystal where a surface shall be fitted: U / N and the three pressures, [n, 4].
Tensor state_observables(engine::TaskContext& context, const Ground& ground, const Tensor& displacements,
                         const Tensor& energies);

/// Adds `pressure` and `pressure_xx`, `_yy`, `_zz`.
/// @param covariance [3, 3] of the three
void add_pressures(artifacts::Artifact& artifact, const Tensor& pressures, const Tensor& covariance, std::int64_t samples);

/// Adds those, and for fits of surfaces `state/numbers` [5] and `state/covariance` [5, 5]
/// of F / N (eV), U / N (eV) and the pressures (eV/angstrom^3), which the same replicates bind together.
/// @param mbar  with `state_observables` as its observables; its last state is the crystal, its first the Gaussian
void add_thermodynamic_state(artifacts::Artifact& artifact, const Ground& ground, const estimators::MbarResult& mbar,
                             std::int64_t samples);

}  // namespace bgw::tasks
