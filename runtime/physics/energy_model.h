#pragma once

#include <cstdint>
#include <memory>

#include "runtime/physics/translation_group.h"
#include "runtime/tensor/tensor.h"

namespace bgw::physics {

/// Calls made so far, for the cost ledger; one call is one configuration.
struct CallCount {
  std::int64_t energy = 0;
  std::int64_t gradient = 0;  // energy and gradient together
  std::int64_t hessian = 0;   // Hessian-vector products and Hessians; each costs about 2 gradients
};

struct EnergyAndGradient {
  Tensor energy;    // [B], float64, eV
  Tensor gradient;  // [B, N, 3], dU/du, eV/angstrom
};

struct GradientAndProduct {
  Tensor gradient;  // [B, N, 3]
  Tensor product;   // [B, N, 3], (d2U/du2) v
};

struct EnergyGradientStrain {
  Tensor energy;           // [B], eV
  Tensor gradient;         // [B, N, 3], dU/du at fixed deformation, eV/angstrom
  Tensor strain_gradient;  // [B, 3, 3], dU/d epsilon for a further strain x -> (1 + epsilon) x, symmetric, eV; of a tail
                           // minus its pressure times the volume (physics/potential.h)
};

/// The potential energy of one crystal as a function of the displacements from its reference sites: a potential
/// bound to sites and a periodic cell. Energies are exact for any displacement (a configuration that outgrows the
/// neighbour list is evaluated with a list of its own). All tensors are float64 on the CPU and carry no autograd
/// graph; flows/ wraps them where gradients flow. Results of one configuration do not depend on the others in the
/// batch, on the batch size, or on the number of threads.
class EnergyModel {
 public:
  virtual ~EnergyModel() = default;

  virtual std::int64_t particles() const = 0;                                      // N
  virtual Tensor energy(const Tensor& displacements) const = 0;                    // [B, N, 3] -> [B]
  virtual EnergyAndGradient energy_and_gradient(const Tensor& displacements) const = 0;
  /// @param vectors [B, N, 3]
  virtual GradientAndProduct gradient_and_product(const Tensor& displacements, const Tensor& vectors) const = 0;
  /// Sum over the batch of the Hessians, [3N, 3N].
  virtual Tensor hessian_sum(const Tensor& displacements) const = 0;
  /// The same, averaged over the translations of the crystal and without ever holding the whole matrix: for basis atoms b
  /// and b' the mean over all cells of the block between b of one cell and b' of the cell that stands g from it.
  /// [n_b, 3, cells, n_b, 3]
  virtual Tensor folded_hessian_sum(const Tensor& displacements, const TranslationGroup& group) const;

  /// Every configuration b stands at F_b (R_i + u_i) in the deformed cell, whose rows are h F_b^T. What a tail takes
  /// from the density goes with the deformed volume.
  /// @param deformation [B, 3, 3], F
  /// @throws NumericalError for a deformation that is not finite, turns the cell inside out or flattens it;
  ///         std::logic_error from an energy that knows no cell
  virtual Tensor energy(const Tensor& displacements, const Tensor& deformation) const;
  virtual EnergyGradientStrain energy_gradient_and_strain(const Tensor& displacements, const Tensor& deformation) const;

  /// Calls since construction.
  virtual CallCount calls() const = 0;
};

}  // namespace bgw::physics
