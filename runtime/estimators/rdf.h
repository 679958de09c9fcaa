#pragma once

#include "runtime/tensor/tensor.h"

namespace bgw::estimators {

struct RadialDistribution {
  Tensor r;  // [bins], centres, from 0 to half the smallest height of the cell
  Tensor g;  // [bins]
};

/// The radial distribution function: pairs by minimum image, divided by what an ideal gas of N - 1 neighbours has, so
/// that a finite ideal gas gives one.
/// @param displacements  [n, N, 3], from the sites
/// @param sites          [N, 3]
/// @param cell           [3, 3], rows are the cell's vectors
/// @param weights        [n], any scale, or undefined for equal weights
/// @param deformation    [n, 3, 3] or undefined: atoms stand at F (R + u) in the cell h F^T; the range is then that of the
///                       smallest cell, the ideal gas that of each
/// @throws ShapeError for other shapes; InputError for fewer than two atoms or bins < 1
RadialDistribution radial_distribution(const Tensor& displacements, const Tensor& sites, const Tensor& cell,
                                       const Tensor& weights, std::int64_t bins = 300, const Tensor& deformation = {});

}  // namespace bgw::estimators
