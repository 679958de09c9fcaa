#pragma once

#include "runtime/crystal/lattice.h"
#include "runtime/tensor/tensor.h"

namespace bgw::physics {

/// Average over the lattice translations of a crystal whose sites stand in the order of crystal::make_crystal.
/// @param matrix [3N, 3N]: entries between two atoms depend on their basis atoms and the difference of their cells
Tensor average_over_translations(const crystal::Crystal& crystal, const Tensor& matrix);

/// The same for one vector per atom, [N, 3]: each basis atom has one vector.
Tensor average_vectors_over_translations(const crystal::Crystal& crystal, const Tensor& vectors);

}  // namespace bgw::physics
