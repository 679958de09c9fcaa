#pragma once

#include <cstdint>

#include "runtime/tensor/tensor.h"

namespace bgw::physics {

/// D and what comes with it for a batch of latent coordinates.
struct WhitenedValue {
  Tensor work;                  // [B], D(y) in kT
  Tensor gradient;              // [B, m], grad D
  Tensor largest_displacement;  // [B], largest |u_i| of an atom, in the model's length unit
};

/// What coordinates stand for.
struct Configurations {
  Tensor displacements;  // [B, N, 3], from the sites, angstrom
  Tensor energy;         // [B], potential energy in the unit of the model
};

/// A crystal seen from a model of it: coordinates y in which the model is N(0, I) and the crystal exp(-|y|^2 / 2 - D(y)).
/// What samplers move on. Its Gaussian base is one such model (physics/whitened_target.h), a flow another
/// (flows/generator_target.h).
class LatentTarget {
 public:
  virtual ~LatentTarget() = default;
  virtual std::int64_t dimension() const = 0;                   // m
  virtual WhitenedValue evaluate(const Tensor& y) const = 0;    // [B, m]; a row's numbers do not depend on the others
  /// @param y     [B, m]
  /// @param work  [B], D(y), which spares the energy call where it tells the energy
  virtual Configurations configurations(const Tensor& y, const Tensor& work) const = 0;
};

}  // namespace bgw::physics
