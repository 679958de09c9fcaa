#include "runtime/physics/phonon.h"

#include <algorithm>

#include <fmt/format.h>

#include "runtime/foundation/errors.h"

namespace bgw::physics {
namespace {

void expect_real_modes(const Modes& modes, std::int64_t particles) {
  const double softest = modes.stiffness[0].item<double>();
  const double stiffest = modes.stiffness[-1].item<double>();
  if (softest > 1e-9 * stiffest) return;
  const auto imaginary = (modes.stiffness <= 1e-9 * stiffest).sum().item<std::int64_t>();
  throw NumericalError(
      fmt::format("the lattice of {} atoms is not a minimum of its potential energy: {} imaginary or free modes, the "
                  "lowest with beta k = {:.4g} "
                  "(the stiffest has {:.4g}); use base kind scha, or relax the sites",
                  particles, imaginary, softest, stiffest));
}

}  // namespace

Tensor sites_tensor(const crystal::Crystal& crystal) {
  Tensor sites = at::empty({static_cast<std::int64_t>(crystal.sites.size()), 3}, at::kDouble);
  double* out = sites.data_ptr<double>();
  for (const crystal::Vector3& r : crystal.sites) out = std::copy(r.begin(), r.end(), out);
  return sites;
}

Tensor relaxed_shift(const EnergyModel& model) {
  const std::int64_t n = model.particles();
  Tensor shift = at::zeros({1, n, 3}, at::kDouble);
  for (int step = 0; step < 50; ++step) {
    const Tensor gradient = model.energy_and_gradient(shift).gradient.reshape({3 * n});
    const Tensor hessian = model.hessian_sum(shift);
    const double scale = hessian.abs().max().item<double>();
    if (gradient.abs().max().item<double>() <= 1e-10 * std::min(1.0, scale)) return shift[0] - shift[0].mean(0, true);
    const Modes modes = modes_of(hessian);
    const Tensor along = modes.vectors.t().mv(gradient);
    shift = shift - modes.vectors.mv(along / modes.stiffness).reshape({1, n, 3});
    if (!(shift.abs().max().item<double>() < 1e3)) break;
  }
  throw NumericalError("the sites did not relax: Newton's method found no stationary point near the lattice");
}

GaussianBase phonon_base(const EnergyModel& model, const crystal::Crystal& crystal, double beta, bool relax_sites) {
  const std::int64_t n = model.particles();
  const Tensor shift = relax_sites ? relaxed_shift(model) : at::zeros({n, 3}, at::kDouble);
  const Modes modes = modes_of(beta * model.hessian_sum(shift.unsqueeze(0)));
  expect_real_modes(modes, n);
  const double energy = model.energy(shift.unsqueeze(0)).item<double>();
  return make_gaussian_base(modes, sites_tensor(crystal) + shift, crystal.cell, energy, beta);
}

}  // namespace bgw::physics
