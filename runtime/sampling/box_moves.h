#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "compiler/plan/plan.h"
#include "runtime/sampling/box.h"
#include "runtime/sampling/force_field.h"

namespace bgw::sampling {

/// Metropolis moves of the box at constant pressure, with the displacements u held: one coordinate of the box at a
/// time, in turn, by a normal step. An affine deformation is nearly what the crystal itself does when its volume
/// changes, so that moves of the size of the box's fluctuations are accepted. Set aside: moves along the strain
/// gradient, which for one to six coordinates spare little and cost a gradient each.
struct BoxOptions {
  BoxShape shape = BoxShape::isotropic;
  double pressure = 0;           // eV/angstrom^3
  double volume = 0;             // of the box before the deformation, angstrom^3
  double kt = 0;                 // eV
  double first_size = 0.003;     // of a step, before adaptation
  double acceptance_aim = 0.44;  // of the adaptation: the best for one coordinate
};

/// Boxes of independent replicas between two moves.
struct BoxState {
  Tensor coordinates;            // [R, d]
  Tensor sizes;                  // [d], of a step
  std::int64_t move = 0;         // moves made; numbers the randoms
  std::int64_t adaptations = 0;  // moves that adapted a size
  std::int64_t tried = 0;        // moves of a replica since the adaptation ended
  std::int64_t accepted = 0;     // those of them that were accepted

  double acceptance() const;  // 0 before the first move
};

/// Named arrays for a checkpoint, and back (std::out_of_range when a name is missing).
std::map<std::string, Tensor> to_named_tensors(const BoxState& state);
BoxState box_state_from(const std::map<std::string, Tensor>& named);

/// Moves the boxes of all replicas together. Holds a reference to the model.
class BoxMoves {
 public:
  BoxMoves(const physics::EnergyModel& model, const BoxOptions& options, const plan::Key& stream_key,
           const std::string& purpose);

  /// @param coordinates [R, d], where the boxes begin
  BoxState start(const Tensor& coordinates) const;
  /// One move of every replica's box.
  /// @param displacements [R, N, 3], which stay
  /// @param energy        [R], eV, in the boxes before the move; after it, in those of the state
  /// @param adapt         changes the size toward the acceptance aimed at, only for moves that are discarded
  /// @throws NumericalError when a box outgrows a factor of four in the volume: no crystal is left
  void move(BoxState& state, const Tensor& displacements, Tensor& energy, bool adapt) const;

 private:
  /// ln of the weight of (u, q), [R].
  Tensor log_weight(const Tensor& coordinates, const Tensor& energy) const;

  const physics::EnergyModel& model_;
  BoxOptions options_;
  plan::Key stream_key_;
  std::string purpose_;
};

/// A crystal in boxes that move, as a force field for its displacements at the boxes of now. Displacements carry the
/// mass, as in the dynamics of Parrinello and Rahman: where atoms are on average does not depend on that. Holds
/// a reference to the model.
class BoxedForceField final : public ForceField {
 public:
  explicit BoxedForceField(const physics::EnergyModel& model) : model_(model) {}
  /// @param deformation [R, 3, 3], of the replicas that are evaluated from now on
  void set_deformation(const Tensor& deformation) { deformation_ = deformation; }
  std::int64_t particles() const override { return model_.particles(); }
  ForceFieldValue evaluate(const Tensor& displacements) const override;

 private:
  const physics::EnergyModel& model_;
  Tensor deformation_;
};

}  // namespace bgw::sampling
