#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "runtime/sampling/basin.h"
#include "runtime/sampling/box_moves.h"
#include "runtime/sampling/langevin.h"

namespace bgw::sampling {

/// A run of Langevin dynamics: steps that are discarded, then steps of which every so many leave a frame. At constant
/// pressure, moves of the box alternate with the steps. No step knows how many there will be, so that a run can always
/// be continued.
struct DynamicsOptions {
  LangevinOptions langevin;
  std::int64_t equilibrate = 0;   // steps before the first that counts
  std::int64_t every = 1;         // steps between two frames
  std::optional<BoxOptions> box;  // none: constant volume
  std::int64_t box_every = 10;    // steps between two moves of the box
  std::optional<Basin> basin;     // of the crystal; without it no replica is said to have left
};

/// What is averaged over all steps since the last frame. Energies count from that of the atoms on their sites in the
/// lattice's box, so that their squares lose no digits.
enum class Average { energy, squared_energy, kinetic_temperature, density, enthalpy, squared_enthalpy };
inline constexpr std::int64_t kAverages = 6;

/// What is kept of every replica at one time.
struct Frame {
  Tensor displacements;  // [R, N, 3], angstrom, from the sites before the deformation
  Tensor energy;         // [R], eV
  Tensor pressure;       // [R, 3, 3], (N kT 1 - dU/d epsilon) / V, eV/angstrom^3
  Tensor deformation;    // [R, 3, 3]; undefined at constant volume
  Tensor averages;       // [R, kAverages], over the steps since the last frame; eV, angstrom
};

/// All that a run is, between two steps.
struct DynamicsState {
  LangevinState atoms;
  BoxState box;               // without coordinates at constant volume
  Tensor sums;                // [R, kAverages], since the last frame
  std::vector<Frame> frames;  // so far
  Tensor counted;             // int64 [R], frames of a replica before it left the basin
  Tensor squared_ratios;      // [R], sum over counted frames of the squared Lindemann ratio
};

/// Named arrays for a checkpoint, and back (std::out_of_range when a name is missing).
std::map<std::string, Tensor> to_named_tensors(const DynamicsState& state);
DynamicsState dynamics_state_from(const std::map<std::string, Tensor>& named);

/// Runs replicas of a crystal side by side. Holds a reference to the model.
class MolecularDynamics {
 public:
  /// @param volume  of the lattice's box, angstrom^3
  /// @throws InputError for options that no dynamics can have
  MolecularDynamics(const physics::EnergyModel& model, double volume, const DynamicsOptions& options,
                    const plan::Key& stream_key);

  /// @param displacements [R, N, 3]
  /// @param coordinates   [R, d] of the boxes; undefined: the box of least enthalpy, or none at constant volume
  DynamicsState start(const Tensor& displacements, const Tensor& coordinates = {}) const;
  /// One step of every replica, with what goes with it: a move of the box, a frame.
  /// @throws NumericalError when an energy is not finite, a box falls apart, or more than a quarter of the replicas
  ///         have left the basin
  void step(DynamicsState& state) const;

  /// Of the atoms on their sites in the box of the lattice, eV.
  double static_energy() const { return static_energy_; }

 private:
  void move_box(DynamicsState& state) const;
  void accumulate(DynamicsState& state) const;
  void record(DynamicsState& state) const;
  void count(DynamicsState& state) const;
  Tensor deformation(const DynamicsState& state) const;  // [R, 3, 3]
  Tensor volumes(const DynamicsState& state) const;      // [R]

  const physics::EnergyModel& model_;
  double volume_;
  double static_energy_;
  DynamicsOptions options_;
  std::unique_ptr<BoxedForceField> boxed_;  // one of the two
  std::unique_ptr<CrystalForceField> fixed_;
  std::unique_ptr<Langevin> langevin_;
  std::unique_ptr<BoxMoves> moves_;
};

/// rms displacement over nearest-neighbour distance, over the counted frames of all replicas; 0 without a basin.
double lindemann(const DynamicsState& state);
/// Columns of one average over all frames, [R, frames].
Tensor series_of(const std::vector<Frame>& frames, Average average);

}  // namespace bgw::sampling
