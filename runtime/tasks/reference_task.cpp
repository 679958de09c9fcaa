#include "runtime/estimators/mbar.h"
#include "runtime/estimators/statistical_inefficiency.h"
#include "runtime/foundation/errors.h"
#include "runtime/sampling/staged_reference.h"
#include "runtime/tasks/annealing.h"
#include "runtime/tasks/checkpoint_arrays.h"
#include "runtime/tasks/einstein_dynamics.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/mapped_states.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tasks/temperature_ladder.h"
#include "runtime/tasks/thermodynamic_state.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

constexpr const char* kLindemannWords = "rms displacement from the sites over the distance of nearest neighbours";
constexpr const char* kLeftBasinWords = "chains that left the basin of the crystal, not counted from there on";

sampling::StagedOptions options_of(const schema::Value& arguments) {
  sampling::StagedOptions options;
  options.states = arguments.at("path").at("states").as_int();
  options.chains = arguments.at("sampler").at("chains").as_int();
  options.steps = arguments.at("sampler").at("steps").as_int();
  return options;
}

artifacts::Artifact checkpoint_of(const sampling::StagedState& state, const physics::CallCount& calls) {
  return checkpoint_from(sampling::to_named_tensors(state), calls);
}

sampling::StagedState state_from(const artifacts::Artifact& checkpoint) {
  return sampling::staged_state_from(named_tensors_of(checkpoint));
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

/// Places of the counted configurations of the target state among all, chain after chain, each in the order of time.
Tensor counted_places(const sampling::StagedState& state) {
  return sampling::counted_samples(state)[-1].reshape({-1}).nonzero().view({-1});
}

/// Potential energies of those, eV: their work is beta (U - U0) less the energy of the Gaussian.
Tensor counted_energies(const Ground& ground, const sampling::StagedState& state) {
  const Tensor squares = state.target_positions.square().sum(-1).transpose(0, 1);  // [chains, steps]
  const Tensor reduced = (state.work[-1] + squares / 2).reshape({-1});             // beta (U - U0)
  return reduced.index_select(0, counted_places(state)) / ground.base.beta + ground.base.static_energy;
}

/// Displacements of those, [n, N, 3].
Tensor counted_displacements(const Ground& ground, const sampling::StagedState& state) {
  const Tensor by_chain = state.target_positions.transpose(0, 1).reshape({-1, state.target_positions.size(2)});
  return ground.target->displacements(by_chain.index_select(0, counted_places(state)));
}

void add_samples(artifacts::Artifact& artifact, const Ground& ground, const sampling::StagedState& state) {
  const Tensor counted = counted_places(state);
  const std::int64_t steps = state.target_positions.size(0);
  artifact.arrays["displacements"] = tensor::to_array(counted_displacements(ground, state), "angstrom");
  artifact.arrays["energy"] = tensor::to_array(counted_energies(ground, state), "eV");
  artifact.arrays["chain"] = tensor::to_array(counted.floor_divide(steps));
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
  const sampling::StateSummary& target = state.summaries.back();
  artifact.results.push_back({"acceptance", target.acceptance, {}, "", {}, "of the chains of the crystal"});
  artifact.results.push_back({"angle", target.angle, {}, "", {}, "radians of a step of the chains of the crystal"});
  artifact.results.push_back(
      {"largest_displacement", displacement, {}, "angstrom", {}, "of an atom from its site, in any sample"});
  artifact.results.push_back({"lindemann", target.lindemann, {}, "", {}, kLindemannWords});
  artifact.results.push_back(
      {"left_basin", static_cast<double>(sampling::chains_that_left(state)), {}, "", state.counted.numel(), kLeftBasinWords});
  artifact.arrays["overlap_matrix"] = tensor::to_array(mbar.overlap_matrix);
}

/// How many moves of the crystal's chains make one independent sample of the work, from the chains that stayed.
void add_inefficiency(artifacts::Artifact& artifact, const sampling::StagedState& state) {
  const Tensor stayed = (state.counted[-1] == state.work.size(2)).nonzero().view({-1});
  if (stayed.numel() == 0 || state.work.size(2) < 2) return;
  const double moves = estimators::statistical_inefficiency(state.work[-1].index_select(0, stayed));
  artifact.results.push_back({"inefficiency", moves, {}, "", {}, "moves of a chain for one independent sample of the work"});
}

/// <U> per atom over counted samples, with the standard error over blocks of the chains.
void add_mean_energy(artifacts::Artifact& artifact, const Ground& ground, const sampling::StagedState& state,
                     const plan::Key& stream_key) {
  const Tensor chain = counted_places(state).floor_divide(state.work.size(2));
  add_mean_energy(artifact, counted_energies(ground, state), Tensor(), chain, ground, stream_key);
}

/// Where the path of the reference begins.
Ground ground_of_path(engine::TaskContext& context) {
  const schema::Value& path = context.arguments().at("path");
  const std::string& name = path.at("call").as_string();
  if (name == "base_to_target") return make_ground(context.input_spec("path.base"), *context.input("path.base"));
  if (name == "einstein_crystal") {
    return make_einstein_ground(context.arguments().at("system"), context.arguments().at("ensemble"),
                                path.at("spring").as_double());
  }
  throw InputError("no path '" + name + "'; this version has base_to_target, einstein_crystal, mapped_states, replica_exchange and temperature_ladder");
}

artifacts::Artifact staged(engine::TaskContext& context, const Ground& ground) {
  sampling::StagedOptions options = options_of(context.arguments());
  options.basin.emplace(ground.base.sites, ground.base.cell);

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
  const bool stress = context.arguments().bool_or("stress", false);
  estimators::MbarOptions mbar_options;
  if (stress) {
    mbar_options.observables =
        state_observables(context, ground, counted_displacements(ground, state), counted_energies(ground, state));
  }
  const estimators::MbarResult mbar =
      estimators::mbar(sampling::reduced_energies(state), sampling::samples_of_states(state),
                       sampling::chain_of_samples(state), context.spec().stream_key, mbar_options);
  const estimators::Estimate difference = mbar.difference(0, options.states - 1);

  artifacts::Artifact artifact;
  add_free_energy(artifact, ground, {-difference.value, difference.sigma}, state.counted.sum().item<std::int64_t>());
  add_mean_energy(artifact, ground, state, context.spec().stream_key);
  if (stress) add_thermodynamic_state(artifact, ground, mbar, counted_places(state).numel());
  add_ladder(artifact, state, mbar);
  add_inefficiency(artifact, state);
  add_samples(artifact, ground, state);
  artifact.cost = cost_of(calls());
  return artifact;
}

}  // namespace

artifacts::Artifact reference(engine::TaskContext& context) {
  const std::string& method = context.arguments().at("method").as_string();
  const bool dynamics = context.arguments().at("sampler").at("call").as_string() == "langevin";
  if (is_temperature_ladder(context.arguments().at("path"))) return temperature_ladder(context);
  if (context.arguments().at("path").at("call").as_string() == "mapped_states") return mapped_states(context);
  const Ground ground = ground_of_path(context);
  if (method == "mbar") return dynamics ? einstein_dynamics(context, ground) : staged(context, ground);
  if (method == "ais") return annealing(context, ground);
  throw InputError("no reference by '" + method + "'; this version has mbar and ais");
}

}  // namespace bgw::tasks
