#include "runtime/physics/crystal_symmetry.h"

#include <cmath>

#include "runtime/crystal/space_group.h"

namespace bgw::physics {
namespace {

constexpr double kTolerance = 1e-3;  // of the mean distance of atoms: files round

/// Whether the operation does what it says to all sites of the box. Symmetry is found in one unit cell.
bool holds(const crystal::SymmetryOperation& operation, const crystal::Crystal& crystal) {
  const auto n = crystal.sites.size();
  const double tolerance = kTolerance * std::cbrt(crystal.cell.volume() / static_cast<double>(n));
  for (std::size_t i = 0; i < n; ++i) {
    const crystal::Vector3& image = crystal.sites[static_cast<std::size_t>(operation.image[i])];
    crystal::Vector3 gap{};
    for (std::size_t d = 0; d < 3; ++d) {
      gap[d] = operation.translation[d] - image[d];
      for (std::size_t c = 0; c < 3; ++c) gap[d] += operation.rotation[d][c] * crystal.sites[i][c];
    }
    crystal::Vector3 s = crystal.cell.fractional(gap);
    for (double& x : s) x -= std::nearbyint(x);
    const crystal::Vector3 rest = crystal.cell.cartesian(s);
    if (std::sqrt(rest[0] * rest[0] + rest[1] * rest[1] + rest[2] * rest[2]) > tolerance) return false;
  }
  return true;
}

PointOperation as_tensor(const crystal::SymmetryOperation& operation) {
  Tensor rotation = at::empty({3, 3}, at::kDouble);
  double* out = rotation.data_ptr<double>();
  for (const crystal::Vector3& row : operation.rotation) out = std::copy(row.begin(), row.end(), out);
  return {rotation, operation.image};
}

}  // namespace

CrystalSymmetry symmetry_of(const crystal::Crystal& crystal) {
  CrystalSymmetry symmetry{translations_of(crystal.sites, crystal.cell), {}};
  for (const crystal::SymmetryOperation& operation : crystal::point_operations(crystal)) {
    if (holds(operation, crystal)) symmetry.rotations.push_back(as_tensor(operation));
  }
  return symmetry;
}

}  // namespace bgw::physics
