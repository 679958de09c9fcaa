#pragma once

#include "runtime/physics/gaussian_base.h"

namespace bgw::physics {

/// The same modes with one choice of vectors where the stiffness leaves a choice: the sign of a lone vector, and the
/// basis within a degenerate set. The eigensolver's choice hangs on the last bit of its rounding, hence on processor and
/// library, and a flow that labels modes would draw other samples with it. Here each set's vectors are the fixed random
/// directions projected onto it, orthonormalised in order, which is a continuous function of the matrix.
/// Modes within a relative 1e-8 of their neighbour count as degenerate and get their mean stiffness.
/// @param modes  ascending stiffness, orthonormal vectors
Modes canonical(const Modes& modes);

}  // namespace bgw::physics
