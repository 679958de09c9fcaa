#include "runtime/physics/phonon.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "runtime/foundation/errors.h"

namespace bgw::physics {
namespace {

constexpr double kSoft = 1e-9;      // of the stiffest mode
constexpr double kLongestStep = 0.1;  // of the mean distance of atoms

void expect_real_modes(const Spectrum& spectrum, const crystal::Crystal& crystal) {
  const SoftModes soft = soft_modes(spectrum);
  if (soft.count == 0) return;
  throw NumericalError(
      fmt::format("the lattice of {} atoms is not a minimum of its potential energy: {} imaginary or free modes, the "
                  "lowest with beta k = {:.4g} at the wave vector {} of the unit cell (the stiffest has {:.4g}); use "
                  "base kind scha, or relax the sites",
                  crystal.sites.size(), soft.count, soft.lowest,
                  in_reciprocal_units(soft.wave, spectrum.group, crystal), soft.highest));
}

/// Newton's step for a field that is alike in all cells, from the force constants at k = 0. [N, 3]
Tensor newton_step(const ForceConstants& constants, const Tensor& gradient) {
  const TranslationGroup& group = constants.group;
  const std::int64_t w = 3 * group.basis;
  const Tensor matrix = constants.blocks.sum(2).reshape({w, w});
  Tensor first = at::empty({group.basis}, at::kLong);
  std::copy_n(group.atoms.begin(), group.basis, first.data_ptr<std::int64_t>());
  Tensor place = at::empty({group.particles()}, at::kLong);
  std::copy(group.basis_of.begin(), group.basis_of.end(), place.data_ptr<std::int64_t>());
  const auto [values, vectors] = at::linalg_eigh(0.5 * (matrix + matrix.t()), "L");
  const Tensor size = values.abs();
  const double stiffest = size.max().item<double>();
  const Tensor along = vectors.t().mv(gradient.index_select(0, first).reshape({w}));
  const Tensor step = -vectors.mv(at::where(size > 1e-7 * stiffest, along / size, at::zeros_like(along)));
  return step.reshape({group.basis, 3}).index_select(0, place);
}

double energy_at(const EnergyModel& model, const Tensor& shift) {
  return model.energy(shift.unsqueeze(0)).item<double>();
}

}  // namespace

Tensor sites_tensor(const crystal::Crystal& crystal) {
  Tensor sites = at::empty({static_cast<std::int64_t>(crystal.sites.size()), 3}, at::kDouble);
  double* out = sites.data_ptr<double>();
  for (const crystal::Vector3& r : crystal.sites) out = std::copy(r.begin(), r.end(), out);
  return sites;
}

// Steps that the energy can tell are shortened until they lead downhill; close to the minimum it cannot.
Tensor relaxed_shift(const EnergyModel& model, const crystal::Crystal& crystal, const CrystalSymmetry& symmetry) {
  const std::int64_t n = model.particles();
  const double spacing = std::cbrt(crystal.cell.volume() / static_cast<double>(n));
  Tensor shift = at::zeros({n, 3}, at::kDouble);
  double force = 0;
  for (int step = 0; step < 100; ++step) {
    const EnergyAndGradient here = model.energy_and_gradient(shift.unsqueeze(0));
    const Tensor gradient = symmetry.average(here.gradient[0]);
    const ForceConstants constants =
        symmetry.average(mean_force_constants(model, symmetry.translations, shift.unsqueeze(0)));
    force = gradient.abs().max().item<double>();
    const double scale = constants.blocks.abs().max().item<double>();
    if (!std::isfinite(force) || !std::isfinite(scale)) break;
    if (force <= 1e-10 * std::min(1.0, scale)) return shift - shift.mean(0, true);
    Tensor move = newton_step(constants, gradient);
    const double longest = move.abs().max().item<double>();
    if (longest > kLongestStep * spacing) move = move * (kLongestStep * spacing / longest);
    const double before = here.energy.item<double>();
    const double promised = 0.5 * std::abs((move * gradient).sum().item<double>());
    for (int halving = 0; halving < 20 && promised > 1e-11 * std::abs(before); ++halving) {
      if (energy_at(model, shift + move) < before) break;
      move = 0.5 * move;
    }
    shift = shift + move;
  }
  throw NumericalError(fmt::format(
      "the sites did not relax: no minimum of the energy near the lattice, and a force of {:.3g} is left on an atom", force));
}

SoftModes soft_modes(const Spectrum& spectrum) {
  SoftModes soft;
  soft.lowest = std::numeric_limits<double>::infinity();
  for (const Tensor& values : spectrum.stiffness) {
    if (values.numel() > 0) soft.highest = std::max(soft.highest, values.max().item<double>());
  }
  for (std::size_t n = 0; n < spectrum.waves.size(); ++n) {
    const Tensor& values = spectrum.stiffness[n];
    if (values.numel() == 0) continue;
    const auto found = (values <= kSoft * soft.highest).sum().item<std::int64_t>();
    soft.count += spectrum.waves[n].real ? found : 2 * found;
    const double lowest = values.min().item<double>();
    if (lowest < soft.lowest) {
      soft.lowest = lowest;
      soft.wave = spectrum.waves[n];
    }
  }
  return soft;
}

std::string in_reciprocal_units(const WaveVector& wave, const TranslationGroup& group,
                                const crystal::Crystal& crystal) {
  const crystal::Cell primitive{{group.steps[0], group.steps[1], group.steps[2]}};
  // q . r = sum of turns over the primitive steps that lead to r.
  const auto product = [&](const std::array<double, 3>& turns, const crystal::Vector3& r) {
    const crystal::Vector3 s = primitive.fractional(r);
    return turns[0] * s[0] + turns[1] * s[1] + turns[2] * s[2];
  };
  std::array<double, 3> best{};
  double shortest = std::numeric_limits<double>::infinity();
  for (int shift = 0; shift < 7 * 7 * 7; ++shift) {
    const int whole[3] = {shift / 49 - 3, shift / 7 % 7 - 3, shift % 7 - 3};
    std::array<double, 3> turns{};
    for (std::size_t a = 0; a < 3; ++a)
      turns[a] = static_cast<double>(wave.index[a]) / static_cast<double>(group.periods[a]) + whole[a];
    double square = 0;
    for (std::size_t d = 0; d < 3; ++d) {
      crystal::Vector3 unit{};
      unit[d] = 1.0;
      square += product(turns, unit) * product(turns, unit);
    }
    if (square < shortest * (1.0 - 1e-9)) {
      shortest = square;
      best = turns;
    }
  }
  std::array<double, 3> fraction{};
  for (std::size_t k = 0; k < 3; ++k) {
    crystal::Vector3 edge = crystal.cell.vectors[k];
    for (double& x : edge) x /= crystal.repeats[k];
    fraction[k] = product(best, edge);
    if (std::abs(fraction[k]) < 1e-9) fraction[k] = 0.0;
  }
  return fmt::format("({:.4g}, {:.4g}, {:.4g})", fraction[0], fraction[1], fraction[2]);
}

GaussianBase phonon_base(const EnergyModel& model, const crystal::Crystal& crystal, double beta, bool relax_sites) {
  const CrystalSymmetry symmetry = symmetry_of(crystal);
  const Tensor shift = relax_sites ? relaxed_shift(model, crystal, symmetry)
                                   : at::zeros({model.particles(), 3}, at::kDouble);
  const ForceConstants constants =
      symmetry.average(mean_force_constants(model, symmetry.translations, shift.unsqueeze(0)));
  return phonon_base(model, crystal, beta, constants, shift);
}

GaussianBase phonon_base(const EnergyModel& model, const crystal::Crystal& crystal, double beta,
                         const ForceConstants& constants, const Tensor& shift) {
  const Spectrum spectrum = spectrum_of({constants.group, beta * constants.blocks});
  expect_real_modes(spectrum, crystal);
  return make_gaussian_base(spectrum, constants.blocks, sites_tensor(crystal) + shift, crystal.cell,
                            energy_at(model, shift), beta);
}

}  // namespace bgw::physics
