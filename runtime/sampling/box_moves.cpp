#include "runtime/sampling/box_moves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"
#include "runtime/sampling/adaptation.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::sampling {
namespace {

constexpr double kLeastRenewal = 1e-4;
constexpr double kFurthest = 1.0;  // of a coordinate: beyond it the volume has left its factor of four

void adapt_renewal(BoxState& state, const Tensor& probability, double aim) {
  state.adaptations += 1;
  state.renewal =
      std::clamp(state.renewal * adaptation_factor(state.adaptations, probability, aim), kLeastRenewal, 1.0);
}

/// A positive matrix with the same axes: sizes of the eigenvalues, none far below the largest.
Tensor positive_part(const Tensor& matrix) {
  const auto [values, axes] = at::linalg_eigh(0.5 * (matrix + matrix.t()), "L");
  const Tensor sizes = values.abs();
  return axes.matmul(at::diag(sizes.clamp_min(1e-3 * sizes.max().item<double>()))).matmul(axes.t());
}

/// Rows times a small symmetric matrix, each by itself, whatever the number of rows.
Tensor rows_times(const Tensor& rows, const Tensor& matrix) { return (rows.unsqueeze(2) * matrix.unsqueeze(0)).sum(1); }

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
          {"stiffness", state.stiffness},
          {"renewal", at::tensor({state.renewal}, at::kDouble)},
          {"counters", at::tensor({state.move, state.adaptations, state.tried, state.accepted}, at::kLong)}};
}

BoxState box_state_from(const std::map<std::string, Tensor>& named) {
  const Tensor counters = named.at("counters").to(at::kLong).contiguous();
  const std::int64_t* c = counters.data_ptr<std::int64_t>();
  return {named.at("coordinates").clone(),
          named.at("stiffness").clone(),
          named.at("renewal").item<double>(),
          c[0],
          c[1],
          c[2],
          c[3]};
}

BoxMoves::BoxMoves(const physics::EnergyModel& model, const BoxOptions& options, const plan::Key& stream_key,
                   const std::string& purpose)
    : model_(model), options_(options), stream_key_(stream_key), purpose_(purpose) {}

BoxState BoxMoves::start(const Tensor& coordinates, const Tensor& stiffness) const {
  BoxState state;
  state.coordinates = coordinates.clone();
  state.stiffness = positive_part(stiffness / options_.kt);
  return state;
}

BoxMoves::Slope BoxMoves::slope_at(const Tensor& coordinates, const physics::EnergyGradientStrain& value) const {
  const double pressure_volume = options_.pressure * options_.volume;
  const Tensor enthalpy = value.energy + pressure_volume * log_volume_ratio(options_.shape, coordinates).exp();
  const Tensor gradient = enthalpy_gradient(options_.shape, coordinates, value.strain_gradient, pressure_volume);
  return {enthalpy / options_.kt - log_measure(options_.shape, coordinates, model_.particles()),
          gradient / options_.kt - log_measure_gradient(options_.shape, model_.particles())};
}

void BoxMoves::move(BoxState& state, const Tensor& displacements, physics::EnergyGradientStrain& value,
                    bool adapt) const {
  const std::int64_t replicas = state.coordinates.size(0), freedom = state.coordinates.size(1);
  const Tensor normal = tensor::RandomStream(stream_key_, purpose_ + ".step").normal(state.move, 0, replicas, freedom);
  const Tensor draws =
      tensor::RandomStream(stream_key_, purpose_ + ".acceptance").uniform(state.move, 0, replicas, 1).select(1, 0);
  const auto [values, axes] = at::linalg_eigh(state.stiffness, "L");
  const Tensor inverse = axes.matmul(at::diag(values.reciprocal())).matmul(axes.t());
  const Tensor root = axes.matmul(at::diag(values.rsqrt())).matmul(axes.t());
  const double toward = 1.0 - std::sqrt(1.0 - state.renewal);
  const auto aim = [&](const Tensor& coordinates, const Slope& slope) {
    return coordinates - toward * rows_times(slope.gradient, inverse);
  };
  const auto log_density = [&](const Tensor& reached, const Tensor& aimed_at) {
    const Tensor off = reached - aimed_at;
    return -0.5 / state.renewal * (rows_times(off, state.stiffness) * off).sum(1);
  };

  const Slope here = slope_at(state.coordinates, value);
  const Tensor aimed_at = aim(state.coordinates, here);
  // No single move leaves the boxes that have a crystal: such a proposal, from either end, is refused below.
  const Tensor proposed = (aimed_at + std::sqrt(state.renewal) * rows_times(normal, root)).clamp(-kFurthest, kFurthest);
  const physics::EnergyGradientStrain there_value =
      model_.energy_gradient_and_strain(displacements, deformation_of(options_.shape, proposed));
  const Slope there = slope_at(proposed, there_value);
  const Tensor gain = here.height - there.height + log_density(state.coordinates, aim(proposed, there)) -
                      log_density(proposed, aimed_at);
  const Tensor possible = gain.isfinite().logical_and(proposed.abs().amax(1) < kFurthest);
  const Tensor probability = at::where(possible, gain.clamp_max(0.0).exp(), at::zeros_like(gain));
  const Tensor accept = draws < probability;

  state.coordinates = at::where(accept.unsqueeze(1), proposed, state.coordinates);
  value.energy = at::where(accept, there_value.energy, value.energy);
  value.gradient = at::where(accept.view({-1, 1, 1}), there_value.gradient, value.gradient);
  value.strain_gradient = at::where(accept.view({-1, 1, 1}), there_value.strain_gradient, value.strain_gradient);
  state.move += 1;
  if (adapt) {
    adapt_renewal(state, probability, options_.acceptance_aim);
  } else {
    state.tried += replicas;
    state.accepted += accept.sum().item<std::int64_t>();
  }
  check_volume(options_.shape, state);
}

ForceFieldValue BoxedForceField::evaluate(const Tensor& displacements) const {
  const physics::EnergyGradientStrain value = model_.energy_gradient_and_strain(displacements, deformation_);
  strain_gradient_ = value.strain_gradient;
  return {value.energy, value.gradient, at::zeros_like(value.energy)};
}

}  // namespace bgw::sampling
