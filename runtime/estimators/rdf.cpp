#include "runtime/estimators/rdf.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "runtime/foundation/errors.h"
#include "runtime/foundation/interlude.h"

namespace bgw::estimators {
namespace {

using Numbers = std::vector<double>;

struct CellNumbers {
  std::array<double, 9> vectors{};  // rows
  double volume = 0;
  double radius = 0;  // of the largest sphere that fits
};

CellNumbers cell_numbers(const Tensor& cell) {
  const Tensor dense = cell.to(at::kDouble).contiguous();
  CellNumbers result;
  std::copy_n(dense.data_ptr<double>(), 9, result.vectors.begin());
  result.volume = at::linalg_det(dense).abs().item<double>();
  // The columns of the inverse are the normals of the faces, each as long as one over the height.
  const Tensor heights = at::linalg_inv(dense).square().sum(0).rsqrt();
  result.radius = 0.5 * heights.min().item<double>();
  return result;
}

/// Into -1/2 .. 1/2, for differences of coordinates in 0 .. 1.
double nearest(double s) { return s > 0.5 ? s - 1.0 : (s < -0.5 ? s + 1.0 : s); }

/// Counts of pair distances of one configuration up to `range`. Within the inscribed sphere, rounding the fractional coordinates
/// finds the nearest image in any cell.
void count_pairs(const double* fractional, std::int64_t atoms, const CellNumbers& cell, double range,
                 std::vector<std::int64_t>& counts) {
  const auto& v = cell.vectors;
  const double squared_radius = range * range;
  const double bins_per_length = static_cast<double>(counts.size()) / range;
  for (std::int64_t i = 0; i < atoms; ++i) {
    const double* a = fractional + 3 * i;
    for (std::int64_t j = i + 1; j < atoms; ++j) {
      const double* b = fractional + 3 * j;
      const double s = nearest(a[0] - b[0]), t = nearest(a[1] - b[1]), w = nearest(a[2] - b[2]);
      const double x = s * v[0] + t * v[3] + w * v[6];
      const double y = s * v[1] + t * v[4] + w * v[7];
      const double z = s * v[2] + t * v[5] + w * v[8];
      const double squared = x * x + y * y + z * z;
      if (squared >= squared_radius) continue;
      const auto bin = static_cast<std::size_t>(std::sqrt(squared) * bins_per_length);
      counts[std::min(bin, counts.size() - 1)] += 1;
    }
  }
}

constexpr std::int64_t kConfigurations = 16;  // of a chunk; sums run over chunks in order, whatever the threads

/// The cell of each configuration; one where all have the same.
struct Cells {
  std::vector<CellNumbers> each;
  double range = 0;  // half the smallest height of any
  const CellNumbers& of(std::int64_t n) const { return each[each.size() == 1 ? 0 : static_cast<std::size_t>(n)]; }
};

Cells cells_of(const Tensor& cell, const Tensor& deformation) {
  Cells cells;
  if (!deformation.defined()) {
    cells.each = {cell_numbers(cell)};
  } else {
    const Tensor deformed = at::matmul(cell.to(at::kDouble).unsqueeze(0), deformation.to(at::kDouble).transpose(1, 2));
    for (std::int64_t n = 0; n < deformed.size(0); ++n) cells.each.push_back(cell_numbers(deformed[n]));
  }
  const auto smaller = [](const CellNumbers& a, const CellNumbers& b) { return a.radius < b.radius; };
  cells.range = std::min_element(cells.each.begin(), cells.each.end(), smaller)->radius;
  return cells;
}

Numbers weighted_counts(const Tensor& fractional, const Cells& cells, const Tensor& weights, std::int64_t bins) {
  const std::int64_t all = fractional.size(0);
  const std::int64_t atoms = fractional.size(1);
  const std::int64_t chunks = (all + kConfigurations - 1) / kConfigurations;
  const double* s = fractional.data_ptr<double>();
  const double* weight = weights.data_ptr<double>();
  std::vector<Numbers> parts(static_cast<std::size_t>(chunks), Numbers(static_cast<std::size_t>(bins), 0.0));
  at::parallel_for(0, chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      interlude();
      Numbers& part = parts[static_cast<std::size_t>(c)];
      for (std::int64_t n = c * kConfigurations; n < std::min(all, (c + 1) * kConfigurations); ++n) {
        std::vector<std::int64_t> counts(part.size(), 0);
        count_pairs(s + 3 * atoms * n, atoms, cells.of(n), cells.range, counts);
        for (std::size_t b = 0; b < part.size(); ++b) part[b] += weight[n] * static_cast<double>(counts[b]);
      }
    }
  });
  Numbers sum(static_cast<std::size_t>(bins), 0.0);
  for (const Numbers& part : parts) {
    for (std::size_t b = 0; b < sum.size(); ++b) sum[b] += part[b];
  }
  return sum;
}

/// Sum over the configurations of weight times atoms per volume.
double total_density(const Cells& cells, const Tensor& weights, double atoms) {
  if (cells.each.size() == 1) return weights.sum().item<double>() * (atoms / cells.each.front().volume);
  double sum = 0;
  for (std::int64_t n = 0; n < weights.numel(); ++n) sum += weights.data_ptr<double>()[n] * (atoms / cells.of(n).volume);
  return sum;
}

void check(const Tensor& displacements, const Tensor& sites, const Tensor& cell, const Tensor& weights,
           std::int64_t bins, const Tensor& deformation) {
  if (displacements.dim() != 3 || displacements.size(2) != 3 || sites.dim() != 2 || sites.size(1) != 3 ||
      sites.size(0) != displacements.size(1) || cell.dim() != 2 || cell.size(0) != 3 || cell.size(1) != 3) {
    throw ShapeError("radial distribution: needs displacements [n, N, 3], sites [N, 3] and a cell [3, 3]");
  }
  if (weights.defined() && (weights.dim() != 1 || weights.size(0) != displacements.size(0))) {
    throw ShapeError("radial distribution: needs one weight per configuration");
  }
  if (deformation.defined() && (deformation.dim() != 3 || deformation.size(0) != displacements.size(0))) {
    throw ShapeError("radial distribution: needs one deformation per configuration");
  }
  if (bins < 1) throw InputError("rdf: bins must be at least 1");
  if (sites.size(0) < 2) throw InputError("rdf: a crystal of one atom has no pairs");
}

}  // namespace

RadialDistribution radial_distribution(const Tensor& displacements, const Tensor& sites, const Tensor& cell,
                                       const Tensor& weights, std::int64_t bins, const Tensor& deformation) {
  check(displacements, sites, cell, weights, bins, deformation);
  const Cells cells = cells_of(cell, deformation);
  const Tensor positions = displacements.to(at::kDouble) + sites.to(at::kDouble);
  const Tensor unwrapped = at::matmul(positions, at::linalg_inv(cell.to(at::kDouble)));
  const Tensor fractional = (unwrapped - unwrapped.floor()).contiguous();
  const Tensor weight =
      weights.defined() ? weights.to(at::kDouble).contiguous() : at::ones({displacements.size(0)}, at::kDouble);
  const Numbers counts = weighted_counts(fractional, cells, weight, bins);

  const double atoms = static_cast<double>(sites.size(0));
  const double pairs = total_density(cells, weight, atoms) * (atoms - 1.0) / 2.0;
  const double width = cells.range / static_cast<double>(bins);
  RadialDistribution result{at::empty({bins}, at::kDouble), at::empty({bins}, at::kDouble)};
  for (std::int64_t b = 0; b < bins; ++b) {
    const double low = width * static_cast<double>(b), high = low + width;
    const double shell = 4.0 * std::numbers::pi / 3.0 * (high * high * high - low * low * low);
    result.r.data_ptr<double>()[b] = 0.5 * (low + high);
    result.g.data_ptr<double>()[b] = counts[static_cast<std::size_t>(b)] / (shell * pairs);
  }
  return result;
}

}  // namespace bgw::estimators
