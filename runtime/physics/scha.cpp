#include "runtime/physics/scha.h"

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"
#include "runtime/physics/phonon.h"
#include "runtime/tensor/array.h"

namespace bgw::physics {
namespace {

// The first iterations hold the numbers of step 0, the bound those of step 1.
constexpr std::int64_t kFitStep = 0;
constexpr std::int64_t kBoundStep = 1;
constexpr double kSoftest = 1e-3;  // of the median stiffness: no mode may be softer
constexpr double kWidest = 0.1;    // of the mean distance of atoms, rms of a component: beyond it no crystal is left

struct Positive {
  Spectrum spectrum;
  std::int64_t changed = 0;  // modes
};

// Of the free energy per atom, kT, that moving the mean sites promises.
constexpr double kSettled = 1e-6;
constexpr double kNothing = 1e-20;

/// The softest stiffness that is allowed: a small one, or where the modes together would take the atoms on top of each
/// other as much more as it needs.
double lowest_stiffness(const Tensor& stiffness, double spacing) {
  const Tensor size = stiffness.abs();
  const double widest = kWidest * spacing;
  double floor = kSoftest * size.median().item<double>();
  if (!(floor > 0.0)) throw NumericalError("the self-consistent phonons found no stiffness: nothing holds the atoms");
  while (at::clamp_min(size, floor).reciprocal().mean().item<double>() > widest * widest) floor *= 1.25;
  return floor;
}

/// Modes with negative stiffness turned positive and very soft ones stiffened, so that they are a Gaussian of a crystal.
Positive positive_modes(Spectrum spectrum, double spacing) {
  const double floor = lowest_stiffness(of_modes(spectrum, spectrum.stiffness), spacing);
  Positive result{std::move(spectrum), 0};
  for (std::size_t n = 0; n < result.spectrum.waves.size(); ++n) {
    Tensor& stiffness = result.spectrum.stiffness[n];
    const auto changed = (stiffness < floor).sum().item<std::int64_t>();
    result.changed += result.spectrum.waves[n].real ? changed : 2 * changed;
    if (changed > 0) stiffness = at::clamp_min(stiffness.abs(), floor);
  }
  return result;
}

/// rms of (e.D e) / kappa over the modes.
double relative_size(const Spectrum& spectrum, const Tensor& difference) {
  const Tensor along = of_modes(spectrum, in_modes(spectrum, {spectrum.group, difference}));
  return std::sqrt((along / of_modes(spectrum, spectrum.stiffness)).square().mean().item<double>());
}

/// Averages over the first and the second half of the fields.
struct Halves {
  Tensor hessian[2];  // [n_b, 3, cells, n_b, 3]
  Tensor force[2];    // [N, 3], mean gradient
};

Halves average(const EnergyModel& model, const CrystalSymmetry& symmetry, const Tensor& fields) {
  Halves result;
  const std::int64_t half = fields.size(0) / 2;
  for (int h = 0; h < 2; ++h) {
    const Tensor part = fields.slice(0, h * half, (h + 1) * half);
    result.hessian[h] = symmetry.average(mean_force_constants(model, symmetry.translations, part)).blocks;
    const Tensor mean = symmetry.average(model.energy_and_gradient(part).gradient.mean(0));
    result.force[h] = mean - mean.mean(0, true);
  }
  return result;
}

}  // namespace

void add_to(artifacts::Artifact& checkpoint, const SchaState& state) {
  const Tensor progress = at::tensor(
      {static_cast<double>(state.iteration), state.change, state.noise, state.mixing, state.converged ? 1.0 : 0.0},
      at::kDouble);
  checkpoint.arrays["scha/stiffness"] = tensor::to_array(state.stiffness);
  checkpoint.arrays["scha/shift"] = tensor::to_array(state.shift);
  checkpoint.arrays["scha/progress"] = tensor::to_array(progress);
}

SchaState scha_state_from(const artifacts::Artifact& checkpoint) {
  const std::vector<double>& progress = checkpoint.array("scha/progress").doubles;
  SchaState state;
  state.stiffness = tensor::to_tensor(checkpoint.array("scha/stiffness"));
  state.shift = tensor::to_tensor(checkpoint.array("scha/shift"));
  state.iteration = static_cast<std::int64_t>(progress.at(0));
  state.change = progress.at(1);
  state.noise = progress.at(2);
  state.mixing = progress.at(3);
  state.converged = progress.at(4) != 0.0;
  return state;
}

StiffenedBase stiffened_base(const ForceConstants& constants, const Tensor& sites, const crystal::Cell& cell, double beta) {
  const double spacing = std::cbrt(cell.volume() / static_cast<double>(sites.size(0)));
  const Positive modes = positive_modes(spectrum_of({constants.group, beta * constants.blocks}), spacing);
  return {make_gaussian_base(modes.spectrum, constants.blocks, sites, cell, 0.0, beta), modes.changed};
}

Scha::Scha(const EnergyModel& model, const crystal::Crystal& crystal, double beta, const SchaOptions& options,
           const tensor::RandomStream& stream)
    : model_(model),
      crystal_(crystal),
      symmetry_(symmetry_of(crystal)),
      spacing_(std::cbrt(crystal.cell.volume() / static_cast<double>(crystal.sites.size()))),
      beta_(beta),
      options_(options),
      stream_(stream) {
  if (static_cast<std::int64_t>(crystal.sites.size()) != model.particles())
    throw ShapeError("the crystal and the energy model have different numbers of atoms");
}

SchaState Scha::start() const {
  SchaState state;
  state.shift = at::zeros({model_.particles(), 3}, at::kDouble);
  const ForceConstants constants = mean_force_constants(model_, symmetry_.translations, state.shift.unsqueeze(0));
  state.stiffness = beta_ * symmetry_.average(constants).blocks;
  return state;
}

SchaState Scha::start_from(const ForceConstants& constants, const Tensor& shift) const {
  SchaState state;
  state.stiffness = beta_ * constants.blocks;
  state.shift = shift;
  state.change = 0;
  state.converged = true;
  return state;
}

GaussianBase Scha::gaussian(const Spectrum& spectrum, const SchaState& state, double static_energy) const {
  return make_gaussian_base(spectrum, state.stiffness / beta_, sites_tensor(crystal_) + state.shift, crystal_.cell,
                            static_energy, beta_);
}

// Fields come as (+a, +b, ..., -a, -b, ...) within each half, so that both halves hold whole pairs. The symmetric root
// K^(-1/2) = M kappa^(1/2) M^T makes them continuous in K although eigenvectors of equal stiffness are not.
Tensor Scha::fields(const GaussianBase& base, std::int64_t step, std::int64_t pairs) const {
  const Tensor z = stream_.normal(step, 0, pairs, 3 * model_.particles());
  const Tensor u = base.modes->displacements(base.modes->pull_back(z) * base.stiffness.sqrt());
  const std::int64_t half = pairs / 2;
  const Tensor first = u.slice(0, 0, half);
  const Tensor second = u.slice(0, half, 2 * half);
  return at::cat({first, -first, second, -second});
}

void Scha::step(SchaState& state) const {
  const Positive modes = positive_modes(spectrum_of({symmetry_.translations, state.stiffness}), spacing_);
  const std::int64_t pairs = std::max<std::int64_t>(2, options_.samples / 4 * 2);
  const Tensor u = fields(gaussian(modes.spectrum, state, 0.0), kFitStep, pairs) + state.shift.unsqueeze(0);
  const Halves halves = average(model_, symmetry_, u);
  const Tensor difference = 0.5 * beta_ * (halves.hessian[0] + halves.hessian[1]) - state.stiffness;
  const double change = relative_size(modes.spectrum, difference);
  if (!std::isfinite(change))
    throw NumericalError("the self-consistent phonons met energies that are not finite at iteration " +
                         std::to_string(state.iteration + 1));
  state.noise = relative_size(modes.spectrum, 0.5 * beta_ * (halves.hessian[0] - halves.hessian[1]));
  // Steps that overshoot become shorter, and longer again when they do not.
  const bool worse = state.iteration > 0 && change > state.change;
  state.mixing = worse ? std::max(0.2, 0.6 * state.mixing) : std::min(1.0, 1.2 * state.mixing);
  state.change = change;
  state.stiffness = state.stiffness + state.mixing * difference;
  const Tensor force = 0.5 * (halves.force[0] + halves.force[1]);
  const double gain = options_.relax_sites ? relax(gaussian(modes.spectrum, state, 0.0), force, state) : 0.0;
  ++state.iteration;
  state.converged = gain < kSettled && change < 0.2 * state.noise;
}

// Newton's step on the mean sites; the waves of k = 0 alone take part in it, and symmetry holds most of them in place.
double Scha::relax(const GaussianBase& base, const Tensor& force, SchaState& state) const {
  const Tensor y = base.modes->pull_back(beta_ * force.unsqueeze(0));
  const double gain = 0.5 * y.square().sum().item<double>() / static_cast<double>(model_.particles());
  if (gain < kNothing) return gain;
  state.shift = symmetry_.average(state.shift - base.modes->displacements(y)[0]);
  state.shift = state.shift - state.shift.mean(0, true);
  return gain;
}

bool Scha::is_finished(const SchaState& state) const {
  return state.converged || state.iteration >= options_.iterations;
}

// ln Zc >= (1/2) sum ln(2 pi / kappa) - beta U0 - <beta (U - U0) - |y|^2 / 2>, averaged over mirrored pairs.
SchaResult Scha::finish(const SchaState& state) const {
  const Positive modes = positive_modes(spectrum_of({symmetry_.translations, state.stiffness}), spacing_);
  const Tensor shift = state.shift.unsqueeze(0);
  SchaResult result;
  result.floored_modes = modes.changed;
  result.base = gaussian(modes.spectrum, state, model_.energy(shift).item<double>());
  const std::int64_t pairs = std::max<std::int64_t>(4, options_.bound_samples / 4 * 2);
  const Tensor u = fields(result.base, kBoundStep, pairs);
  const Tensor y = latents_from_displacements(result.base, u);
  const Tensor excess = beta_ * (model_.energy(u + shift) - result.base.static_energy) - 0.5 * (y * y).sum(1);
  const Tensor of_pairs = excess.reshape({2, 2, pairs / 2}).mean(1).reshape({-1});
  const double mean = of_pairs.mean().item<double>();
  result.log_zc_bound = log_partition(result.base) - mean;
  result.log_zc_sigma = (of_pairs.std() / std::sqrt(static_cast<double>(pairs))).item<double>();
  if (!std::isfinite(result.log_zc_bound))
    throw NumericalError("the variational bound of the self-consistent phonons is not finite");
  const SchaState at_rest = start();
  const Spectrum harmonic = spectrum_of({symmetry_.translations, at_rest.stiffness});
  result.imaginary_modes = soft_modes(harmonic).count;
  if (result.imaginary_modes == 0) {
    const double energy = model_.energy(at_rest.shift.unsqueeze(0)).item<double>();
    result.log_zc_harmonic = log_partition(gaussian(harmonic, at_rest, energy));
  }
  return result;
}

}  // namespace bgw::physics
