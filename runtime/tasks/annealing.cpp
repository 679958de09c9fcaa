#include "runtime/tasks/annealing.h"

#include <fmt/format.h>

#include <cmath>

#include "runtime/estimators/lfep.h"
#include "runtime/foundation/errors.h"
#include "runtime/sampling/ais.h"
#include "runtime/sampling/basin.h"
#include "runtime/tasks/checkpoint_arrays.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/pace.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

sampling::AisOptions options_of(const schema::Value& arguments) {
  const schema::Value& states = arguments.at("path").at("states");
  sampling::AisOptions options;
  options.states = states.is_number() ? states.as_int() : 0;  // the word auto
  options.trajectories = arguments.at("sampler").at("chains").as_int();
  options.moves = arguments.at("sampler").at("steps").as_int();
  return options;
}

artifacts::Artifact checkpoint_of(const sampling::AisState& state, const physics::CallCount& calls) {
  return checkpoint_from(sampling::to_named_tensors(state), calls);
}

sampling::AisState state_from(const artifacts::Artifact& checkpoint) {
  return sampling::ais_state_from(named_tensors_of(checkpoint));
}

engine::Progress progress_of(const sampling::AisState& state, const sampling::AisOptions& options) {
  engine::Progress progress;
  if (!state.producing) {
    const double lambda = state.ladder.lambda.empty() ? 0.0 : state.ladder.lambda.back();
    return {"pilot", state.ladder.states(), 0, {{"lambda", lambda}}};
  }
  const std::int64_t under_way = state.log_weight.defined() && state.chains.positions.defined() ? state.log_weight.size(0) : 0;
  const std::int64_t rungs = state.ladder.states() - 1;
  progress.phase = "annealing";
  progress.step = state.done() * rungs + under_way * state.state;
  progress.steps = options.trajectories * rungs;
  progress.numbers = {{"acceptance", state.acceptance()}};
  return progress;
}

void add_ladder(artifacts::Artifact& artifact, const sampling::AisState& state) {
  artifact.results.push_back({"states", static_cast<double>(state.ladder.states()), {}, "", {}, "of the ladder, with both ends"});
  artifact.results.push_back({"acceptance", state.acceptance(), {}, "", {}, "of the moves of the trajectories"});
  artifact.arrays["lambda"] = {{state.ladder.states()}, state.ladder.lambda, {}, ""};
  artifact.arrays["angle"] = {{state.ladder.states()}, state.ladder.angle, {}, ""};
}

/// The trajectories that ended in the basin of the crystal; the others weigh nothing.
struct Ends {
  Tensor displacements;  // [k, N, 3]
  Tensor log_weight;     // [k]
  Tensor energy;         // [k], eV
  std::int64_t trajectories = 0;  // those that left the basin, too
  double largest_displacement = 0;

  std::int64_t left() const { return trajectories - log_weight.size(0); }
  /// ln of what the mean over all trajectories is of that over those kept.
  double log_share() const {
    return std::log(static_cast<double>(log_weight.size(0)) / static_cast<double>(trajectories));
  }
};

[[noreturn]] void refuse_melt(const sampling::Basin& basin, const sampling::Excursion& excursion, std::int64_t left) {
  const std::int64_t worst = excursion.furthest.argmax().item<std::int64_t>();
  throw NumericalError(fmt::format(
      "the crystal melts or leaves its structure: {} of {} annealed trajectories end outside of its basin; in trajectory {} an "
      "atom is {:.4g} angstrom from its site, the limit is {:.4g} (half the distance of nearest neighbours), the Lindemann "
      "ratio is {:.3g}, the limit {:.2g}; take a lower temperature or a higher density",
      left, excursion.furthest.size(0), worst, excursion.furthest[worst].item<double>(), basin.furthest_limit(),
      excursion.lindemann[worst].item<double>(), sampling::Basin::lindemann_limit()));
}

Ends ends_of(const Ground& ground, const sampling::AisState& state) {
  const sampling::Basin basin(ground.base.sites, ground.base.cell);
  const Tensor displacements = ground.target->displacements(state.done_positions);
  const sampling::Excursion excursion = basin.excursion(displacements);
  const Tensor kept = basin.holds(excursion).nonzero().view({-1});
  const std::int64_t all = displacements.size(0), left = all - kept.numel();
  if (4 * left > all) refuse_melt(basin, excursion, left);
  const Tensor reduced = state.done_work + 0.5 * state.done_positions.square().sum(1);  // beta (U - U0)
  const Tensor energy = reduced / ground.base.beta + ground.base.static_energy;
  return {displacements.index_select(0, kept), state.done_log_weight.index_select(0, kept), energy.index_select(0, kept), all,
          excursion.furthest.index_select(0, kept).max().item<double>()};
}

void add_ends(artifacts::Artifact& artifact, const Ground& ground, const Ends& ends, const plan::Key& stream_key) {
  artifact.arrays["displacements"] = tensor::to_array(ends.displacements, "angstrom");
  artifact.arrays["energy"] = tensor::to_array(ends.energy, "eV");
  artifact.arrays["log_weight"] = tensor::to_array(ends.log_weight, "kT");
  add_crystal(artifact, ground);
  artifact.results.push_back({"largest_displacement", ends.largest_displacement, {}, "angstrom", {}, "of an atom from its site, at the end of a trajectory"});
  artifact.results.push_back({"left_basin", static_cast<double>(ends.left()), {}, "", ends.trajectories, "trajectories that ended outside of the basin of the crystal and weigh nothing"});
  add_mean_energy(artifact, ends.energy, estimators::normalised_weights(ends.log_weight), Tensor(), ground, stream_key);
}

artifacts::Artifact result_of(const Ground& ground, const sampling::AisState& state, const plan::Key& stream_key) {
  const Ends ends = ends_of(ground, state);
  const tensor::RandomStream stream(stream_key, "bootstrap");
  const estimators::Estimate f = estimators::lfep(ends.log_weight, stream);
  const estimators::Estimate cumulant = estimators::second_cumulant(ends.log_weight, stream);
  artifacts::Artifact artifact;
  add_free_energy(artifact, ground, {ends.log_share() - f.value, f.sigma}, ends.trajectories);
  artifact.results.push_back({"cumulant", ground.free_energy(ends.log_share() - cumulant.value),
                              error_per_particle(cumulant.sigma, ground), "kT", ends.trajectories, kConvention});
  add_weights(artifact, ends.log_weight, stream_key);
  add_ladder(artifact, state);
  add_ends(artifact, ground, ends, stream_key);
  return artifact;
}

}  // namespace

artifacts::Artifact annealing(engine::TaskContext& context, const Ground& ground) {
  const sampling::AisOptions options = options_of(context.arguments());
  sampling::AisState state;
  physics::CallCount before;
  if (const auto checkpoint = context.load_checkpoint()) {
    state = state_from(*checkpoint);
    before = calls_of(checkpoint->cost);
  }
  const auto calls = [&] { return before + ground.model->calls(); };
  const auto checkpoint = [&] { return checkpoint_of(state, calls()); };
  sampling::run_ais(*ground.target, options, context.spec().stream_key, state, [&](const sampling::AisState& now) {
    context.report(progress_of(now, options));
    context.step_done(checkpoint);
  });

  const Listening listening = stop_in_interludes(context, checkpoint);
  artifacts::Artifact artifact = result_of(ground, state, context.spec().stream_key);
  artifact.cost = cost_of(calls());
  return artifact;
}

}  // namespace bgw::tasks
