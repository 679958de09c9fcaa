#include "runtime/physics/scha.h"

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/translations.h"
#include "runtime/tensor/array.h"

namespace bgw::physics {
namespace {

// The first iterations hold the numbers of step 0, the bound those of step 1.
constexpr std::int64_t kFitStep = 0;
constexpr std::int64_t kBoundStep = 1;
constexpr double kSoftest = 1e-3;  // of the median stiffness: no mode may be softer

/// Modes with negative stiffness turned positive and very soft ones stiffened, so that they are a Gaussian.
Modes positive_modes(const Tensor& matrix) {
  Modes modes = modes_of(matrix);
  const Tensor size = modes.stiffness.abs();
  const Tensor positive = at::clamp_min(size, kSoftest * size.median().item<double>());
  const auto [sorted, order] = positive.sort(0);
  return {modes.vectors.index_select(1, order).contiguous(), sorted.contiguous()};
}

/// rms of (q.D q) / kappa over some hundred modes, evenly from soft to stiff: all of them would cost as much as the
/// diagonalisation.
double relative_size(const Modes& modes, const Tensor& difference) {
  const std::int64_t stride = std::max<std::int64_t>(1, modes.stiffness.size(0) / 100);
  const Tensor q = modes.vectors.slice(1, 0, modes.vectors.size(1), stride).contiguous();
  const Tensor along =
      (q * at::matmul(difference, q)).sum(0) / modes.stiffness.slice(0, 0, modes.stiffness.size(0), stride);
  return std::sqrt((along * along).mean().item<double>());
}

/// Averages over the first and the second half of the fields.
struct Halves {
  Tensor hessian[2];
  Tensor force[2];  // [N, 3], mean gradient
};

Halves average(const EnergyModel& model, const crystal::Crystal& crystal, const Tensor& fields) {
  Halves result;
  const std::int64_t half = fields.size(0) / 2;
  for (int h = 0; h < 2; ++h) {
    const Tensor part = fields.slice(0, h * half, (h + 1) * half);
    result.hessian[h] = average_over_translations(crystal, model.hessian_sum(part) / static_cast<double>(half));
    const Tensor mean = average_vectors_over_translations(crystal, model.energy_and_gradient(part).gradient.mean(0));
    result.force[h] = mean - mean.mean(0, true);
  }
  return result;
}

/// A mean force counts where it is twice its own noise: on sites that symmetry holds in place only noise is left.
bool is_significant(const Halves& halves) {
  const double force = (halves.force[0] + halves.force[1]).norm().item<double>();
  const double noise = (halves.force[0] - halves.force[1]).norm().item<double>();
  return force > 2.0 * noise && force > 1e-12;
}

}  // namespace

void add_to(artifacts::Artifact& checkpoint, const SchaState& state) {
  const Tensor progress = at::tensor(
      {static_cast<double>(state.iteration), state.change, state.noise, state.mixing, state.converged ? 1.0 : 0.0},
      at::kDouble);
  checkpoint.arrays["scha/stiffness_matrix"] = tensor::to_array(state.stiffness_matrix);
  checkpoint.arrays["scha/shift"] = tensor::to_array(state.shift);
  checkpoint.arrays["scha/progress"] = tensor::to_array(progress);
}

SchaState scha_state_from(const artifacts::Artifact& checkpoint) {
  const std::vector<double>& progress = checkpoint.array("scha/progress").doubles;
  SchaState state;
  state.stiffness_matrix = tensor::to_tensor(checkpoint.array("scha/stiffness_matrix"));
  state.shift = tensor::to_tensor(checkpoint.array("scha/shift"));
  state.iteration = static_cast<std::int64_t>(progress.at(0));
  state.change = progress.at(1);
  state.noise = progress.at(2);
  state.mixing = progress.at(3);
  state.converged = progress.at(4) != 0.0;
  return state;
}

Scha::Scha(const EnergyModel& model, const crystal::Crystal& crystal, double beta, const SchaOptions& options,
           const tensor::RandomStream& stream)
    : model_(model), crystal_(crystal), beta_(beta), options_(options), stream_(stream) {
  if (static_cast<std::int64_t>(crystal.sites.size()) != model.particles())
    throw ShapeError("the crystal and the energy model have different numbers of atoms");
}

SchaState Scha::start() const {
  const std::int64_t n = model_.particles();
  SchaState state;
  state.shift = at::zeros({n, 3}, at::kDouble);
  state.stiffness_matrix = average_over_translations(crystal_, beta_ * model_.hessian_sum(state.shift.unsqueeze(0)));
  return state;
}

// Fields come as (+a, +b, ..., -a, -b, ...) within each half, so that both halves hold whole pairs. The symmetric root
// of K makes them continuous in K although eigenvectors of equal stiffness are not.
Tensor Scha::fields(const Modes& modes, std::int64_t step, std::int64_t pairs) const {
  const std::int64_t n = model_.particles();
  const Tensor z = stream_.normal(step, 0, pairs, 3 * n);
  const Tensor u =
      at::matmul(at::matmul(z, modes.vectors) * at::rsqrt(modes.stiffness), modes.vectors.t()).reshape({pairs, n, 3});
  const std::int64_t half = pairs / 2;
  const Tensor first = u.slice(0, 0, half);
  const Tensor second = u.slice(0, half, 2 * half);
  return at::cat({first, -first, second, -second});
}

void Scha::step(SchaState& state) const {
  const Modes modes = positive_modes(state.stiffness_matrix);
  const std::int64_t pairs = std::max<std::int64_t>(2, options_.samples / 4 * 2);
  const Tensor u = fields(modes, kFitStep, pairs) + state.shift.unsqueeze(0);
  const Halves halves = average(model_, crystal_, u);
  const Tensor difference = 0.5 * beta_ * (halves.hessian[0] + halves.hessian[1]) - state.stiffness_matrix;
  const double change = relative_size(modes, difference);
  if (!std::isfinite(change))
    throw NumericalError("the self-consistent phonons met energies that are not finite at iteration " +
                         std::to_string(state.iteration + 1));
  state.noise = relative_size(modes, 0.5 * beta_ * (halves.hessian[0] - halves.hessian[1]));
  if (state.iteration > 0 && change > 0.7 * state.change) state.mixing = std::max(0.25, 0.7 * state.mixing);
  state.change = change;
  state.stiffness_matrix = state.stiffness_matrix + state.mixing * difference;
  bool moved = false;
  if (options_.relax_sites && is_significant(halves)) {
    const Tensor force = 0.5 * beta_ * (halves.force[0] + halves.force[1]).reshape({-1});
    const Tensor move = modes.vectors.mv(modes.vectors.t().mv(force) / modes.stiffness);
    state.shift = average_vectors_over_translations(crystal_, state.shift - move.reshape(state.shift.sizes()));
    state.shift = state.shift - state.shift.mean(0, true);
    moved = true;
  }
  ++state.iteration;
  state.converged = !moved && change < 0.2 * state.noise;
}

bool Scha::is_finished(const SchaState& state) const {
  return state.converged || state.iteration >= options_.iterations;
}

// ln Zc >= (1/2) sum ln(2 pi / kappa) - beta U0 - <beta (U - U0) - |y|^2 / 2>, averaged over mirrored pairs.
SchaResult Scha::finish(const SchaState& state) const {
  const Modes modes = positive_modes(state.stiffness_matrix);
  const Tensor shift = state.shift.unsqueeze(0);
  SchaResult result;
  result.base = make_gaussian_base(modes, sites_tensor(crystal_) + state.shift, crystal_.cell,
                                   model_.energy(shift).item<double>(), beta_);
  const std::int64_t pairs = std::max<std::int64_t>(4, options_.bound_samples / 4 * 2);
  const Tensor u = fields(modes, kBoundStep, pairs);
  const Tensor y = latents_from_displacements(result.base, u);
  const Tensor excess = beta_ * (model_.energy(u + shift) - result.base.static_energy) - 0.5 * (y * y).sum(1);
  const Tensor of_pairs = excess.reshape({2, 2, pairs / 2}).mean(1).reshape({-1});
  const double mean = of_pairs.mean().item<double>();
  result.log_zc_bound = log_partition(result.base) - mean;
  result.log_zc_sigma = (of_pairs.std() / std::sqrt(static_cast<double>(pairs))).item<double>();
  if (!std::isfinite(result.log_zc_bound))
    throw NumericalError("the variational bound of the self-consistent phonons is not finite");
  const Modes harmonic = modes_of(beta_ * model_.hessian_sum(at::zeros_like(shift)));
  if (harmonic.stiffness[0].item<double>() > 1e-9 * harmonic.stiffness[-1].item<double>()) {
    const double energy = model_.energy(at::zeros_like(shift)).item<double>();
    result.log_zc_harmonic =
        log_partition(make_gaussian_base(harmonic, sites_tensor(crystal_), crystal_.cell, energy, beta_));
  }
  return result;
}

}  // namespace bgw::physics
