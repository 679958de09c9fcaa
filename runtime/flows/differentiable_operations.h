#pragma once

#include "runtime/physics/whitened_target.h"
#include "runtime/tensor/tensor.h"

namespace bgw::flows {

// The operations of which the mode-split flow consists, as autograd functions. Where no gradient is asked for they
// cost what the plain call costs. Each row's result and gradient are independent of the rest of the batch.

/// The field u = M y of whitened modes y [B, m] -> [B, 3N], derivable once.
Tensor field_of_modes(const physics::ModeTransform& modes, const Tensor& y);

/// M^T g of a field [B, 3N] -> [B, m], derivable once.
Tensor modes_of_field(const physics::ModeTransform& modes, const Tensor& field);

/// The reduced gradient beta dU/du of the field u [B, 3N] -> [B, 3N]. The backward pass is a Hessian-vector product;
/// there is no further derivative, and asking for one throws.
Tensor reduced_gradient(const physics::EnergyModel& model, double beta, const Tensor& field);

/// beta (U(u) - U0) of the field u [B, 3N] -> [B]; derivable once.
Tensor reduced_energy(const physics::WhitenedTarget& target, const Tensor& field);

}  // namespace bgw::flows
