#pragma once

#include <optional>
#include <vector>

#include "runtime/physics/whitened_target.h"
#include "runtime/sampling/basin.h"
#include "runtime/sampling/hmc.h"

namespace bgw::sampling {

/// A ladder of states u_l = |y|^2 / 2 + l D(y) from the Gaussian base (l = 0) to the crystal (l = 1), sampled one
/// after the other, each by its own chains that start from fresh draws of the Gaussian.
///
/// The Gaussian itself needs no chain: its samples are independent draws. The other states discard steps/4 moves, in
/// which the step angle adapts, and record D after every move thereafter.
///
/// A chain that has left the basin of the crystal is no longer counted: its samples up to there are, later ones are
/// not, also when it comes back. When more than a quarter of the chains of a state have left, there is no crystal to
/// speak of.
struct StagedOptions {
  std::int64_t states = 3;   // l_k = k / (states - 1)
  std::int64_t chains = 16;  // per state
  std::int64_t steps = 64;   // recorded moves per chain and state
  HmcOptions hmc;
  std::optional<Basin> basin;  // of the crystal; without it no chain is said to have left
};

/// Facts about one finished state.
struct StateSummary {
  double lambda = 0;
  double acceptance = 0;
  double angle = 0;                 // radians per step, after adaptation
  double largest_displacement = 0;  // of an atom in a counted configuration, angstrom
  double lindemann = 0;             // rms displacement over nearest-neighbour distance, over counted configurations
};

/// All that the sampling is, between two moves.
struct StagedState {
  std::int64_t state = 0;               // index of the state being sampled; `states` when done
  std::int64_t recorded = 0;            // moves recorded in it
  HmcState chains;                      // of that state; without positions before its first move
  Tensor work;                          // [states, chains, steps], D of the recorded moves, zero beyond
  Tensor counted;                       // int64 [states, chains], recorded moves of a chain before it left the basin
  Tensor target_positions;              // [steps, chains, m], y of the state l = 1
  std::vector<StateSummary> summaries;  // one per state
};

StagedState start_staged(const physics::WhitenedTarget& target, const StagedOptions& options);

/// The state as named arrays for a checkpoint, and back (std::out_of_range when a name is missing).
std::map<std::string, Tensor> to_named_tensors(const StagedState& state);
StagedState staged_state_from(const std::map<std::string, Tensor>& named);

/// Samples from `state` to the end of the ladder.
/// @param on_move  called after every move, discarded ones too; what it throws ends the sampling
/// @throws InputError when states < 2, chains < 1 or steps < 1
/// @throws NumericalError when a recorded D is not finite, naming state and chain, and when more than a quarter of the
///         chains of a state have left the basin, naming the state, the displacement and its limit
void run_staged(const physics::WhitenedTarget& target, const StagedOptions& options, const plan::Key& stream_key,
                StagedState& state, const std::function<void(const StagedState&)>& on_move);

/// True for the samples that count, bool [states, chains, steps].
Tensor counted_samples(const StagedState& state);
/// Chains that left the basin, in all states together.
std::int64_t chains_that_left(const StagedState& state);
/// Reduced energies of every counted sample in every state, up to |y|^2 / 2, which all states share: l_k D_n.
/// @return [states, n], samples in the order of states, chains and time
Tensor reduced_energies(const StagedState& state);
/// How many samples of each state count, int64 [states].
Tensor samples_of_states(const StagedState& state);
/// The chain behind each column of reduced_energies, counted through all states: int64 [n].
Tensor chain_of_samples(const StagedState& state);

}  // namespace bgw::sampling
