#include "runtime/tasks/annealing.h"

#include <fmt/format.h>

#include <cmath>

#include "runtime/estimators/lfep.h"
#include "runtime/flows/generator_target.h"
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

sampling::AisOptions options_of(const schema::Value& states, const schema::Value& trajectories, const schema::Value& moves) {
  sampling::AisOptions options;
  options.states = states.is_number() ? states.as_int() : 0;  // the word auto
  options.trajectories = trajectories.as_int();
  options.moves = moves.as_int();
  return options;
}

constexpr std::int64_t kBootstrap = 200;

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

Ends ends_of(const Ground& ground, const physics::LatentTarget& target, const sampling::AisState& state) {
  const sampling::Basin basin(ground.base.sites, ground.base.cell);
  const physics::Configurations found = target.configurations(state.done_positions, state.done_work);
  const sampling::Excursion excursion = basin.excursion(found.displacements);
  const Tensor kept = basin.holds(excursion).nonzero().view({-1});
  const std::int64_t all = state.done(), left = all - kept.numel();
  if (4 * left > all) refuse_melt(basin, excursion, left);
  return {found.displacements.index_select(0, kept), state.done_log_weight.index_select(0, kept),
          found.energy.index_select(0, kept), all, excursion.furthest.index_select(0, kept).max().item<double>()};
}

void add_configurations(artifacts::Artifact& artifact, const Ground& ground, const Ends& ends) {
  artifact.arrays["displacements"] = tensor::to_array(ends.displacements, "angstrom");
  artifact.arrays["energy"] = tensor::to_array(ends.energy, "eV");
  add_crystal(artifact, ground);
}

void add_ends(artifacts::Artifact& artifact, const Ground& ground, const Ends& ends, const plan::Key& stream_key) {
  artifact.arrays["log_weight"] = tensor::to_array(ends.log_weight, "kT");
  artifact.results.push_back({"largest_displacement", ends.largest_displacement, {}, "angstrom", {}, "of an atom from its site, at the end of a trajectory"});
  artifact.results.push_back({"left_basin", static_cast<double>(ends.left()), {}, "", ends.trajectories, "trajectories that ended outside of the basin of the crystal and weigh nothing"});
  add_mean_energy(artifact, ends.energy, estimators::normalised_weights(ends.log_weight), Tensor(), ground, stream_key);
}

/// Free energies of the weights, what the weights are, the ladder and what is known of the ends.
artifacts::Artifact free_energies_of(const Ground& ground, const sampling::AisState& state, const Ends& ends,
                                     const plan::Key& stream_key, std::int64_t bootstrap) {
  const tensor::RandomStream stream(stream_key, "bootstrap");
  const estimators::Estimate f = estimators::lfep(ends.log_weight, stream, bootstrap);
  const estimators::Estimate cumulant = estimators::second_cumulant(ends.log_weight, stream, bootstrap);
  artifacts::Artifact artifact;
  add_free_energy(artifact, ground, {ends.log_share() - f.value, f.sigma}, ends.trajectories);
  artifact.results.push_back({"cumulant", ground.free_energy(ends.log_share() - cumulant.value),
                              error_per_particle(cumulant.sigma, ground), "kT", ends.trajectories, kConvention});
  add_weights(artifact, ends.log_weight, stream_key, bootstrap);
  add_ladder(artifact, state);
  add_ends(artifact, ground, ends, stream_key);
  return artifact;
}

/// A run from the last checkpoint to the last trajectory, and what is made of it.
class Annealing {
 public:
  Annealing(engine::TaskContext& context, const Ground& ground, const physics::LatentTarget& target,
            const sampling::AisOptions& options, const flows::Generator* flow = nullptr)
      : context_(context), ground_(ground), target_(target), options_(options), flow_(flow) {}

  /// @param result  of the state and its ends
  template <typename Result>
  artifacts::Artifact run(const Result& result) {
    if (const auto checkpoint = context_.load_checkpoint()) {
      state_ = state_from(*checkpoint);
      before_ = calls_of(checkpoint->cost);
    }
    const auto checkpoint = [this] { return checkpoint_of(state_, calls()); };
    const Listening listening = stop_in_interludes(context_, checkpoint);
    sampling::run_ais(target_, options_, context_.spec().stream_key, state_, [&](const sampling::AisState& now) {
      context_.report(progress_of(now, options_));
      context_.step_done(checkpoint);
    });
    artifacts::Artifact artifact = result(state_, ends_of(ground_, target_, state_));
    artifact.cost = cost_of(calls());
    return artifact;
  }

 private:
  physics::CallCount calls() const {
    const physics::CallCount own = before_ + ground_.model->calls();
    return flow_ == nullptr ? own : own + flow_->other_calls();
  }

  engine::TaskContext& context_;
  const Ground& ground_;
  const physics::LatentTarget& target_;
  sampling::AisOptions options_;
  const flows::Generator* flow_;  // behind the target, or null
  sampling::AisState state_;
  physics::CallCount before_;
};

}  // namespace

artifacts::Artifact annealing(engine::TaskContext& context, const Ground& ground) {
  const schema::Value &path = context.arguments().at("path"), &sampler = context.arguments().at("sampler");
  const plan::Key& stream_key = context.spec().stream_key;
  Annealing annealing(context, ground, *ground.target, options_of(path.at("states"), sampler.at("chains"), sampler.at("steps")));
  return annealing.run([&](const sampling::AisState& state, const Ends& ends) {
    artifacts::Artifact artifact = free_energies_of(ground, state, ends, stream_key, kBootstrap);
    add_configurations(artifact, ground, ends);
    return artifact;
  });
}

artifacts::Artifact annealing_from(engine::TaskContext& context, const Model& model) {
  const schema::Value& arguments = context.arguments();
  const flows::GeneratorTarget target(model.flow(), model.parameters());
  Annealing annealing(context, model.ground(), target,
                      options_of(arguments.at("states"), arguments.at("count"), arguments.at("moves")), &model.flow());
  return annealing.run([&](const sampling::AisState& state, const Ends& ends) {
    return free_energies_of(model.ground(), state, ends, context.spec().stream_key, arguments.at("bootstrap").as_int());
  });
}

}  // namespace bgw::tasks
