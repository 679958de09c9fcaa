#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "compiler/plan/plan.h"
#include "runtime/sampling/box.h"
#include "runtime/sampling/force_field.h"

namespace bgw::sampling {

/// Moves of the box at constant pressure, with the displacements u held: all of its coordinates q at once, toward where
/// the slope of phi = beta (U + P V) - ln measure and the stiffness M of the crystal at rest say that phi is least,
///     q' = q - (1 - r) M^-1 grad phi + (1 - r^2)^(1/2) M^(-1/2) normal numbers,
/// accepted by Metropolis and Hastings. Where phi is M's parabola a move is accepted always, and with r = 0 forgets
/// where it began; a thermal crystal is near to that. r grows in the moves that are discarded when too few are
/// accepted. A move costs one gradient.
/// @source Besag, J. R. Stat. Soc. B 56, 591 (1994), with a metric; Neal, Handbook of Markov Chain Monte Carlo (2011),
/// ch. 5
struct BoxOptions {
  BoxShape shape = BoxShape::isotropic;
  double pressure = 0;          // eV/angstrom^3
  double volume = 0;            // of the box before the deformation, angstrom^3
  double kt = 0;                // eV
  double acceptance_aim = 0.7;  // of the adaptation
};

/// Boxes of independent replicas between two moves.
struct BoxState {
  Tensor coordinates;            // [R, d]
  Tensor stiffness;              // [d, d], M, positive
  double renewal = 1;            // 1 - r^2, in (0, 1]
  std::int64_t move = 0;         // moves made; numbers the randoms
  std::int64_t adaptations = 0;  // moves that adapted the renewal
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
  /// @param stiffness   [d, d], second derivatives of the enthalpy of the crystal at rest, eV; where they are not
  ///                    positive their size counts
  BoxState start(const Tensor& coordinates, const Tensor& stiffness) const;
  /// One move of every replica's box.
  /// @param displacements [R, N, 3], which stay
  /// @param value         energy and gradients in the boxes before the move; after it, in those of the state
  /// @param adapt         changes the renewal toward the acceptance aimed at, only for moves that are discarded
  /// @throws NumericalError when a box outgrows a factor of four in the volume: no crystal is left
  void move(BoxState& state, const Tensor& displacements, physics::EnergyGradientStrain& value, bool adapt) const;

 private:
  struct Slope {
    Tensor height;    // [R], phi up to a constant
    Tensor gradient;  // [R, d], of phi by q
  };
  Slope slope_at(const Tensor& coordinates, const physics::EnergyGradientStrain& value) const;

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
  /// dU/d epsilon of the last evaluation, [R, 3, 3].
  const Tensor& strain_gradient() const { return strain_gradient_; }

 private:
  const physics::EnergyModel& model_;
  Tensor deformation_;
  mutable Tensor strain_gradient_;
};

}  // namespace bgw::sampling
