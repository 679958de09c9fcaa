#pragma once

#include "runtime/physics/whitened_target.h"
#include "runtime/tensor/tensor.h"

namespace bgw::flows {

// The operations of which the mode-split flow consists, as autograd functions. Where no gradient is asked for they
// cost what the plain call costs. Each row's result and gradient are independent of the rest of the batch.

/// rows [B, k] times the constant matrix [k, n] -> [B, n]; physics::row_product with a derivative in `rows`.
Tensor constant_product(const Tensor& rows, const Tensor& matrix);

/// The columns of `rows` in another order: result(:, j) = rows(:, order(j)); `inverse` is the inverse permutation.
Tensor permute_columns(const Tensor& rows, const Tensor& order, const Tensor& inverse);

/// The reduced gradient beta dU/du of the field u [B, 3N] -> [B, 3N]. The backward pass is a Hessian-vector product;
/// there is no further derivative, and asking for one throws.
Tensor reduced_gradient(const physics::EnergyModel& model, double beta, const Tensor& field);

/// beta (U(u) - U0) of the field u [B, 3N] -> [B]; derivable once.
Tensor reduced_energy(const physics::WhitenedTarget& target, const Tensor& field);

}  // namespace bgw::flows
