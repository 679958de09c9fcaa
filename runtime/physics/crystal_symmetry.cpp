#include "runtime/physics/crystal_symmetry.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/crystal/space_group.h"

namespace bgw::physics {
namespace {

constexpr double kTolerance = 1e-3;  // of the mean distance of atoms: files round

/// The shortest vector that leads to a periodic image of `gap`.
crystal::Vector3 wrapped(const crystal::Vector3& gap, const crystal::Cell& cell) {
  crystal::Vector3 s = cell.fractional(gap);
  for (double& x : s) x -= std::nearbyint(x);
  return cell.cartesian(s);
}

/// From the site that atom i goes to, to where the operation takes it.
crystal::Vector3 miss(const crystal::SymmetryOperation& operation, const std::vector<crystal::Vector3>& sites, const crystal::Cell& cell, std::size_t i) {
  const crystal::Vector3 moved = crystal::product(operation.rotation, sites[i]), &image = sites[static_cast<std::size_t>(operation.image[i])];
  return wrapped({moved[0] + operation.translation[0] - image[0], moved[1] + operation.translation[1] - image[1], moved[2] + operation.translation[2] - image[2]}, cell);
}

/// Whether the operation does what it says to all sites of the box. Symmetry is found in one unit cell.
bool holds(const crystal::SymmetryOperation& operation, const crystal::Crystal& crystal) {
  const auto n = crystal.sites.size();
  const double tolerance = kTolerance * std::cbrt(crystal.cell.volume() / static_cast<double>(n));
  for (std::size_t i = 0; i < n; ++i) {
    const crystal::Vector3 rest = miss(operation, crystal.sites, crystal.cell, i);
    if (std::sqrt(rest[0] * rest[0] + rest[1] * rest[1] + rest[2] * rest[2]) > tolerance) return false;
  }
  return true;
}

/// The mean over all cells of where an atom of the basis stands, seen from its cell.
void repeat_exactly(std::vector<crystal::Vector3>& sites, const TranslationGroup& group, const crystal::Cell& cell) {
  for (std::int64_t b = 0; b < group.basis; ++b) {
    const auto atom = [&](std::int64_t c) { return static_cast<std::size_t>(group.atoms[static_cast<std::size_t>(c * group.basis + b)]); };
    const crystal::Vector3 first = sites[atom(0)];
    std::vector<crystal::Vector3> gaps;
    crystal::Vector3 mean{};
    for (std::int64_t c = 0; c < group.cells(); ++c) {
      const std::array<std::int64_t, 3> g{c / (group.periods[1] * group.periods[2]), c / group.periods[2] % group.periods[1], c % group.periods[2]};
      crystal::Vector3 gap{};
      for (std::size_t d = 0; d < 3; ++d) {
        gap[d] = sites[atom(c)][d] - first[d];
        for (std::size_t k = 0; k < 3; ++k) gap[d] -= static_cast<double>(g[k]) * group.steps[k][d];
      }
      gaps.push_back(wrapped(gap, cell));
      for (std::size_t d = 0; d < 3; ++d) mean[d] += gaps.back()[d] / static_cast<double>(group.cells());
    }
    for (std::int64_t c = 0; c < group.cells(); ++c) {
      for (std::size_t d = 0; d < 3; ++d) sites[atom(c)][d] += mean[d] - gaps[static_cast<std::size_t>(c)][d];
    }
  }
}

/// Moves each site to the mean of where the operations take atoms to it. What an operation says of its translation is known to the digits of
/// the sites, and is taken from all of them.
/// @return  the longest way, along an axis
double average_over(const std::vector<crystal::SymmetryOperation>& operations, std::vector<crystal::Vector3>& sites, const crystal::Cell& cell) {
  const auto n = static_cast<double>(sites.size());
  std::vector<crystal::Vector3> shifts(sites.size());
  for (const crystal::SymmetryOperation& operation : operations) {
    std::vector<crystal::Vector3> misses;
    crystal::Vector3 mean{};
    for (std::size_t i = 0; i < sites.size(); ++i) {
      misses.push_back(miss(operation, sites, cell, i));
      for (std::size_t d = 0; d < 3; ++d) mean[d] += misses[i][d] / n;
    }
    for (std::size_t i = 0; i < sites.size(); ++i) {
      for (std::size_t d = 0; d < 3; ++d) shifts[static_cast<std::size_t>(operation.image[i])][d] += (misses[i][d] - mean[d]) / static_cast<double>(operations.size());
    }
  }
  double longest = 0;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    for (std::size_t d = 0; d < 3; ++d) {
      sites[i][d] += shifts[i][d];
      longest = std::max(longest, std::abs(shifts[i][d]));
    }
  }
  return longest;
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

Tensor shift_to_symmetry(const crystal::Crystal& crystal) {
  constexpr double kExact = 1e-13;  // angstrom
  constexpr int kMostPasses = 100;
  const TranslationGroup translations = translations_of(crystal.sites, crystal.cell);
  std::vector<crystal::SymmetryOperation> operations = crystal::point_operations(crystal);
  std::erase_if(operations, [&](const auto& operation) { return !holds(operation, crystal); });
  std::vector<crystal::Vector3> sites = crystal.sites;
  // One operation for each rotation makes no group where a translation between them was too far off to be seen, but its powers do.
  for (int pass = 0; pass < kMostPasses; ++pass) {
    repeat_exactly(sites, translations, crystal.cell);
    if (average_over(operations, sites, crystal.cell) < kExact) break;
  }
  Tensor result = at::empty({static_cast<std::int64_t>(sites.size()), 3}, at::kDouble);
  double* out = result.data_ptr<double>();
  for (std::size_t i = 0; i < sites.size(); ++i) {
    for (std::size_t d = 0; d < 3; ++d) *out++ = sites[i][d] - crystal.sites[i][d];
  }
  return result;
}

}  // namespace bgw::physics
