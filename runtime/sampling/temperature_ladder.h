#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/sampling/basin.h"
#include "runtime/sampling/hmc.h"
#include "runtime/sampling/tempered_target.h"

namespace bgw::sampling {

/// A crystal at several temperatures at once, by hybrid Monte Carlo in the coordinates of one target, each temperature with its
/// own length of moves. After every round of moves the configurations of neighbouring temperatures change places by
/// Metropolis's rule, even and odd pairs in turn, in as many sweeps as there are temperatures: no energy is computed for it. What is frozen at the
/// cold end is thereby free at the hot one and comes back. Every chain is a ladder of its own and knows nothing of the others.
///
/// All configurations count, in whatever well they are: the samples are those of the whole crystal. When more than a quarter of
/// those of a temperature are outside of the basin, there is no crystal to speak of.
/// @source Swendsen and Wang, Phys. Rev. Lett. 57, 2607 (1986); Hukushima and Nemoto, J. Phys. Soc. Jpn. 65, 1604 (1996);
///         even and odd pairs: Syed, Bouchard-Cote, Deligiannidis and Doucet, J. R. Stat. Soc. B 84, 321 (2022); many sweeps:
///         Chodera and Shirts, J. Chem. Phys. 135, 194110 (2011)
struct LadderOptions {
  std::vector<double> scales;      // [K], beta of a rung over that of the target, falling: the coldest first
  std::vector<std::string> names;  // [K], of the temperatures, for messages: "300 K"
  std::int64_t chains = 8;         // whole ladders
  std::int64_t steps = 64;         // recorded rounds; steps/4 come before, in which lengths of moves adapt
  bool exchange = true;
  std::int64_t kept = 0;           // the rung of which configurations are kept
  double least_exchange = 0.02;    // rate of a pair; below it the ladder is no ladder
  HmcOptions hmc;
  std::optional<Basin> basin;
  std::int64_t observables = 0;                                     // numbers that `observe` finds
  std::function<Tensor(const Tensor& displacements)> observe = {};  // [C, N, 3] -> [C, observables], of recorded configurations
};

/// All that the sampling is, between the moves of two rungs.
struct LadderState {
  std::int64_t round = 0;        // finished rounds
  std::int64_t rung = 0;         // that moves next
  std::int64_t recorded = 0;     // rounds
  std::vector<HmcState> chains;  // [K], the configurations on a rung
  Tensor energy;                 // [K, C, S], |y|^2 / 2 + D(y) at the temperature of the target
  Tensor observed;               // [K, C, S, observables]
  Tensor positions;              // [S, C, m], y of the kept rung in its own coordinates
  Tensor walker;                 // int64 [K, C], which of the configurations that began stands on a rung
  Tensor last_end;               // int64 [K, C], of a walker: 0 no end seen, 1 the cold one, 2 the hot one after the cold
  Tensor round_trips;            // int64 [C], from the cold end to the hot one and back
  Tensor exchanges;              // int64 [2, K - 1], tried and done, of recorded rounds
  Tensor outside;                // int64 [K], recorded configurations outside of the basin
  Tensor furthest;               // [K], of an atom from its site, angstrom, in recorded ones
  Tensor lindemann_squares;      // [K], summed over recorded ones

  std::int64_t rungs() const { return energy.size(0); }
  Tensor exchange_rates() const;  // [K - 1]
};

/// @throws InputError for fewer than two rungs, no chains or steps, or scales that do not fall
LadderState start_ladder(const physics::LatentTarget& target, const LadderOptions& options);

std::map<std::string, Tensor> to_named_tensors(const LadderState& state);
LadderState ladder_state_from(const std::map<std::string, Tensor>& named);

/// Samples from `state` to the last round.
/// @param on_move  called after the moves of every rung; what it throws ends the sampling
/// @throws NumericalError when an energy is not finite, when the crystal is gone at a temperature, and when neighbours
///         hardly change places, with the number of temperatures that would do
void run_ladder(const physics::LatentTarget& target, const LadderOptions& options, const plan::Key& stream_key, LadderState& state,
                const std::function<void(const LadderState&)>& on_move);

/// Reduced energies of every sample at every temperature, [K, K C S]: samples rung after rung, chain after chain.
Tensor reduced_energies(const LadderState& state, const LadderOptions& options);
/// The chain of each of the C S samples of a rung, int64.
Tensor chain_of_slices(const LadderState& state);

}  // namespace bgw::sampling
