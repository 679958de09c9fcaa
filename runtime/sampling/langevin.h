#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "compiler/plan/plan.h"
#include "runtime/sampling/force_field.h"

namespace bgw::sampling {

/// Langevin dynamics at one temperature, m u'' = -dU/du - m friction u' + noise, with the centre of mass at rest: the
/// mean of the forces and that of the random forces are taken off, so that the motion has 3N - 3 degrees of freedom and
/// keeps its mean displacement.
///
/// A step is BAOAB: half a kick, half a drift, friction and noise for the whole step, half a drift, half a kick with
/// the new forces. Of the usual splittings it errs least in the positions: a harmonic crystal has its exact variances
/// at any stable step, an anharmonic one misses them by the square of the step. The velocities at the end of a step
/// have m kT (1 - (w dt)^2 / 4) in a mode w, those between the kick and the noise exactly m kT, which is why the
/// temperature is taken from the latter.
/// @source Leimkuhler and Matthews, J. Chem. Phys. 138, 174102 (2013); zero net random force as in LAMMPS, fix langevin
struct LangevinOptions {
  double kt = 0;        // eV
  double mass = 0;      // of an atom, eV fs^2/angstrom^2
  double timestep = 0;  // fs
  double friction = 0;  // 1/fs
};

/// Independent replicas between two steps. Continuing from it gives, bit by bit, what an uninterrupted run gives.
struct LangevinState {
  Tensor displacements;   // [R, N, 3], angstrom
  Tensor velocities;      // [R, N, 3], angstrom/fs
  Tensor energy;          // [R], eV, there
  Tensor gradient;        // [R, N, 3], there
  Tensor coupling;        // [R], dU_l/dl there, eV
  Tensor kinetic;         // [R], eV: of the velocities between kick and noise of the last step
  std::int64_t step = 0;  // steps made; numbers the randoms
};

/// Named arrays for a checkpoint, and back (std::out_of_range when a name is missing).
std::map<std::string, Tensor> to_named_tensors(const LangevinState& state);
LangevinState langevin_state_from(const std::map<std::string, Tensor>& named);

/// Dynamics of replicas, all moved together. Holds a reference to the force field.
class Langevin {
 public:
  /// @param purpose  sets these replicas apart from others in the random streams
  /// @throws InputError when an option is not a positive number
  Langevin(const ForceField& forces, const LangevinOptions& options, const plan::Key& stream_key,
           const std::string& purpose);

  /// @param displacements [R, N, 3], where the replicas begin; velocities are drawn
  /// @throws NumericalError when an energy there is not finite
  LangevinState start(const Tensor& displacements) const;
  /// One step of every replica.
  /// @throws NumericalError when an energy is not finite, naming replica and step
  void step(LangevinState& state) const;
  /// kB T of the motion of each replica, eV, [R].
  Tensor kinetic_temperature(const LangevinState& state) const;

 private:
  void kick_drift_noise_drift(LangevinState& state) const;
  void kick(LangevinState& state) const;
  void evaluate(LangevinState& state) const;

  const ForceField& forces_;
  LangevinOptions options_;
  plan::Key stream_key_;
  std::string purpose_;
};

}  // namespace bgw::sampling
