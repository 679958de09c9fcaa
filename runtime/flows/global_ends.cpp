#include "runtime/flows/global_ends.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "runtime/crystal/neighbours.h"
#include "runtime/flows/circular_shift.h"
#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

Tensor matrix_of(const crystal::Cell& cell) {
  const Tensor result = at::empty({3, 3}, at::kDouble);
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t k = 0; k < 3; ++k) result.data_ptr<double>()[3 * i + k] = cell.vectors[i][k];
  }
  return result;
}

/// Row vectors [B, n, 3] times a matrix [3, 3]. Written out: a library's product of many rows may round the last of
/// them in another way.
Tensor times(const Tensor& rows, const Tensor& matrix) {
  return rows.narrow(2, 0, 1) * matrix[0] + rows.narrow(2, 1, 1) * matrix[1] + rows.narrow(2, 2, 1) * matrix[2];
}

/// Standard deviation of the atoms of an einstein_crystal, whose modes are all alike.
double width_of(const physics::WhitenedTarget& target) {
  const Tensor& variance = target.modes().squared_norms();
  const double least = variance.min().item<double>();
  const double most = variance.max().item<double>();
  if (!(most - least <= 1e-9 * most)) {
    throw InputError(fmt::format("a global flow starts from atoms that move alike; the modes of this base have standard "
                                 "deviations from {:.4g} to {:.4g}. Give it a base of kind einstein_crystal",
                                 std::sqrt(least), std::sqrt(most)));
  }
  return std::sqrt(most);
}

double ball_radius(const Tensor& sites, const crystal::Cell& cell) {
  const Tensor given = sites.contiguous();
  const double* x = given.data_ptr<double>();
  std::vector<crystal::Vector3> all;
  for (std::int64_t i = 0; i < given.size(0); ++i) all.push_back({x[3 * i], x[3 * i + 1], x[3 * i + 2]});
  const double radius = 0.5 * crystal::closest_pair(cell, all).distance;
  const crystal::Vector3 heights = cell.heights();
  const double flat = *std::min_element(heights.begin(), heights.end());
  if (radius > 0.5 * flat * (1.0 + 1e-9)) {
    throw InputError(fmt::format("a global flow keeps atoms within {:.4g} of their sites, but opposite faces of the cell "
                                 "are {:.4g} apart; repeat the lattice along its thin direction",
                                 radius, flat));
  }
  return radius;
}

Tensor checked(const Tensor& sites, std::int64_t particles) {
  if (particles < 2)
    throw InputError(fmt::format("a global flow moves atoms relative to the first; the crystal has {}", particles));
  if (sites.dim() != 2 || sites.size(0) != particles || sites.size(1) != 3)
    throw ShapeError(fmt::format("global flow: the sites must have the shape [{}, 3]", particles));
  return sites;
}

}  // namespace

GlobalEnds::GlobalEnds(const physics::WhitenedTarget& target, const Tensor& sites, const crystal::Cell& cell)
    : target_(target),
      cell_(matrix_of(cell)),
      inverse_cell_(at::linalg_inv(cell_)),
      noise_(width_of(target), ball_radius(checked(sites, target.particles()), cell)) {
  const std::int64_t others = target.particles() - 1;
  sites_ = at::matmul(sites.narrow(0, 1, others) - sites.narrow(0, 0, 1), inverse_cell_);
  const double log_gaussian =
      0.5 * (2.0 * std::numbers::pi * target.modes().squared_norms()).log().sum().item<double>();
  log_constant_ = -1.5 * std::log(static_cast<double>(target.particles())) - log_gaussian;
}

Tensor GlobalEnds::state_of_relative(const Tensor& relative) const {
  return wrapped_to_unit(sites_ + times(relative, inverse_cell_));
}

Tensor GlobalEnds::relative_of(const Tensor& state) const {
  const Tensor away = state - sites_;
  return times(away - away.round(), cell_);
}

Tensor GlobalEnds::state_of_latent(const Tensor& latent) const {
  return state_of_relative(noise_.displacements(latent.view({latent.size(0), -1, 3})));
}

Tensor GlobalEnds::pull_back_to_latent(const Tensor& latent, const Tensor& state_bar) const {
  const Tensor relative_bar = times(state_bar, inverse_cell_.t());
  return noise_.pull_back(latent.view({latent.size(0), -1, 3}), relative_bar).flatten(1);
}

Tensor GlobalEnds::log_base(const Tensor& state) const { return noise_.log_density(relative_of(state)); }

Tensor GlobalEnds::base_score(const Tensor& state) const {
  return times(noise_.score(relative_of(state)), cell_.t());
}

Tensor GlobalEnds::displacements(const Tensor& state) const {
  const Tensor relative = relative_of(state);
  const Tensor all = at::cat({at::zeros({state.size(0), 1, 3}, state.options()), relative}, 1);
  return all - all.mean(1, true);
}

TargetValue GlobalEnds::log_target(const Tensor& state, bool with_gradient) const {
  const Tensor u = displacements(state);
  const auto log_density = [&](const Tensor& energy) {
    return log_constant_ - target_.beta() * (energy - target_.static_energy());
  };
  if (!with_gradient) {
    const Tensor energy = target_.model().energy(u);
    return {energy, log_density(energy), {}};
  }
  const physics::EnergyAndGradient value = target_.model().energy_and_gradient(u);
  // The removed mean moves with every atom.
  const Tensor relative_bar = (value.gradient - value.gradient.mean(1, true)).narrow(1, 1, state.size(1));
  return {value.energy, log_density(value.energy), -target_.beta() * times(relative_bar, cell_.t())};
}

Tensor GlobalEnds::state_of(const Tensor& displacements, const Tensor& /*auxiliary*/) const {
  const std::int64_t others = displacements.size(1) - 1;
  return state_of_relative(displacements.narrow(1, 1, others) - displacements.narrow(1, 0, 1));
}

}  // namespace bgw::flows
