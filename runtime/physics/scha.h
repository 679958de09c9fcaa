#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "runtime/crystal/lattice.h"
#include "runtime/physics/crystal_symmetry.h"
#include "runtime/physics/energy_model.h"
#include "runtime/physics/gaussian_base.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::physics {

struct SchaOptions {
  std::int64_t samples = 256;         // displacement fields per iteration, half of them mirrored
  std::int64_t bound_samples = 1024;  // fresh fields for the variational bound
  std::int64_t iterations = 32;       // at most
  bool relax_sites = true;
};

/// Where the iteration stands; all there is to save between two iterations.
struct SchaState {
  Tensor stiffness;  // [n_b, 3, cells, n_b, 3], K, 1/length^2; need not be positive before the end
  Tensor shift;      // [N, 3], mean sites minus lattice sites
  std::int64_t iteration = 0;
  double change = std::numeric_limits<double>::infinity();  // of the stiffness, relative, rms over the modes
  double noise = 0;  // of the stiffness, relative, from the two halves of the samples
  double mixing = 1;
  bool converged = false;
};

/// The state as the arrays `scha/stiffness`, `scha/shift` and `scha/progress` of a checkpoint, and back.
void add_to(artifacts::Artifact& checkpoint, const SchaState& state);
SchaState scha_state_from(const artifacts::Artifact& checkpoint);

/// What the iteration leads to.
struct SchaResult {
  GaussianBase base;
  double log_zc_bound = 0;                // lower bound of ln Zc (Gibbs-Bogoliubov), from fresh samples
  double log_zc_sigma = 0;                // its standard error
  std::int64_t floored_modes = 0;         // of the base: made stiffer than K says, or imaginary and turned round
  std::int64_t imaginary_modes = 0;       // of the static lattice
  std::optional<double> log_zc_harmonic;  // of the static lattice, where it has no imaginary mode
};

/// The Gaussian of force constants that an iteration has led to: modes that are not positive, or nearly free, are made
/// stiffer as in the iteration.
struct StiffenedBase {
  GaussianBase base;        // its static energy is still to be set
  std::int64_t floored = 0;  // modes
};
/// @param constants  energy/length^2
/// @param sites      [N, 3], of the base
StiffenedBase stiffened_base(const ForceConstants& constants, const Tensor& sites, const crystal::Cell& cell, double beta);

/// Self-consistent harmonic approximation: the Gaussian that minimises the reverse Kullback-Leibler divergence to
/// exp(-beta U), which has K = beta <d2U/du2> and <dU/du> = 0 in its own ensemble. Fixed-point iteration with exact
/// Hessians on mirrored pairs of fields, averaged over all symmetries of the crystal in its box. The same random numbers
/// serve all iterations, u = K^(-1/2) z, so that the iteration converges although its average is noisy.
/// Alternatives set aside: Stein's form K = Sigma^-1 <u g> (noisier by far), finite differences of gradients for the
/// atoms of one cell (the analytic Hessian of all cells costs no more).
/// @source method.md 10.1; Errea, Calandra, Mauri, Phys. Rev. B 89, 064302 (2014)
class Scha {
 public:
  /// The model and the crystal must outlive this object; the model's sites are the crystal's.
  Scha(const EnergyModel& model, const crystal::Crystal& crystal, double beta, const SchaOptions& options,
       const tensor::RandomStream& stream);

  /// The static Hessian; where it has imaginary modes they enter the first fields with the sign turned.
  SchaState start() const;
  /// Finished at once: given force constants (energy/length^2) about given sites, in place of an iteration.
  SchaState start_from(const ForceConstants& constants, const Tensor& shift) const;
  /// One iteration. Call until `is_finished`.
  void step(SchaState& state) const;
  bool is_finished(const SchaState& state) const;
  /// @throws NumericalError when the bound is not finite
  SchaResult finish(const SchaState& state) const;

 private:
  Tensor fields(const GaussianBase& base, std::int64_t step, std::int64_t pairs) const;
  /// Moves the mean sites down the mean force [N, 3]; returns the kT per atom that this promises.
  double relax(const GaussianBase& base, const Tensor& force, SchaState& state) const;
  GaussianBase gaussian(const Spectrum& spectrum, const SchaState& state, double static_energy) const;

  const EnergyModel& model_;
  const crystal::Crystal& crystal_;
  CrystalSymmetry symmetry_;
  double spacing_;  // mean distance of atoms
  double beta_;
  SchaOptions options_;
  tensor::RandomStream stream_;
};

}  // namespace bgw::physics
