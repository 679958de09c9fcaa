#include "runtime/estimators/mbar.h"
#include "runtime/foundation/errors.h"
#include "runtime/sampling/staged_reference.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

sampling::StagedOptions options_of(const schema::Value& arguments) {
  sampling::StagedOptions options;
  options.states = arguments.at("path").at("states").as_int();
  options.chains = arguments.at("sampler").at("chains").as_int();
  options.steps = arguments.at("sampler").at("steps").as_int();
  return options;
}

artifacts::Artifact checkpoint_of(const sampling::StagedState& state, const physics::CallCount& calls) {
  artifacts::Artifact checkpoint;
  for (const auto& [name, tensor] : sampling::to_named_tensors(state))
    checkpoint.arrays[name] = tensor::to_array(tensor);
  checkpoint.cost = cost_of(calls);
  return checkpoint;
}

sampling::StagedState state_from(const artifacts::Artifact& checkpoint) {
  std::map<std::string, Tensor> named;
  for (const auto& [name, array] : checkpoint.arrays) named[name] = tensor::to_tensor(array);
  return sampling::staged_state_from(named);
}

engine::Progress progress_of(const sampling::StagedState& state, const sampling::StagedOptions& options) {
  engine::Progress progress;
  progress.phase =
      "state " + std::to_string(std::min(state.state + 1, options.states)) + " of " + std::to_string(options.states);
  progress.step =
      std::min(state.state, options.states) * options.steps + (state.state < options.states ? state.recorded : 0);
  progress.steps = options.states * options.steps;
  progress.numbers = {{"acceptance", state.chains.acceptance()}};
  return progress;
}

/// Configurations of the target state, chain after chain, each in the order of time.
void add_samples(artifacts::Artifact& artifact, const Ground& ground, const Tensor& positions) {
  const std::int64_t steps = positions.size(0);
  const std::int64_t chains = positions.size(1);
  const Tensor by_chain = positions.transpose(0, 1).reshape({chains * steps, positions.size(2)}).contiguous();
  artifact.arrays["displacements"] = tensor::to_array(ground.target->displacements(by_chain), "angstrom");
  artifact.arrays["chain"] = tensor::to_array(at::arange(chains, at::kLong).repeat_interleave(steps));
  add_crystal(artifact, ground);
}

void add_ladder(artifacts::Artifact& artifact, const sampling::StagedState& state, const estimators::MbarResult& mbar) {
  double displacement = 0;
  for (const sampling::StateSummary& summary : state.summaries)
    displacement = std::max(displacement, summary.largest_displacement);
  artifact.results.push_back({"overlap", mbar.least_overlap, {}, "", {}, "smallest overlap of neighbouring states"});
  artifact.results.push_back(
      {"eigenvalue_gap", mbar.eigenvalue_gap, {}, "", {}, "1 - second eigenvalue of the overlap matrix"});
  artifact.results.push_back({"residual", mbar.residual, {}, "", {}, "of the MBAR equations"});
  artifact.results.push_back(
      {"acceptance", state.summaries.back().acceptance, {}, "", {}, "of the chains of the crystal"});
  artifact.results.push_back(
      {"largest_displacement", displacement, {}, "angstrom", {}, "of an atom from its site, in any sample"});
  artifact.arrays["overlap_matrix"] = tensor::to_array(mbar.overlap_matrix);
}

/// <U> per atom with the standard error between chains.
void add_mean_energy(artifacts::Artifact& artifact, const Ground& ground, const sampling::StagedState& state) {
  const Tensor squares = state.target_positions.square().sum(-1).transpose(0, 1);  // [chains, steps]
  const Tensor reduced = state.work[-1] + squares / 2;                             // beta (U - U0)
  const Tensor energy =
      (reduced / ground.base.beta + ground.base.static_energy) / static_cast<double>(ground.particles());
  const Tensor chain_means = energy.mean(1);
  const std::int64_t chains = chain_means.size(0);
  artifacts::Result result{"mean_energy", chain_means.mean().item<double>(), {}, "eV", energy.numel(), "per atom"};
  if (chains > 1) result.sigma = chain_means.std().item<double>() / std::sqrt(static_cast<double>(chains));
  artifact.results.push_back(result);
}

}  // namespace

artifacts::Artifact reference(engine::TaskContext& context) {
  const Ground ground = make_ground(context.input_spec("path.base"), *context.input("path.base"));
  const sampling::StagedOptions options = options_of(context.arguments());

  sampling::StagedState state = sampling::start_staged(*ground.target, options);
  physics::CallCount before;
  if (const auto checkpoint = context.load_checkpoint()) {
    state = state_from(*checkpoint);
    before = calls_of(checkpoint->cost);
  }
  const auto calls = [&] { return before + ground.model->calls(); };
  const auto checkpoint = [&] { return checkpoint_of(state, calls()); };
  sampling::run_staged(*ground.target, options, context.spec().stream_key, state,
                       [&](const sampling::StagedState& now) {
                         context.report(progress_of(now, options));
                         context.step_done(checkpoint);
                       });

  const Listening listening = stop_in_interludes(context, checkpoint);
  const Tensor samples = at::full({options.states}, options.chains * options.steps, at::kLong);
  const estimators::MbarResult mbar =
      estimators::mbar(sampling::reduced_energies(state.work), samples, sampling::chain_of_samples(state.work),
                       context.spec().stream_key);
  const estimators::Estimate difference = mbar.difference(0, options.states - 1);

  artifacts::Artifact artifact;
  add_free_energy(artifact, ground, {-difference.value, difference.sigma}, state.work.numel());
  add_mean_energy(artifact, ground, state);
  add_ladder(artifact, state, mbar);
  add_samples(artifact, ground, state.target_positions);
  artifact.cost = cost_of(calls());
  return artifact;
}

}  // namespace bgw::tasks
