#include "runtime/sampling/langevin.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "runtime/foundation/errors.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::sampling {
namespace {

void check_positive(const char* name, double value) {
  if (!(value > 0) || !std::isfinite(value))
    throw InputError(fmt::format("langevin: {} must be positive, not {}", name, value));
}

/// Mean over the atoms of one replica, atom after atom.
std::array<double, 3> mean_of(const double* field, std::int64_t particles) {
  std::array<double, 3> sum{};
  for (std::int64_t i = 0; i < particles; ++i) {
    for (std::size_t d = 0; d < 3; ++d) sum[d] += field[3 * i + static_cast<std::int64_t>(d)];
  }
  for (double& x : sum) x /= static_cast<double>(particles);
  return sum;
}

/// field += factor * (source - mean of the source over the atoms).
void add_without_mean(double* field, double factor, const double* source, std::int64_t particles) {
  const std::array<double, 3> mean = mean_of(source, particles);
  for (std::int64_t i = 0; i < 3 * particles; ++i)
    field[i] += factor * (source[i] - mean[static_cast<std::size_t>(i % 3)]);
}

/// Calls work(replica) for each, in parallel.
template <typename Work>
void for_replicas(std::int64_t replicas, const Work& work) {
  at::parallel_for(0, replicas, 1, [&](std::int64_t begin, std::int64_t end) {
    const at::NoGradGuard no_grad;  // grad mode belongs to the thread
    for (std::int64_t r = begin; r < end; ++r) work(r);
  });
}

void check_finite(const LangevinState& state) {
  const Tensor energy = state.energy.contiguous();
  const double* e = energy.data_ptr<double>();
  for (std::int64_t r = 0; r < energy.numel(); ++r) {
    if (std::isfinite(e[r])) continue;
    throw NumericalError(
        fmt::format("langevin: the energy of replica {} is not finite after step {}: {} eV; a shorter "
                    "timestep may help",
                    r, state.step, e[r]));
  }
}

}  // namespace

std::map<std::string, Tensor> to_named_tensors(const LangevinState& state) {
  return {{"displacements", state.displacements},
          {"velocities", state.velocities},
          {"energy", state.energy},
          {"gradient", state.gradient},
          {"coupling", state.coupling},
          {"kinetic", state.kinetic},
          {"step", at::tensor({state.step}, at::kLong)}};
}

LangevinState langevin_state_from(const std::map<std::string, Tensor>& named) {
  return {named.at("displacements").clone(),    named.at("velocities").clone(), named.at("energy").clone(),
          named.at("gradient").clone(),         named.at("coupling").clone(),   named.at("kinetic").clone(),
          named.at("step").item<std::int64_t>()};
}

Langevin::Langevin(const ForceField& forces, const LangevinOptions& options, const plan::Key& stream_key,
                   const std::string& purpose)
    : forces_(forces), options_(options), stream_key_(stream_key), purpose_(purpose) {
  check_positive("the temperature", options.kt);
  check_positive("the mass", options.mass);
  check_positive("the timestep", options.timestep);
  check_positive("the friction", options.friction);
}

LangevinState Langevin::start(const Tensor& displacements) const {
  const std::int64_t replicas = displacements.size(0), particles = displacements.size(1);
  const tensor::RandomStream stream(stream_key_, purpose_ + ".velocity");
  LangevinState state;
  state.displacements = displacements.clone().contiguous();
  state.velocities = stream.normal(0, 0, replicas, 3 * particles).view({replicas, particles, 3});
  state.velocities = (state.velocities - state.velocities.mean(1, true)) * std::sqrt(options_.kt / options_.mass);
  state.kinetic = 0.5 * options_.mass * state.velocities.square().sum(2).sum(1);
  evaluate(state);
  return state;
}

void Langevin::evaluate(LangevinState& state) const {
  const ForceFieldValue value = forces_.evaluate(state.displacements);
  state.energy = value.energy;
  state.gradient = value.gradient.contiguous();
  state.coupling = value.coupling;
  check_finite(state);
}

void Langevin::kick_drift_noise_drift(LangevinState& state) const {
  const std::int64_t particles = state.displacements.size(1), width = 3 * particles;
  const tensor::RandomStream stream(stream_key_, purpose_ + ".noise");
  double* const u = state.displacements.data_ptr<double>();
  double* const v = state.velocities.data_ptr<double>();
  const double* const g = state.gradient.data_ptr<double>();
  double* const kinetic = state.kinetic.data_ptr<double>();
  const double half = 0.5 * options_.timestep;
  const double kept = std::exp(-options_.friction * options_.timestep);
  const double noise = std::sqrt(-std::expm1(-2 * options_.friction * options_.timestep) * options_.kt / options_.mass);
  for_replicas(state.displacements.size(0), [&](std::int64_t r) {
    double* x = u + r * width;
    double* p = v + r * width;
    add_without_mean(p, -half / options_.mass, g + r * width, particles);
    double squares = 0;
    for (std::int64_t i = 0; i < width; ++i) {
      squares += p[i] * p[i];
      x[i] += half * p[i];
      p[i] *= kept;
    }
    kinetic[r] = 0.5 * options_.mass * squares;
    const Tensor draws = stream.normal(state.step, r, 1, width);
    add_without_mean(p, noise, draws.data_ptr<double>(), particles);
    for (std::int64_t i = 0; i < width; ++i) x[i] += half * p[i];
  });
}

void Langevin::kick(LangevinState& state) const {
  const std::int64_t particles = state.displacements.size(1), width = 3 * particles;
  double* const v = state.velocities.data_ptr<double>();
  const double* const g = state.gradient.data_ptr<double>();
  for_replicas(state.displacements.size(0), [&](std::int64_t r) {
    add_without_mean(v + r * width, -0.5 * options_.timestep / options_.mass, g + r * width, particles);
  });
}

void Langevin::step(LangevinState& state) const {
  kick_drift_noise_drift(state);
  state.step += 1;
  evaluate(state);
  kick(state);
}

Tensor Langevin::kinetic_temperature(const LangevinState& state) const {
  return state.kinetic * (2.0 / static_cast<double>(3 * state.displacements.size(1) - 3));
}

}  // namespace bgw::sampling
