#include "runtime/tasks/einstein_dynamics.h"

#include <algorithm>
#include <cmath>

#include "runtime/estimators/mbar.h"
#include "runtime/sampling/einstein_dynamics.h"
#include "runtime/tasks/checkpoint_arrays.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/pace.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

constexpr std::int64_t kRecords = 1000;  // of a state
constexpr std::int64_t kDiscarded = 4;   // produce / 4 is discarded where nothing is said

sampling::EinsteinDynamicsOptions options_of(const schema::Value& arguments, const Ground& ground) {
  const schema::Value& sampler = arguments.at("sampler");
  const double timestep = sampler.at("timestep").as_double();
  const auto steps = [&](const schema::Value& time) { return std::llround(time.as_double() / timestep); };
  sampling::EinsteinDynamicsOptions options;
  options.states = arguments.at("path").at("states").as_int();
  options.spring = arguments.at("path").at("spring").as_double();
  options.produce = steps(arguments.at("produce"));
  const schema::Value* equilibrate = arguments.find("equilibrate");
  const bool given = equilibrate != nullptr && !equilibrate->is_none();
  options.equilibrate = given ? steps(*equilibrate) : options.produce / kDiscarded;
  options.every = std::max<std::int64_t>(1, options.produce / kRecords);
  const double mass = ground.system.has("mass") ? ground.system.at("mass").as_double() : 1.0;  // of reduced units
  options.langevin = {1 / ground.base.beta, mass, timestep, sampler.at("friction").as_double()};
  return options;
}

artifacts::Artifact checkpoint_of(const sampling::EinsteinDynamicsState& state, const physics::CallCount& calls) {
  return checkpoint_from(sampling::to_named_tensors(state), calls);
}

sampling::EinsteinDynamicsState state_from(const artifacts::Artifact& checkpoint) {
  return sampling::einstein_dynamics_state_from(named_tensors_of(checkpoint));
}

/// Reduced energies of all records in all states, up to what the states share: l beta (d - U0), with d = U - U_E.
estimators::MbarResult combined(const sampling::EinsteinDynamicsState& state, const Ground& ground,
                                const plan::Key& stream_key) {
  const std::int64_t states = state.coupling.size(0), records = state.coupling.size(1);
  const Tensor lambda = at::arange(states, at::kDouble) / static_cast<double>(states - 1);
  const Tensor work = ground.base.beta * (state.coupling.reshape({1, -1}) - ground.base.static_energy);
  const Tensor chain = at::arange(states, at::kLong).repeat_interleave(records);
  return estimators::mbar(lambda.unsqueeze(1) * work, at::full({states}, records, at::kLong), chain, stream_key);
}

void add_crystal_samples(artifacts::Artifact& artifact, const sampling::EinsteinDynamicsState& state,
                         const sampling::EinsteinDynamicsOptions& options, const Ground& ground,
                         const plan::Key& stream_key) {
  const Tensor einstein = 0.5 * options.spring * state.displacements.square().sum({1, 2});
  const Tensor energy = state.coupling[-1] + einstein;
  const Tensor chain = at::zeros({energy.numel()}, at::kLong);
  artifact.arrays["displacements"] = tensor::to_array(state.displacements, "angstrom");
  artifact.arrays["energy"] = tensor::to_array(energy, "eV");
  artifact.arrays["chain"] = tensor::to_array(chain);
  add_crystal(artifact, ground);
  add_mean_energy(artifact, energy, Tensor(), chain, ground, stream_key);
}

artifacts::Artifact result_of(const sampling::EinsteinDynamicsState& state,
                              const sampling::EinsteinDynamicsOptions& options, const Ground& ground,
                              const plan::Key& stream_key) {
  const estimators::MbarResult mbar = combined(state, ground, stream_key);
  const estimators::Estimate rise = mbar.difference(0, options.states - 1);
  artifacts::Artifact artifact;
  add_free_energy(artifact, ground, {-rise.value, rise.sigma}, state.coupling.numel());
  artifact.results.push_back({"overlap", mbar.least_overlap, {}, "", {}, "smallest overlap of neighbouring states"});
  artifact.results.push_back({"residual", mbar.residual, {}, "", {}, "of the MBAR equations"});
  artifact.results.push_back({"largest_displacement", state.largest_displacement, {}, "angstrom", {}, "of an atom from its site, in a record of the crystal"});
  artifact.arrays["overlap_matrix"] = tensor::to_array(mbar.overlap_matrix);
  add_crystal_samples(artifact, state, options, ground, stream_key);
  return artifact;
}

}  // namespace

artifacts::Artifact einstein_dynamics(engine::TaskContext& context, const Ground& ground) {
  const sampling::EinsteinDynamicsOptions options = options_of(context.arguments(), ground);
  const sampling::Basin basin(ground.base.sites, ground.base.cell);
  sampling::EinsteinDynamicsState state = sampling::start_einstein_dynamics(*ground.model, options);
  physics::CallCount before;
  if (const auto checkpoint = context.load_checkpoint()) {
    state = state_from(*checkpoint);
    before = calls_of(checkpoint->cost);
  }
  const auto calls = [&] { return before + ground.model->calls(); };
  const auto checkpoint = [&] { return checkpoint_of(state, calls()); };
  const plan::Key& stream_key = context.spec().stream_key;
  sampling::run_einstein_dynamics(*ground.model, options, basin, stream_key, state,
                                  [&](const sampling::EinsteinDynamicsState& now) {
                                    const bool kept = now.chains.step > options.equilibrate;
                                    context.report({kept ? "production" : "equilibration", now.chains.step,
                                                    options.equilibrate + options.records() * options.every, {}});
                                    context.step_done(checkpoint);
                                  });

  const Listening listening = stop_in_interludes(context, checkpoint);
  artifacts::Artifact artifact = result_of(state, options, ground, stream_key);
  artifact.cost = cost_of(calls());
  return artifact;
}

}  // namespace bgw::tasks
