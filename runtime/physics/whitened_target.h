#pragma once

#include <memory>

#include "runtime/physics/energy_model.h"
#include "runtime/physics/latent_target.h"
#include "runtime/physics/mode_transform.h"
#include "runtime/tensor/tensor.h"

namespace bgw::physics {

/// A crystal seen from its Gaussian base: u = M y turns the base into N(0, I), and
/// D(y) = beta U(M y) - beta U0 - |y|^2 / 2 is what the Gaussian leaves over. D = 0 for a harmonic crystal in its own
/// modes. Holds a reference to the model, which must outlive it.
class WhitenedTarget : public LatentTarget {
 public:
  /// @param modes          M, columns orthogonal to each other, angstrom
  /// @param beta           1 / kT in the inverse energy unit of the model
  /// @param static_energy  U0, the energy at zero displacement
  /// @throws ShapeError unless the modes have 3N rows
  WhitenedTarget(const EnergyModel& model, std::shared_ptr<const ModeTransform> modes, double beta,
                 double static_energy);
  /// The same with a dense M, [3N, m], for models without translations.
  WhitenedTarget(const EnergyModel& model, const Tensor& modes, double beta, double static_energy);

  const EnergyModel& model() const { return model_; }
  std::int64_t particles() const { return model_.particles(); }
  std::int64_t dimension() const override { return modes_->dimension(); }  // m
  double beta() const { return beta_; }
  double static_energy() const { return static_energy_; }
  const ModeTransform& modes() const { return *modes_; }  // M

  Tensor displacements(const Tensor& y) const;  // [B, m] -> [B, N, 3]
  /// Coordinates in the modes, the least-squares inverse of `displacements`; uniform shifts drop out. [B, N, 3] -> [B,
  /// m]
  Tensor whiten(const Tensor& displacements) const;
  Tensor work(const Tensor& y) const;             // [B, m] -> [B]
  /// D at y, where the energy at its displacements is known. [B]
  Tensor work_from_energy(const Tensor& energy, const Tensor& y) const;
  WhitenedValue evaluate(const Tensor& y) const override;  // one energy-and-gradient call a row
  /// Without a call: the work tells the energy.
  Configurations configurations(const Tensor& y, const Tensor& work) const override;

 private:
  const EnergyModel& model_;
  std::shared_ptr<const ModeTransform> modes_;
  double beta_;
  double static_energy_;
};

}  // namespace bgw::physics
