#include "runtime/physics/deformation.h"

#include <fmt/format.h>

#include <cmath>

#include "runtime/foundation/errors.h"

namespace bgw::physics {

crystal::Matrix3 matrix_at(const double* f) { return {{{f[0], f[1], f[2]}, {f[3], f[4], f[5]}, {f[6], f[7], f[8]}}}; }

void check_deformation(const Tensor& deformation, std::int64_t batch) {
  if (deformation.dim() != 3 || deformation.size(0) != batch || deformation.size(1) != 3 || deformation.size(2) != 3)
    throw ShapeError(fmt::format("deformation must have the shape [{}, 3, 3]", batch));
  if (deformation.scalar_type() != at::kDouble || !deformation.device().is_cpu())
    throw ShapeError("deformation must be float64 on the CPU");
  for (std::int64_t b = 0; b < batch; ++b) {
    const double change = crystal::determinant(matrix_at(deformation.data_ptr<double>() + 9 * b));
    if (!(change > 0.0) || !std::isfinite(change))
      throw NumericalError(fmt::format("deformation {} of the batch takes the cell to {:g} times its volume", b, change));
  }
}

}  // namespace bgw::physics
