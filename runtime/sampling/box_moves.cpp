#include "runtime/sampling/box_moves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::sampling {
namespace {

constexpr double kAdaptationGain = 2.0;
constexpr double kAdaptationDecay = 0.6;  // Robbins-Monro exponent, in (1/2, 1]
constexpr double kSmallestSize = 1e-7;
constexpr double kLargestSize = 0.1;

/// Mean, one after the other, so that it does not depend on threads.
double mean_in_order(const Tensor& numbers) {
  const Tensor flat = numbers.contiguous();
  const double* x = flat.data_ptr<double>();
  double sum = 0;
  for (std::int64_t i = 0; i < flat.numel(); ++i) sum += x[i];
  return sum / static_cast<double>(flat.numel());
}

void adapt_size(BoxState& state, std::int64_t coordinate, double acceptance, double aim) {
  state.adaptations += 1;
  const std::int64_t round = (state.adaptations - 1) / state.sizes.size(0) + 1;  // each coordinate learns by itself
  const double gain = kAdaptationGain * std::pow(static_cast<double>(round), -kAdaptationDecay);
  const double size = state.sizes[coordinate].item<double>() * std::exp(gain * (acceptance - aim));
  state.sizes[coordinate] = std::clamp(size, kSmallestSize, kLargestSize);
}

void check_volume(BoxShape shape, const BoxState& state) {
  const Tensor log_ratio = log_volume_ratio(shape, state.coordinates);
  const std::int64_t worst = log_ratio.abs().argmax().item<std::int64_t>();
  const double ratio = std::exp(log_ratio[worst].item<double>());
  if (ratio < 4.0 && ratio > 0.25) return;
  throw NumericalError(
      fmt::format("the crystal leaves its structure: after {} moves of the box the volume of replica {} "
                  "is {:.4g} times that of the lattice, the limit is a factor of 4; take a lower temperature or "
                  "another pressure",
                  state.move, worst, ratio));
}

}  // namespace

double BoxState::acceptance() const {
  return tried == 0 ? 0.0 : static_cast<double>(accepted) / static_cast<double>(tried);
}

std::map<std::string, Tensor> to_named_tensors(const BoxState& state) {
  return {{"coordinates", state.coordinates},
          {"sizes", state.sizes},
          {"counters", at::tensor({state.move, state.adaptations, state.tried, state.accepted}, at::kLong)}};
}

BoxState box_state_from(const std::map<std::string, Tensor>& named) {
  const Tensor counters = named.at("counters").to(at::kLong).contiguous();
  const std::int64_t* c = counters.data_ptr<std::int64_t>();
  return {named.at("coordinates").clone(), named.at("sizes").clone(), c[0], c[1], c[2], c[3]};
}

BoxMoves::BoxMoves(const physics::EnergyModel& model, const BoxOptions& options, const plan::Key& stream_key,
                   const std::string& purpose)
    : model_(model), options_(options), stream_key_(stream_key), purpose_(purpose) {}

BoxState BoxMoves::start(const Tensor& coordinates) const {
  BoxState state;
  state.coordinates = coordinates.clone();
  state.sizes = at::full({coordinates.size(1)}, options_.first_size, at::kDouble);
  return state;
}

Tensor BoxMoves::log_weight(const Tensor& coordinates, const Tensor& energy) const {
  const Tensor volume = options_.volume * log_volume_ratio(options_.shape, coordinates).exp();
  return log_measure(options_.shape, coordinates, model_.particles()) -
         (energy + options_.pressure * volume) / options_.kt;
}

void BoxMoves::move(BoxState& state, const Tensor& displacements, Tensor& energy, bool adapt) const {
  const std::int64_t replicas = state.coordinates.size(0);
  const std::int64_t coordinate = state.move % state.coordinates.size(1);
  const Tensor steps =
      tensor::RandomStream(stream_key_, purpose_ + ".step").normal(state.move, 0, replicas, 1).select(1, 0);
  const Tensor draws =
      tensor::RandomStream(stream_key_, purpose_ + ".acceptance").uniform(state.move, 0, replicas, 1).select(1, 0);
  Tensor proposed = state.coordinates.clone();
  proposed.select(1, coordinate) += state.sizes[coordinate] * steps;
  const Tensor there = model_.energy(displacements, deformation_of(options_.shape, proposed));
  const Tensor gain = log_weight(proposed, there) - log_weight(state.coordinates, energy);
  const Tensor probability = at::where(there.isfinite(), gain.clamp_max(0.0).exp(), at::zeros_like(gain));
  const Tensor accept = draws < probability;

  state.coordinates = at::where(accept.unsqueeze(1), proposed, state.coordinates);
  energy = at::where(accept, there, energy);
  state.move += 1;
  if (adapt) {
    adapt_size(state, coordinate, mean_in_order(probability), options_.acceptance_aim);
  } else {
    state.tried += replicas;
    state.accepted += accept.sum().item<std::int64_t>();
  }
  check_volume(options_.shape, state);
}

ForceFieldValue BoxedForceField::evaluate(const Tensor& displacements) const {
  const physics::EnergyGradientStrain value = model_.energy_gradient_and_strain(displacements, deformation_);
  return {value.energy, value.gradient, at::zeros_like(value.energy)};
}

}  // namespace bgw::sampling
