#include "runtime/flows/augmented_ends.h"

#include <fmt/format.h>

#include <cmath>

#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

Tensor squared_norm(const Tensor& numbers) { return numbers.flatten(1).square().sum(1); }

}  // namespace

AugmentedEnds::AugmentedEnds(const physics::WhitenedTarget& target, double width) : target_(target), width_(width) {
  if (!(width > 0.0) || !std::isfinite(width))
    throw InputError(fmt::format("augmented flow: aux_width must be positive, not {}", width));
}

Tensor AugmentedEnds::crystal(const Tensor& state) const { return state.narrow(1, 0, target_.particles()); }

Tensor AugmentedEnds::noise(const Tensor& state) const {
  return (state.narrow(1, target_.particles(), target_.particles()) - crystal(state)) / width_;
}

Tensor AugmentedEnds::state_with(const Tensor& x, const Tensor& e) const {
  return at::cat({x, x + width_ * e.view_as(x)}, 1);
}

Tensor AugmentedEnds::state_of_latent(const Tensor& latent) const {
  const std::int64_t m = target_.dimension();
  const Tensor x = target_.displacements(latent.narrow(1, 0, m));
  return state_with(x, latent.narrow(1, m, auxiliary_dimension()).contiguous());
}

Tensor AugmentedEnds::pull_back_to_latent(const Tensor& latent, const Tensor& state_bar) const {
  const Tensor x_bar = crystal(state_bar);
  const Tensor a_bar = state_bar.narrow(1, target_.particles(), target_.particles());
  return at::cat(
      {target_.modes().pull_back((x_bar + a_bar).contiguous()), (width_ * a_bar).reshape({latent.size(0), -1})}, 1);
}

// The constants of the Gaussian of the crystal belong to Ends, those of the Gaussian of a stand in the target, too.
Tensor AugmentedEnds::log_base(const Tensor& state) const {
  return -0.5 * (squared_norm(target_.whiten(crystal(state).contiguous())) + squared_norm(noise(state)));
}

// With x = M y and orthogonal columns, M^-T y = M (y / |M_j|^2).
Tensor AugmentedEnds::base_score(const Tensor& state) const {
  const Tensor y = target_.whiten(crystal(state).contiguous());
  const Tensor pull = noise(state) / width_;
  return at::cat({pull - target_.displacements(y / target_.modes().squared_norms()), -pull}, 1);
}

TargetValue AugmentedEnds::log_target(const Tensor& state, bool with_gradient) const {
  const Tensor x = crystal(state).contiguous();
  const Tensor e = noise(state);
  const auto log_density = [&](const Tensor& energy) {
    return -target_.beta() * (energy - target_.static_energy()) - 0.5 * squared_norm(e);
  };
  if (!with_gradient) {
    const Tensor energy = target_.model().energy(x);
    return {energy, log_density(energy), {}};
  }
  const physics::EnergyAndGradient value = target_.model().energy_and_gradient(x);
  const Tensor pull = e / width_;
  return {value.energy, log_density(value.energy), at::cat({pull - target_.beta() * value.gradient, -pull}, 1)};
}

Tensor AugmentedEnds::displacements(const Tensor& state) const { return crystal(state).contiguous(); }

Tensor AugmentedEnds::state_of(const Tensor& displacements, const Tensor& auxiliary) const {
  return state_with(displacements - displacements.mean(1, true), auxiliary);
}

}  // namespace bgw::flows
