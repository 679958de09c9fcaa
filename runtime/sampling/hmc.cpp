#include "runtime/sampling/hmc.h"

#include <algorithm>
#include <cmath>

#include "runtime/sampling/adaptation.h"
#include "runtime/sampling/kick_plan.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::sampling {
namespace {

constexpr double kHighestStart = 0.05;  // l D over the dimension
constexpr double kDrawnIn = 0.8;
constexpr int kMostDrawnIn = 40;

/// min(1, e^{-increase}), zero where the energy is not finite.
Tensor acceptance_probability(const Tensor& increase) {
  return at::where(increase.isfinite(), (-increase.clamp_min(0.0)).exp(), at::zeros_like(increase));
}

Tensor chosen(const Tensor& accept, const Tensor& proposed, const Tensor& current) {
  return at::where(proposed.dim() == 2 ? accept.unsqueeze(1) : accept, proposed, current);
}

void adapt_angle(HmcState& state, const Tensor& probability, const HmcOptions& options) {
  state.adaptations += 1;
  const double angle = state.angle * adaptation_factor(state.adaptations, probability, options.acceptance_aim);
  state.angle = std::clamp(angle, options.smallest_angle, options.largest_angle);
}

}  // namespace

double HmcState::acceptance() const {
  return tried == 0 ? 0.0 : static_cast<double>(accepted) / static_cast<double>(tried);
}

std::map<std::string, Tensor> to_named_tensors(const HmcState& state) {
  return {{"positions", state.positions},
          {"work", state.work},
          {"gradient", state.gradient},
          {"largest_displacement", state.largest_displacement},
          {"angle", at::tensor({state.angle}, at::kDouble)},
          {"counters", at::tensor({state.move, state.adaptations, state.tried, state.accepted}, at::kLong)}};
}

HmcState hmc_state_from(const std::map<std::string, Tensor>& named) {
  const Tensor counters = named.at("counters").to(at::kLong).contiguous();
  const std::int64_t* c = counters.data_ptr<std::int64_t>();
  return {named.at("positions").clone(),
          named.at("work").clone(),
          named.at("gradient").clone(),
          named.at("largest_displacement").clone(),
          named.at("angle").item<double>(),
          c[0],
          c[1],
          c[2],
          c[3]};
}

Hmc::Hmc(const physics::LatentTarget& target, double lambda, const HmcOptions& options, const plan::Key& stream_key,
         const std::string& purpose, std::int64_t first)
    : target_(target), lambda_(lambda), options_(options), stream_key_(stream_key), purpose_(purpose), first_(first) {}

HmcState Hmc::start(std::int64_t chains) const {
  const tensor::RandomStream stream(stream_key_, purpose_ + ".start");
  HmcState state;
  state.positions = stream.normal(0, first_, chains, target_.dimension());
  physics::WhitenedValue value = target_.evaluate(state.positions);
  const double highest = kHighestStart * static_cast<double>(target_.dimension());
  // At l = 0 the draws are the state, and annealing weighs them as such.
  for (int tries = 0; lambda_ > 0 && tries < kMostDrawnIn; ++tries) {
    const Tensor uphill = (lambda_ * value.work <= highest).logical_not();  // true also for what is not a number
    if (!uphill.any().item<bool>()) break;
    state.positions = at::where(uphill.unsqueeze(1), kDrawnIn * state.positions, state.positions);
    value = target_.evaluate(state.positions);
  }
  state.work = value.work;
  state.gradient = value.gradient;
  state.largest_displacement = value.largest_displacement;
  state.angle = options_.first_angle;
  return state;
}

std::int64_t Hmc::rotations(const HmcState& state) const {
  return std::max<std::int64_t>(1, std::lround(options_.turn / state.angle));
}

Hmc::Phase Hmc::trajectory(const HmcState& state, const Tensor& momentum, const Tensor& angle) const {
  const KickPlan plan = kick_plan(rotations(state));
  Phase now{state.positions, momentum, state.work, state.gradient, state.largest_displacement};
  const Tensor whole = lambda_ * static_cast<double>(plan.turns.size()) * angle;
  now.momentum = momentum - plan.kicks.front() * whole * now.gradient;
  for (std::size_t k = 0; k < plan.turns.size(); ++k) {
    const Tensor turn = (static_cast<double>(plan.turns.size()) * plan.turns[k]) * angle;
    const Tensor cosine = turn.cos(), sine = turn.sin();
    const Tensor turned = now.position * cosine + now.momentum * sine;
    const physics::WhitenedValue value = target_.evaluate(turned);
    now.momentum = now.momentum * cosine - now.position * sine - plan.kicks[k + 1] * whole * value.gradient;
    now.position = turned;
    now.work = value.work;
    now.gradient = value.gradient;
    now.largest_displacement = value.largest_displacement;
  }
  return now;
}

void Hmc::advance(HmcState& state, bool adapt) const {
  const std::int64_t chains = state.positions.size(0);
  const Tensor momentum =
      tensor::RandomStream(stream_key_, purpose_ + ".momentum").normal(state.move, first_, chains, target_.dimension());
  const Tensor draws =
      tensor::RandomStream(stream_key_, purpose_ + ".jitter_and_acceptance").uniform(state.move, first_, chains, 2);
  const Tensor angle = state.angle * (1.0 + options_.jitter * (2.0 * draws.slice(1, 0, 1) - 1.0));
  const auto energy = [&](const Tensor& y, const Tensor& work, const Tensor& p) {
    return 0.5 * (y.square().sum(1) + p.square().sum(1)) + lambda_ * work;
  };

  const Phase end = trajectory(state, momentum, angle);
  const Tensor increase = energy(end.position, end.work, end.momentum) - energy(state.positions, state.work, momentum);
  const Tensor probability = acceptance_probability(increase);
  const Tensor accept = draws.select(1, 1) < probability;

  state.positions = chosen(accept, end.position, state.positions);
  state.work = chosen(accept, end.work, state.work);
  state.gradient = chosen(accept, end.gradient, state.gradient);
  state.largest_displacement = chosen(accept, end.largest_displacement, state.largest_displacement);
  state.move += 1;
  state.tried += chains;
  state.accepted += accept.sum().item<std::int64_t>();
  if (adapt) adapt_angle(state, probability, options_);
}

}  // namespace bgw::sampling
