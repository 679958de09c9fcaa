#pragma once
// Energies by plain loops over pairs and triplets, from the formulas as printed. Slow and independent of the kernels.

#include <cmath>
#include <vector>

#include "runtime/crystal/cell.h"

namespace bgw::testing {

using crystal::Cell;
using crystal::Vector3;

struct ReferenceStillingerWeber {
  double epsilon = 6.189, sigma = 2.3925, lambda = 23.15;
  double A = 7.049556277, B = 0.6022245584, a = 1.8, gamma = 1.2, cos0 = -0.33331324756823727;
};

/// Separations from atom i to all others inside the cutoff: the nearest image only, or all images.
inline std::vector<Vector3> separations(const std::vector<Vector3>& x, const Cell& cell, std::size_t i, double cutoff,
                                        bool nearest) {
  std::vector<Vector3> found;
  const int reach = nearest ? 0 : 2;
  for (std::size_t j = 0; j < x.size(); ++j) {
    const Vector3 d0 = cell.minimum_image({x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]});
    for (int p = -reach; p <= reach; ++p) {
      for (int q = -reach; q <= reach; ++q) {
        for (int r = -reach; r <= reach; ++r) {
          if (i == j && p == 0 && q == 0 && r == 0) continue;
          const Vector3 shift = cell.cartesian({double(p), double(q), double(r)});
          const Vector3 d{d0[0] + shift[0], d0[1] + shift[1], d0[2] + shift[2]};
          if (std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]) < cutoff) found.push_back(d);
        }
      }
    }
  }
  return found;
}

inline double reference_energy(const ReferenceStillingerWeber& k, const std::vector<Vector3>& x, const Cell& cell,
                               bool nearest) {
  const double rc = k.a * k.sigma;
  double pairs = 0;
  double triplets = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::vector<Vector3> bonds = separations(x, cell, i, rc, nearest);
    std::vector<double> r;
    for (const Vector3& d : bonds) r.push_back(std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]));
    for (std::size_t a = 0; a < bonds.size(); ++a) {
      pairs += 0.5 * k.A * k.epsilon * (k.B * std::pow(k.sigma / r[a], 4) - 1.0) * std::exp(k.sigma / (r[a] - rc));
      for (std::size_t b = a + 1; b < bonds.size(); ++b) {
        const double cosine =
            (bonds[a][0] * bonds[b][0] + bonds[a][1] * bonds[b][1] + bonds[a][2] * bonds[b][2]) / (r[a] * r[b]);
        triplets += k.lambda * k.epsilon * (cosine - k.cos0) * (cosine - k.cos0) *
                    std::exp(k.gamma * k.sigma / (r[a] - rc)) * std::exp(k.gamma * k.sigma / (r[b] - rc));
      }
    }
  }
  return pairs + triplets;
}

/// Lennard-Jones, truncated at `cutoff` and shifted to zero there; epsilon = sigma = 1.
inline double reference_lennard_jones(double cutoff, const std::vector<Vector3>& x, const Cell& cell, bool nearest) {
  const auto u = [](double r) { return 4.0 * (std::pow(r, -12) - std::pow(r, -6)); };
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (const Vector3& d : separations(x, cell, i, cutoff, nearest))
      sum += 0.5 * (u(std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])) - u(cutoff));
  }
  return sum;
}

}  // namespace bgw::testing
