#pragma once

#include <optional>

#include "runtime/artifacts/artifact.h"
#include "runtime/estimators/numbers.h"
#include "runtime/tasks/ground.h"

namespace bgw::tasks {

/// The words that go with every beta F / N.
inline constexpr const char* kConvention =
    "beta*F/N, classical, Lambda = sigma, n_p = 1, fixed centre of mass with V/N term";

/// The standard error of a logarithm of partition functions as one per particle; none where it is not a number.
std::optional<double> error_per_particle(double sigma, const Ground& ground);

/// Adds the free energy in every convention that the system allows:
///   per_particle         kT, Lambda = sigma, n_p = 1
///   energy_per_particle  the same in eV
///   all_sublattices      kT, Lambda = sigma, n_p = atoms of the primitive cell: one tagged atom may sit on any of them,
///                        ln(n_p) / N less; where the lattice is known
///   absolute             kT, the true de Broglie wavelength, n_p = 1; where the system has a mass
///   calphy               kT, as calphy counts: absolute less ln(N) / N, since it puts the volume of the box where the
///                        volume of an atom stands here
/// @param log_ratio  ln(Z / Z_Gaussian) with its standard error
/// @param n          samples behind it
/// @source method.md 2.4 to 2.6; calphy 1.3, get_einstein_crystal_fe
void add_free_energy(artifacts::Artifact& artifact, const Ground& ground, const estimators::Estimate& log_ratio,
                     std::int64_t n);
/// The same of a free energy that is known, at any temperature.
/// @param per_particle  beta F / N, Lambda = sigma, n_p = 1
void add_free_energy(artifacts::Artifact& artifact, const Ground& ground, double beta, double per_particle,
                     const std::optional<double>& sigma, std::int64_t n);

/// Samples whose weight is zero because they have left the crystal.
/// @param log_weight [n]
std::int64_t number_left(const Tensor& log_weight);

/// Adds `ess` with its standard error, `variance` and `largest_weight` of samples with weights, and `pareto_k` where they are
/// enough to tell.
/// @param log_weight [n]
void add_weights(artifacts::Artifact& artifact, const Tensor& log_weight, const plan::Key& stream_key,
                 std::int64_t bootstrap = 200);

/// Adds `mean_energy` per atom, eV, with the standard error of a bootstrap.
/// @param energy   [n], eV, of whole configurations
/// @param weights  [n], or undefined for equal weights
/// @param chain    [n], of each sample, or undefined for independent samples
void add_mean_energy(artifacts::Artifact& artifact, const Tensor& energy, const Tensor& weights, const Tensor& chain,
                     const Ground& ground, const plan::Key& stream_key);

}  // namespace bgw::tasks
