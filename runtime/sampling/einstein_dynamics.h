#pragma once

#include <functional>
#include <map>
#include <string>

#include "runtime/sampling/basin.h"
#include "runtime/sampling/langevin.h"

namespace bgw::sampling {

/// Langevin dynamics of all states between an Einstein crystal and the crystal, one trajectory a state, side by side: the
/// protocol of the papers. U_l = (1 - l) (spring / 2) sum_i |u_i|^2 + l U at evenly spaced l. What a sample of any state
/// would cost in another is known from its coupling d = U - U_E alone. The mixing is linear: atoms that are tied to their sites
/// do not meet, so a soft core for Lennard-Jones has nothing to do.
struct EinsteinDynamicsOptions {
  std::int64_t states = 2;       // l_k = k / (states - 1)
  double spring = 0;             // eV/angstrom^2
  std::int64_t equilibrate = 0;  // steps before anything is recorded
  std::int64_t produce = 0;      // steps thereafter
  std::int64_t every = 1;        // steps between two records
  LangevinOptions langevin;

  std::int64_t records() const { return produce / every; }
};

/// All there is between two steps.
struct EinsteinDynamicsState {
  LangevinState chains;    // [states] replicas; without displacements before the first step
  Tensor coupling;         // [states, records], eV, zero beyond those made
  Tensor displacements;    // [records, N, 3] of the state l = 1
  std::int64_t recorded = 0;
  double largest_displacement = 0;  // of an atom in a record of the crystal, angstrom
};

EinsteinDynamicsState start_einstein_dynamics(const physics::EnergyModel& model, const EinsteinDynamicsOptions& options);

/// Named arrays for a checkpoint, and back (std::out_of_range when a name is missing).
std::map<std::string, Tensor> to_named_tensors(const EinsteinDynamicsState& state);
EinsteinDynamicsState einstein_dynamics_state_from(const std::map<std::string, Tensor>& named);

/// Runs from `state` to the last record.
/// @param on_step  called after every step; what it throws ends the dynamics
/// @throws InputError when there are fewer than two states or nothing is recorded
/// @throws NumericalError when an energy is not finite, or when a state leaves the basin of the crystal
void run_einstein_dynamics(const physics::EnergyModel& model, const EinsteinDynamicsOptions& options, const Basin& basin,
                           const plan::Key& stream_key, EinsteinDynamicsState& state,
                           const std::function<void(const EinsteinDynamicsState&)>& on_step);

}  // namespace bgw::sampling
