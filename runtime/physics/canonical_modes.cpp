#include "runtime/physics/canonical_modes.h"

#include <cmath>

#include "runtime/tensor/random_stream.h"

namespace bgw::physics {
namespace {

constexpr double kDegenerate = 1e-8;

/// End of the degenerate set that begins at `first`.
std::int64_t end_of_set(const double* stiffness, std::int64_t first, std::int64_t count) {
  std::int64_t end = first + 1;
  while (end < count && std::abs(stiffness[end] - stiffness[end - 1]) <= kDegenerate * std::abs(stiffness[end])) ++end;
  return end;
}

/// The orthonormal basis of span(vectors) that the directions choose.
/// @param vectors    [3N, d], orthonormal
/// @param directions [3N, d]
Tensor chosen_basis(const Tensor& vectors, const Tensor& directions) {
  const auto [q, r] = at::linalg_qr(vectors.t().matmul(directions));
  // QR is unique once the diagonal of R is positive.
  const Tensor signs = at::where(r.diagonal() < 0, -at::ones({1}, at::kDouble), at::ones({1}, at::kDouble));
  return vectors.matmul(q * signs);
}

}  // namespace

Modes canonical(const Modes& modes) {
  const std::int64_t width = modes.vectors.size(0);
  const std::int64_t count = modes.vectors.size(1);
  const tensor::RandomStream stream(plan::Key{}, "directions of canonical modes");
  Modes result{at::empty_like(modes.vectors), modes.stiffness.clone()};
  const Tensor values = modes.stiffness.contiguous();
  for (std::int64_t first = 0; first < count;) {
    const std::int64_t end = end_of_set(values.data_ptr<double>(), first, count);
    const Tensor directions = stream.normal(0, first, end - first, width).t();
    result.vectors.slice(1, first, end).copy_(chosen_basis(modes.vectors.slice(1, first, end), directions));
    result.stiffness.slice(0, first, end).fill_(values.slice(0, first, end).mean().item<double>());
    first = end;
  }
  return result;
}

}  // namespace bgw::physics
