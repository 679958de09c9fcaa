#include "runtime/flows/linear_remainder.h"

#include <algorithm>

namespace bgw::flows {
namespace {

constexpr std::int64_t kDraws = 16;  // half of them mirrored

/// beta M^T H(u) M e_j at one configuration [1, N, 3], for the modes first .. first + size - 1. [size, m]
Tensor response(const physics::WhitenedTarget& target, const physics::EnergyModel& other, const Tensor& u,
                std::int64_t first, std::int64_t size) {
  Tensor unit = at::zeros({size, target.dimension()}, at::kDouble);
  for (std::int64_t i = 0; i < size; ++i) unit[i][first + i] = 1.0;
  const Tensor at_u = u.expand({size, u.size(1), 3}).contiguous();
  const Tensor product = other.gradient_and_product(at_u, target.displacements(unit)).product;
  return target.beta() * target.modes().pull_back(product);
}

/// What the average over translations leaves between the pairs of a wave vector that is not its own opposite: a
/// translation turns all pairs (y, y') by one angle, so that a pair answers to another as a complex number to a number.
/// [2 c, 2 c]
Tensor turned_alike(const Tensor& mean) {
  const std::int64_t c = mean.size(0) / 2;
  const Tensor pairs = mean.view({c, 2, c, 2});
  const auto part = [&](std::int64_t i, std::int64_t j) { return pairs.select(3, j).select(1, i); };
  const Tensor re = 0.5 * (part(0, 0) + part(1, 1));
  const Tensor im = 0.5 * (part(1, 0) - part(0, 1));
  return at::stack({at::stack({re, -im}, 2), at::stack({im, re}, 2)}, 1).reshape({2 * c, 2 * c});
}

/// y += R x, with the sum of each row in the order of its columns.
void add_product(const double* elements, std::int64_t size, const double* x, double* y) {
  for (std::int64_t i = 0; i < size; ++i) {
    double sum = 0;
    for (std::int64_t j = 0; j < size; ++j) sum += elements[i * size + j] * x[j];
    y[i] += sum;
  }
}

/// The same of a symmetric block of known size: all rows at once.
template <int kSize>
void add_product(const double* elements, const double* x, double* y) {
  double sums[kSize] = {};
  for (int j = 0; j < kSize; ++j) {
    for (int i = 0; i < kSize; ++i) sums[i] += elements[j * kSize + i] * x[j];
  }
  for (int i = 0; i < kSize; ++i) y[i] += sums[i];
}

}  // namespace

LinearRemainder::LinearRemainder(const physics::WhitenedTarget& target, const physics::EnergyModel& other,
                                 const tensor::RandomStream& stream) {
  const Tensor half = target.displacements(stream.normal(0, 0, kDraws / 2, target.dimension()));
  const Tensor draws = at::cat({half, -half});
  const std::vector<physics::WaveVector> waves = physics::wave_vectors(target.modes().group().periods);
  std::int64_t first = 0;
  for (std::size_t k = 0; k < waves.size(); ++k) {
    const std::int64_t size = target.modes().columns()[k] * (waves[k].real ? 1 : 2);
    if (size == 0) continue;
    Tensor mean = at::zeros({size, size}, at::kDouble);
    for (std::int64_t d = 0; d < kDraws; ++d)
      mean += response(target, other, draws.narrow(0, d, 1), first, size).narrow(1, first, size);
    if (!waves[k].real) mean = turned_alike(mean);
    const Tensor rest = (at::eye(size, at::kDouble) - 0.5 / kDraws * (mean + mean.t())).contiguous();
    blocks_.push_back({first, size, {rest.data_ptr<double>(), rest.data_ptr<double>() + rest.numel()}});
    first += size;
  }
}

void LinearRemainder::add_to(Tensor& y, const Tensor& x) const {
  for (std::int64_t r = 0; r < x.size(0); ++r) {
    const double* from = x.data_ptr<double>() + r * x.size(1);
    double* to = y.data_ptr<double>() + r * x.size(1);
    for (const Block& b : blocks_) {
      const double* elements = b.elements.data();
      // A crystal with one atom in its cell has three modes at a wave vector, six at a pair of them; with two, twice as many.
      if (b.size == 3) add_product<3>(elements, from + b.first, to + b.first);
      else if (b.size == 6) add_product<6>(elements, from + b.first, to + b.first);
      else if (b.size == 12) add_product<12>(elements, from + b.first, to + b.first);
      else add_product(elements, b.size, from + b.first, to + b.first);
    }
  }
}

Tensor LinearRemainder::dense() const {
  const std::int64_t m = blocks_.empty() ? 0 : blocks_.back().first + blocks_.back().size;
  Tensor result = at::zeros({m, m}, at::kDouble);
  add_to(result, at::eye(m, at::kDouble));
  return result;
}

}  // namespace bgw::flows
