#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/physics/whitened_target.h"
#include "runtime/sampling/basin.h"
#include "runtime/sampling/hmc.h"

namespace bgw::sampling {

/// One crystal at several states, each with its Gaussian, and which of them are neighbours.
struct MappedCrystals {
  struct Pair {
    std::int64_t from = 0, to = 0;
  };
  std::vector<const physics::WhitenedTarget*> targets;  // [K]
  std::vector<Basin> basins;                            // [K]
  std::vector<std::string> names;                       // [K], for messages: "temperature = 600 K"
  std::vector<Pair> pairs;                              // [E]
  std::int64_t states() const { return static_cast<std::int64_t>(targets.size()); }
};

/// Chains at every state, one state after the other, that begin at its Gaussian. Each recorded configuration is carried to the
/// neighbours by the map of their Gaussians (physics/mapped_modes.h), and its energy there is found. The first steps/4 moves are
/// discarded, in which the step angle adapts. A chain that has left the basin is no longer counted, as in staged_reference.h, and a
/// configuration that is carried out of the basin has no density there.
struct MappedOptions {
  std::int64_t chains = 16;  // of a state
  std::int64_t steps = 64;   // recorded moves of a chain
  HmcOptions hmc;
  std::int64_t observables = 0;                                                         // numbers that `observe` finds
  std::function<Tensor(std::int64_t state, const Tensor& displacements)> observe = {};  // [C, N, 3] -> [C, observables], of recorded ones
};

/// All that the sampling is, between two moves.
struct MappedState {
  std::int64_t state = 0;     // being sampled; K when done
  std::int64_t recorded = 0;  // moves recorded in it
  HmcState chains;            // of that state; without positions before its first move
  Tensor work;                // [K, C, S], D of recorded configurations
  Tensor energy;              // [K, C, S], |y|^2 / 2 + D: beta (U - U0)
  Tensor observed;            // [K, C, S, observables]
  Tensor forward;             // [E, C, S], D in `to` of configurations of `from`; infinite outside of the basin
  Tensor reverse;             // [E, C, S], the other way
  Tensor counted;             // int64 [K, C], recorded moves of a chain before it left
  Tensor acceptance;          // [K], of recorded moves
  Tensor angle;               // [K]
  Tensor furthest;            // [K], of an atom from its site in a counted configuration, angstrom
  Tensor lindemann_squares;   // [K], summed over counted configurations
};

/// @throws InputError for fewer than one chain or step
MappedState start_mapped(const MappedCrystals& crystals, const MappedOptions& options);

std::map<std::string, Tensor> to_named_tensors(const MappedState& state);
MappedState mapped_state_from(const std::map<std::string, Tensor>& named);

/// Samples from `state` to the last move of the last state.
/// @param on_move  called after every move, discarded ones too; what it throws ends the sampling
/// @throws NumericalError when a recorded D is not finite, when a carried configuration inside the basin has a D that is not a number or
///         minus infinity, and when more than a quarter of the chains of a state have left the basin
void run_mapped(const MappedCrystals& crystals, const MappedOptions& options, const plan::Key& stream_key, MappedState& state,
                const std::function<void(const MappedState&)>& on_move);

/// Which samples of a state count, bool [C, S].
Tensor counted_samples(const MappedState& state, std::int64_t of);
/// The chain of each of those, int64 [n].
Tensor chain_of_samples(const MappedState& state, std::int64_t of);

}  // namespace bgw::sampling
