#pragma once
// What tests of energies share: displacement fields, and slopes by differences.

#include <cstdint>

#include "runtime/physics/energy_model.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::testing {

/// Normal displacements of a given width, [batch, atoms, 3].
inline Tensor random_displacements(std::int64_t batch, std::int64_t atoms, double width, const char* purpose = "test") {
  const tensor::RandomStream stream(plan::Key{}, purpose);
  return width * stream.normal(0, 0, batch, 3 * atoms).reshape({batch, atoms, 3});
}

inline double largest(const Tensor& x) { return x.abs().max().item<double>(); }

/// Central differences of the energy along every coordinate, [N, 3].
inline Tensor difference_gradient(const physics::EnergyModel& model, const Tensor& u, double h) {
  const std::int64_t width = 3 * model.particles();
  const Tensor steps = h * at::eye(width, at::kDouble).reshape({width, model.particles(), 3});
  return ((model.energy(u + steps) - model.energy(u - steps)) / (2 * h)).reshape({model.particles(), 3});
}

}  // namespace bgw::testing
