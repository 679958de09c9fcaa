#include "runtime/physics/translations.h"

#include <array>
#include <vector>

#include "runtime/foundation/errors.h"

namespace bgw::physics {
namespace {

/// Index of the cell that stands `shift` after `cell`, both as flat indices.
class CellSums {
 public:
  explicit CellSums(const std::array<int, 3>& repeats) : repeats_(repeats) {}
  std::int64_t count() const { return std::int64_t{repeats_[0]} * repeats_[1] * repeats_[2]; }
  std::int64_t sum(std::int64_t a, std::int64_t b) const {
    std::int64_t result = 0;
    std::int64_t stride = 1;
    for (const int k : {2, 1, 0}) {
      const std::int64_t n = repeats_[static_cast<std::size_t>(k)];
      result += (a / stride % n + b / stride % n) % n * stride;
      stride *= n;
    }
    return result;
  }

 private:
  std::array<int, 3> repeats_;
};

std::int64_t block_width(const crystal::Crystal& crystal, std::int64_t cells) {
  const auto n = static_cast<std::int64_t>(crystal.sites.size());
  if (cells <= 0 || n % cells != 0) throw ShapeError("the sites of the crystal do not fill its cells");
  return 3 * (n / cells);
}

}  // namespace

Tensor average_over_translations(const crystal::Crystal& crystal, const Tensor& matrix) {
  const CellSums cells(crystal.repeats);
  const std::int64_t count = cells.count();
  const std::int64_t w = block_width(crystal, count);
  const Tensor blocks = matrix.contiguous().reshape({count, w, count, w});
  Tensor result = at::empty_like(blocks);
  const double* in = blocks.data_ptr<double>();
  double* out = result.data_ptr<double>();
  std::vector<double> mean(static_cast<std::size_t>(w * w));
  const auto place = [&](std::int64_t c, std::int64_t r, std::int64_t d) { return ((c * w + r) * count + d) * w; };
  for (std::int64_t shift = 0; shift < count; ++shift) {
    std::fill(mean.begin(), mean.end(), 0.0);
    for (std::int64_t c = 0; c < count; ++c) {
      const std::int64_t d = cells.sum(c, shift);
      for (std::int64_t r = 0; r < w; ++r) {
        for (std::int64_t s = 0; s < w; ++s) mean[static_cast<std::size_t>(r * w + s)] += in[place(c, r, d) + s];
      }
    }
    for (double& x : mean) x /= static_cast<double>(count);
    for (std::int64_t c = 0; c < count; ++c) {
      const std::int64_t d = cells.sum(c, shift);
      for (std::int64_t r = 0; r < w; ++r) std::copy_n(mean.data() + r * w, w, out + place(c, r, d));
    }
  }
  return result.reshape(matrix.sizes());
}

Tensor average_vectors_over_translations(const crystal::Crystal& crystal, const Tensor& vectors) {
  const std::int64_t count = CellSums(crystal.repeats).count();
  const std::int64_t w = block_width(crystal, count);
  return vectors.reshape({count, w}).mean(0, true).expand({count, w}).reshape(vectors.sizes());
}

}  // namespace bgw::physics
