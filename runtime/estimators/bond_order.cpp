#include "runtime/estimators/bond_order.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>
#include <utility>
#include <vector>

#include "runtime/foundation/errors.h"
#include "runtime/foundation/interlude.h"

namespace bgw::estimators {
namespace {

using Vector = std::array<double, 3>;
using Complex = std::complex<double>;

struct Cell {
  std::array<Vector, 3> rows{};
  std::array<std::int64_t, 3> images{};  // how many cells away a neighbour within the cutoff may be
};

double dot(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

Cell cell_from(const Tensor& vectors, double cutoff) {
  const Tensor dense = vectors.contiguous();
  const Tensor heights = at::linalg_inv(dense).square().sum(0).rsqrt().contiguous();
  Cell cell;
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::size_t d = 0; d < 3; ++d) cell.rows[k][d] = dense.data_ptr<double>()[3 * k + d];
    // Fractional differences lie in -1/2 .. 1/2: n cells away the distance is at least (n - 1/2) heights.
    cell.images[k] = static_cast<std::int64_t>(std::floor(cutoff / heights.data_ptr<double>()[k] + 0.5));
  }
  return cell;
}

/// Calls `use(i, j, bond)` for every pair within the cutoff, each once; the bond points from j's image to i.
template <class Use>
void each_bond(const double* fractional, std::int64_t atoms, const Cell& cell, double cutoff, Use use) {
  for (std::int64_t i = 0; i < atoms; ++i) {
    for (std::int64_t j = i; j < atoms; ++j) {
      Vector s{};
      for (std::size_t k = 0; k < 3; ++k) {
        const double difference = fractional[3 * i + static_cast<std::int64_t>(k)] - fractional[3 * j + static_cast<std::int64_t>(k)];
        s[k] = difference - std::nearbyint(difference);
      }
      for (std::int64_t a = -cell.images[0]; a <= cell.images[0]; ++a) {
        for (std::int64_t b = -cell.images[1]; b <= cell.images[1]; ++b) {
          for (std::int64_t c = -cell.images[2]; c <= cell.images[2]; ++c) {
            // Of an atom and its own images, one of each two opposite ones.
            if (i == j && (a < 0 || (a == 0 && (b < 0 || (b == 0 && c <= 0))))) continue;
            const Vector t{s[0] + static_cast<double>(a), s[1] + static_cast<double>(b), s[2] + static_cast<double>(c)};
            Vector bond{};
            for (std::size_t d = 0; d < 3; ++d) bond[d] = t[0] * cell.rows[0][d] + t[1] * cell.rows[1][d] + t[2] * cell.rows[2][d];
            if (dot(bond, bond) < cutoff * cutoff) use(i, j, bond);
          }
        }
      }
    }
  }
}

/// Y_lm of a direction for m = 0 .. l, up to the common phase of each m: the normalised Legendre functions without their
/// power of the sine, which the direction in the plane brings along.
class Harmonics {
 public:
  explicit Harmonics(std::int64_t degree) : degree_(degree) {}

  void add(const Vector& bond, std::vector<Complex>& into, std::size_t first, std::size_t second) const {
    const double r = std::sqrt(dot(bond, bond));
    const double z = bond[2] / r;
    const Complex plane(bond[0] / r, bond[1] / r);
    Complex power = 1.0;
    double sectoral = std::sqrt(0.25 / std::numbers::pi);
    for (std::int64_t m = 0; m <= degree_; ++m) {
      const Complex y = legendre(m, z, sectoral) * power;
      into[first + static_cast<std::size_t>(m)] += y;
      into[second + static_cast<std::size_t>(m)] += y;  // an even degree does not see the sign of the bond
      power *= plane;
      const double next = static_cast<double>(m + 1);
      sectoral *= std::sqrt((2.0 * next + 1.0) / (2.0 * next));
    }
  }

 private:
  /// From l = m upwards at fixed m.
  double legendre(std::int64_t m, double z, double sectoral) const {
    double before = 0.0, now = sectoral;
    const double mm = static_cast<double>(m * m);
    double scale_before = 0.0;
    for (std::int64_t l = m + 1; l <= degree_; ++l) {
      const double ll = static_cast<double>(l * l);
      const double scale = std::sqrt((4.0 * ll - 1.0) / (ll - mm));
      const double next = scale * (z * now - (scale_before == 0.0 ? 0.0 : before / scale_before));
      before = now;
      now = next;
      scale_before = scale;
    }
    return now;
  }

  std::int64_t degree_;
};

void bond_orders(const double* fractional, std::int64_t atoms, const Cell& cell, const Harmonics& harmonics, std::int64_t degree,
                 double cutoff, double* orders) {
  const auto width = static_cast<std::size_t>(degree + 1);
  std::vector<Complex> own(width * static_cast<std::size_t>(atoms));
  std::vector<double> neighbours(static_cast<std::size_t>(atoms), 0.0);
  std::vector<std::pair<std::size_t, std::size_t>> bonds;
  each_bond(fractional, atoms, cell, cutoff, [&](std::int64_t i, std::int64_t j, const Vector& bond) {
    const auto a = static_cast<std::size_t>(i), b = static_cast<std::size_t>(j);
    harmonics.add(bond, own, a * width, b * width);
    neighbours[a] += 1.0;
    neighbours[b] += 1.0;
    bonds.emplace_back(a, b);
  });
  for (std::size_t a = 0; a < neighbours.size(); ++a) {
    for (std::size_t m = 0; m < width && neighbours[a] > 0; ++m) own[a * width + m] /= neighbours[a];
  }
  std::vector<Complex> averaged = own;
  for (const auto& [a, b] : bonds) {
    for (std::size_t m = 0; m < width; ++m) {
      averaged[a * width + m] += own[b * width + m];
      averaged[b * width + m] += own[a * width + m];
    }
  }
  for (std::size_t a = 0; a < neighbours.size(); ++a) {
    double squares = 0.0;
    for (std::size_t m = 0; m < width; ++m) squares += (m == 0 ? 1.0 : 2.0) * std::norm(averaged[a * width + m]);
    orders[a] = std::sqrt(4.0 * std::numbers::pi / static_cast<double>(2 * degree + 1) * squares) / (1.0 + neighbours[a]);
  }
}

void check(const Tensor& displacements, const Tensor& sites, const Tensor& cell, const Tensor& deformation, std::int64_t degree) {
  const bool fits = displacements.dim() == 3 && displacements.size(2) == 3 && sites.dim() == 2 && sites.size(1) == 3 &&
                    sites.size(0) == displacements.size(1) && cell.dim() == 2 && cell.size(0) == 3 && cell.size(1) == 3 &&
                    (!deformation.defined() || (deformation.dim() == 3 && deformation.size(0) == displacements.size(0)));
  if (!fits) throw ShapeError("bond order: needs displacements [n, N, 3], sites [N, 3], a cell [3, 3] and deformations [n, 3, 3] or none");
  if (degree < 2 || degree > 12 || degree % 2 != 0) throw InputError("bond order: the degree is even and from 2 to 12");
}

}  // namespace

double two_shell_cutoff(const Tensor& sites, const Tensor& cell) {
  const Tensor box = cell.to(at::kDouble);
  const Tensor fractional = at::matmul(sites.to(at::kDouble), at::linalg_inv(box)).contiguous();
  // In any crystal three shells lie within three distances of the lattice of points with that density.
  const double spacing = std::cbrt(at::linalg_det(box).abs().item<double>() / static_cast<double>(sites.size(0)));
  std::vector<double> distances;
  each_bond(fractional.data_ptr<double>(), sites.size(0), cell_from(box, 3.0 * spacing), 3.0 * spacing,
            [&](std::int64_t, std::int64_t, const Vector& bond) { distances.push_back(std::sqrt(dot(bond, bond))); });
  std::sort(distances.begin(), distances.end());
  constexpr double kOneShell = 1.05;
  int shell = 1;
  for (std::size_t i = 1; i < distances.size(); ++i) {
    if (distances[i] > kOneShell * distances[i - 1] && ++shell == 3) return 0.5 * (distances[i] + distances[i - 1]);
  }
  throw InputError("the sites have no two shells of neighbours that are apart: give a cutoff");
}

Tensor averaged_bond_order(const Tensor& displacements, const Tensor& sites, const Tensor& cell, const Tensor& deformation,
                           std::int64_t degree, double cutoff) {
  check(displacements, sites, cell, deformation, degree);
  const Tensor box = cell.to(at::kDouble).contiguous();
  // A deformation acts on atoms and cell alike: the fractional coordinates do not see it.
  const Tensor fractional = at::matmul(displacements.to(at::kDouble) + sites.to(at::kDouble), at::linalg_inv(box)).contiguous();
  const Tensor boxes = deformation.defined() ? at::matmul(box.unsqueeze(0), deformation.to(at::kDouble).transpose(1, 2)) : Tensor();
  const std::int64_t count = fractional.size(0), atoms = fractional.size(1);
  Tensor orders = at::empty({count, atoms}, at::kDouble);
  const Harmonics harmonics(degree);
  const Cell common = cell_from(box, cutoff);
  const double* s = fractional.data_ptr<double>();
  double* into = orders.data_ptr<double>();
  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      interlude();
      const Cell own = boxes.defined() ? cell_from(boxes[n], cutoff) : common;
      bond_orders(s + 3 * atoms * n, atoms, own, harmonics, degree, cutoff, into + atoms * n);
    }
  });
  return orders;
}

}  // namespace bgw::estimators
