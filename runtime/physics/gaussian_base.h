#pragma once

#include <memory>

#include "runtime/artifacts/artifact.h"
#include "runtime/crystal/cell.h"
#include "runtime/physics/force_constants.h"
#include "runtime/physics/mode_transform.h"
#include "runtime/tensor/tensor.h"

namespace bgw::physics {

/// A Gaussian of displacements without centre-of-mass motion, exp(-u.K u / 2), in its own modes: u = M y whitens it,
/// y ~ N(0, 1) in m = 3N - 3 dimensions. Displacements count from `sites`. K has the translations of the crystal, so M
/// is kept wave vector by wave vector (mode_transform.h), which also sets the order of the modes.
struct GaussianBase {
  Tensor sites;  // [N, 3], float64
  crystal::Cell cell;
  std::shared_ptr<const ModeTransform> modes;  // M
  Tensor stiffness;                            // [m], kappa, 1/length^2 (beta is in it)
  Tensor force_constants;                      // [n_b, 3, cells, n_b, 3], energy/length^2, as the modes were made from
  double static_energy = 0;                    // potential energy at the sites
  double beta = 0;                             // 1 / (kB T), in the unit of static_energy
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

/// The Gaussian of positive modes.
/// @param spectrum   stiffness with beta in it
/// @param constants  what the base keeps as its force constants, without beta
GaussianBase make_gaussian_base(const Spectrum& spectrum, const Tensor& constants, const Tensor& sites,
                                const crystal::Cell& cell, double static_energy, double beta);

/// Independent oscillators without centre-of-mass motion: one Cartesian component of an atom has the standard
/// deviation `width`, but for the share of the centre of mass. Modes are cos and sin waves of single coordinates.
GaussianBase einstein_base(const TranslationGroup& group, const Tensor& sites, const crystal::Cell& cell,
                           double static_energy, double beta, double width);

/// Arrays sites, cell, periods, atoms, mode_blocks, stiffness, force_constants, static_energy and the attribute beta.
void add_to(artifacts::Artifact& artifact, const GaussianBase& base);
/// The same back; throws std::out_of_range when one is missing.
GaussianBase gaussian_base_from(const artifacts::Artifact& artifact);

}  // namespace bgw::physics
