#pragma once

#include "runtime/crystal/cell.h"
#include "runtime/tensor/tensor.h"

namespace bgw::physics {

/// Nine numbers, row by row, as a matrix.
crystal::Matrix3 matrix_at(const double* numbers);

/// Deformations of a batch: [batch, 3, 3], float64 on the CPU, none of which turns space inside out.
/// @throws ShapeError for another form, NumericalError for a determinant that is not positive, naming which
void check_deformation(const Tensor& deformation, std::int64_t batch);

}  // namespace bgw::physics
