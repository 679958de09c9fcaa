#pragma once

#include <cstdint>
#include <memory>

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

  /// Calls since construction.
  virtual CallCount calls() const = 0;
};

}  // namespace bgw::physics
