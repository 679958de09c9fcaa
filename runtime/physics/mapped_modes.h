#pragma once

#include "runtime/physics/mode_transform.h"
#include "runtime/tensor/tensor.h"

namespace bgw::physics {

/// The map between two crystals of the same atoms that carries the Gaussian of one to that of the other,
///   u' = A' A^-1 u,   A = (M M^T)^(1/2),
/// in whitened coordinates. With M = E kappa^(-1/2), E orthonormal, the symmetric root is A = E kappa^(-1/2) E^T, so that u = M y goes to
/// u' = M' y' with y' = E'^T E y: a rotation, and the Jacobian is that of the two Gaussians. Symmetric roots are smooth functions of
/// the force constants, where modes in the order of their frequencies would cross. O(N log N), as `ModeTransform`.
/// @param y  [B, m] of `from`
/// @return   [B, m] of `to`
/// @throws ShapeError for crystals of different numbers of atoms
Tensor mapped_modes(const ModeTransform& from, const ModeTransform& to, const Tensor& y);

}  // namespace bgw::physics
