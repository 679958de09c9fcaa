#pragma once

#include "runtime/artifacts/artifact.h"
#include "runtime/crystal/cell.h"
#include "runtime/tensor/tensor.h"

namespace bgw::physics {

/// A Gaussian of displacements without centre-of-mass motion, exp(-u.K u / 2), in its own modes: u = M y with
/// M = Q kappa^(-1/2) whitens it, y ~ N(0, 1) in m = 3N - 3 dimensions. Displacements count from `sites`.
struct GaussianBase {
  Tensor sites;  // [N, 3], float64
  crystal::Cell cell;
  Tensor modes;              // [3N, m], M
  Tensor stiffness;          // [m], kappa, ascending, 1/length^2 (beta is in it)
  double static_energy = 0;  // potential energy at the sites
  double beta = 0;           // 1 / (kB T), in the unit of static_energy
};

/// u = M y, [B, m] -> [B, N, 3]; the mean displacement is zero.
Tensor displacements_from_latents(const GaussianBase& base, const Tensor& latents);
/// y with M y = u - mean(u), [B, N, 3] -> [B, m].
Tensor latents_from_displacements(const GaussianBase& base, const Tensor& displacements);

/// ln Zc of the Gaussian at its static energy, (1/2) sum ln(2 pi / kappa) - beta U0.
double log_partition(const GaussianBase& base);
/// Its absolute free energy per particle (free_energy.h).
double free_energy_per_particle(const GaussianBase& base, double sigma);
/// Root mean square of one Cartesian component, sqrt(<u^2>), over all atoms and directions.
double rms_displacement(const GaussianBase& base);

/// The modes of a stiffness matrix: the three uniform translations are left out, and vectors are those of
/// canonical_modes.h.
struct Modes {
  Tensor vectors;    // [3N, m], orthonormal columns
  Tensor stiffness;  // [m], ascending; negative for imaginary modes
};
/// @param matrix [3N, 3N], symmetric and invariant under translations
Modes modes_of(const Tensor& matrix);

/// The Gaussian of positive modes.
GaussianBase make_gaussian_base(const Modes& modes, const Tensor& sites, const crystal::Cell& cell,
                                double static_energy, double beta);

/// Arrays sites, cell, modes, stiffness, static_energy and the attribute beta.
void add_to(artifacts::Artifact& artifact, const GaussianBase& base);
/// The same back; throws std::out_of_range when one is missing.
GaussianBase gaussian_base_from(const artifacts::Artifact& artifact);

}  // namespace bgw::physics
