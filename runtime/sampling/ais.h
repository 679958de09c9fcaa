#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/sampling/hmc.h"

namespace bgw::sampling {

/// Annealed importance sampling from a model of the crystal, its Gaussian base or a flow, to the crystal, in coordinates in
/// which the model is N(0, I): "the Gaussian" here, of either. A trajectory begins at an independent draw y of
/// the Gaussian and climbs a ladder of states u_l = |y|^2 / 2 + l D(y): its log weight falls by (l_k - l_{k-1}) D(y) when
/// it enters state k, and in each state between the ends it makes hmc moves. The mean of exp(log weight) over
/// trajectories is Z / Z_Gaussian without bias, whatever the ladder and however far from equilibrium the trajectories are;
/// both decide about the variance only.
///
/// That holds for a ladder that was fixed beforehand. So a pilot of a few trajectories, which are then thrown away, finds
/// it: the next state is the furthest at which the conditional effective fraction of the step is still what is asked for,
/// and the angle of the moves follows the acceptance from state to state. The variance of the pilot's log weights says
/// how much finer the ladder has to be: it falls as one over the number of states. Resampling in the production
/// (sequential Monte Carlo) was set aside: trajectories that share ancestors are not independent, and the error of their
/// mean would have to be found from repeated runs.
/// @source Neal, Statistics and Computing 11, 125 (2001); conditional effective sample size: Zhou, Johansen, Aston,
///         J. Comput. Graph. Stat. 25, 701 (2016)
struct AisOptions {
  std::int64_t trajectories = 100;
  std::int64_t moves = 1;           // in each state between the ends
  std::int64_t states = 0;          // of the ladder with both ends; 0: as many as the pilot finds necessary
  std::int64_t pilot = 64;          // trajectories of the pilot
  double conditional_ess = 0.95;    // of a step of the pilot
  double variance_aim = 1.0;        // of the log weights, where the pilot chooses the number of states
  std::int64_t most_states = 2000;  // a base that needs more is none of this crystal
  HmcOptions hmc;
};

/// States from 0 to 1, with the angle of the moves in each; that of the ends is not used.
struct AisLadder {
  std::vector<double> lambda;
  std::vector<double> angle;  // radians per step
  std::int64_t states() const { return static_cast<std::int64_t>(lambda.size()); }
};

/// All that the annealing is, between two moves.
struct AisState {
  bool producing = false;   // false: the pilot is on its way
  AisLadder ladder;         // of the pilot as far as it is, later that of the production
  double pilot_variance = 0;  // of the pilot's log weights, without those since it was last resampled
  std::int64_t state = 0;   // where the trajectories are on the ladder
  std::int64_t moved = 0;   // moves made in it
  HmcState chains;          // of the portion of trajectories on its way; without positions before it begins
  Tensor log_weight;        // [portion]
  Tensor done_log_weight;   // [trajectories done]
  Tensor done_work;         // [trajectories done], D at the end
  Tensor done_positions;    // [trajectories done, m]
  std::int64_t tried = 0, accepted = 0;  // moves of the trajectories done

  std::int64_t done() const { return done_log_weight.defined() ? done_log_weight.size(0) : 0; }
  double acceptance() const;  // of all moves of the production
};

/// Named arrays for a checkpoint, and back (std::out_of_range when a name is missing).
std::map<std::string, Tensor> to_named_tensors(const AisState& state);
AisState ais_state_from(const std::map<std::string, Tensor>& named);

/// How many trajectories move together: a number of the crystal's size alone, so that the first trajectories of many
/// are those of few.
std::int64_t ais_portion(std::int64_t dimension);

/// Anneals from `state`, first the pilot, to the last trajectory.
/// @param on_move  called after every move, those of the pilot too; what it throws ends the sampling
/// @throws InputError when there are no trajectories, no moves, or one state
/// @throws NumericalError when an energy is not finite, or when the ladder would need more than `most_states`
void run_ais(const physics::LatentTarget& target, const AisOptions& options, const plan::Key& stream_key,
             AisState& state, const std::function<void(const AisState&)>& on_move);

/// The furthest l above `from` at which weights exp(log_weight - (l - from) D) keep the conditional effective fraction,
/// at most 1.
/// @param log_weight [n], of the population before the step
/// @param work       [n], D
double next_lambda(const Tensor& log_weight, const Tensor& work, double from, double conditional_ess);

/// The ladder with another number of states, placed in between as its own states are.
AisLadder refined(const AisLadder& ladder, std::int64_t states);

}  // namespace bgw::sampling
