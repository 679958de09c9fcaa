#pragma once

#include "runtime/physics/energy_model.h"
#include "runtime/tensor/tensor.h"

namespace bgw::sampling {

/// What a force field says of a batch of configurations.
struct ForceFieldValue {
  Tensor energy;    // [B], eV
  Tensor gradient;  // [B, N, 3], dU/du, eV/angstrom
  Tensor coupling;  // [B], dU_l/dl, eV: the integrand of thermodynamic integration; zero where there is no l
};

/// The energy that dynamics runs on: that of a crystal, or of a state on the way to it.
class ForceField {
 public:
  virtual ~ForceField() = default;
  virtual std::int64_t particles() const = 0;
  /// @param displacements [B, N, 3], angstrom
  virtual ForceFieldValue evaluate(const Tensor& displacements) const = 0;
};

/// The crystal itself. Holds a reference to the model.
class CrystalForceField final : public ForceField {
 public:
  explicit CrystalForceField(const physics::EnergyModel& model) : model_(model) {}
  std::int64_t particles() const override { return model_.particles(); }
  ForceFieldValue evaluate(const Tensor& displacements) const override;

 private:
  const physics::EnergyModel& model_;
};

/// A state between an Einstein crystal and the crystal, U_l = (1 - l) (spring / 2) sum_i |u_i|^2 + l U. Energies of
/// all states follow from one: with the coupling d = U - U_E of a sample, U_k = U_l + (k - l) d. Holds a reference to
/// the model.
class EinsteinMixture final : public ForceField {
 public:
  /// @param spring  eV/angstrom^2
  /// @param lambda  0 for the Einstein crystal, 1 for the crystal
  EinsteinMixture(const physics::EnergyModel& model, double spring, double lambda)
      : model_(model), spring_(spring), lambda_(lambda) {}
  std::int64_t particles() const override { return model_.particles(); }
  ForceFieldValue evaluate(const Tensor& displacements) const override;

 private:
  const physics::EnergyModel& model_;
  double spring_;
  double lambda_;
};

}  // namespace bgw::sampling
