#include "runtime/physics/whitened_target.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <string>

#include "runtime/foundation/errors.h"

namespace bgw::physics {
namespace {

// A matrix product of another shape may take another kernel, which adds in another order. So every product has this
// many rows, the last one padded with zeros.
constexpr std::int64_t kRows = 32;

void multiply_chunk(const Tensor& rows, const Tensor& matrix, Tensor& result, std::int64_t first) {
  const std::int64_t count = std::min(kRows, rows.size(0) - first);
  Tensor chunk = rows.narrow(0, first, count);
  if (count < kRows) {
    chunk = at::zeros({kRows, rows.size(1)}, rows.options());
    chunk.narrow(0, 0, count).copy_(rows.narrow(0, first, count));
  }
  result.narrow(0, first, count).copy_(at::mm(chunk, matrix).narrow(0, 0, count));
}

}  // namespace

Tensor row_product(const Tensor& rows, const Tensor& matrix) {
  if (rows.dim() != 2 || matrix.dim() != 2 || rows.size(1) != matrix.size(0)) {
    throw ShapeError("row_product: inner sizes differ: " + std::to_string(rows.size(-1)) + " and " +
                     std::to_string(matrix.size(0)));
  }
  const at::NoGradGuard no_grad;
  const Tensor in = rows.detach().contiguous();
  const Tensor factor = matrix.detach();
  Tensor result = at::empty({in.size(0), factor.size(1)}, in.options());
  const std::int64_t chunks = (in.size(0) + kRows - 1) / kRows;
  at::parallel_for(0, chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    const at::NoGradGuard no_grad_here;  // grad mode belongs to the thread
    for (std::int64_t c = begin; c < end; ++c) multiply_chunk(in, factor, result, c * kRows);
  });
  return result;
}

WhitenedTarget::WhitenedTarget(const EnergyModel& model, const Tensor& modes, double beta, double static_energy)
    : model_(model), beta_(beta), static_energy_(static_energy) {
  if (modes.dim() != 2 || modes.size(0) != 3 * model.particles()) {
    throw ShapeError("whitened target: the modes have " + std::to_string(modes.size(0)) + " rows, the crystal has " +
                     std::to_string(3 * model.particles()) + " coordinates");
  }
  transposed_modes_ = modes.detach().to(at::kDouble).t().contiguous();
  inverse_squared_norms_ = transposed_modes_.square().sum(1).reciprocal();
}

Tensor WhitenedTarget::displacements(const Tensor& y) const {
  return row_product(y, transposed_modes_).view({y.size(0), particles(), 3});
}

Tensor WhitenedTarget::whiten(const Tensor& displacements) const {
  const Tensor flat = displacements.reshape({displacements.size(0), 3 * particles()});
  return row_product(flat, transposed_modes_.t()) * inverse_squared_norms_;
}

Tensor WhitenedTarget::work_from_energy(const Tensor& energy, const Tensor& y) const {
  return beta_ * (energy - static_energy_) - 0.5 * y.square().sum(1);
}

Tensor WhitenedTarget::work(const Tensor& y) const { return work_from_energy(model_.energy(displacements(y)), y); }

WhitenedValue WhitenedTarget::evaluate(const Tensor& y) const {
  const Tensor u = displacements(y);
  const EnergyAndGradient value = model_.energy_and_gradient(u);
  const Tensor force = row_product(value.gradient.reshape({y.size(0), 3 * particles()}), transposed_modes_.t());
  return {work_from_energy(value.energy, y), beta_ * force - y, u.square().sum(2).amax(1).sqrt()};
}

}  // namespace bgw::physics
