#include "runtime/physics/force_constant_transfer.h"

#include <cmath>

#include <fmt/format.h>

#include "runtime/foundation/errors.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/site_lookup.h"

namespace bgw::physics {
namespace {

using crystal::Vector3;

constexpr double kTolerance = 1e-4;  // of the mean distance of atoms

double spacing(const crystal::Crystal& crystal) {
  return std::cbrt(crystal.cell.volume() / static_cast<double>(crystal.sites.size()));
}

std::size_t atom_at(const SiteLookup& lookup, const Vector3& r) {
  const std::int64_t found = lookup.find(r);
  if (found >= 0) return static_cast<std::size_t>(found);
  throw InputError(fmt::format("force constants come from another crystal: only one of the two has an atom at ({:.4f}, {:.4f}, {:.4f})",
                               r[0], r[1], r[2]));
}

/// The periodic images of a vector that are shorter than all others, or as short.
std::vector<Vector3> nearest_images(const crystal::Cell& cell, const Vector3& d, double tolerance) {
  Vector3 s = cell.fractional(d);
  for (double& x : s) x -= std::nearbyint(x);
  std::vector<Vector3> images;
  double shortest = std::numeric_limits<double>::infinity();
  for (int n = 0; n < 125; ++n) {
    const Vector3 v = cell.cartesian({s[0] + n / 25 - 2, s[1] + n / 5 % 5 - 2, s[2] + n % 5 - 2});
    const double length = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    if (length > shortest + tolerance) continue;
    if (length < shortest - tolerance) images.clear();
    shortest = std::min(shortest, length);
    images.push_back(v);
  }
  return images;
}

}  // namespace

TransferredConstants transferred_constants(const GaussianBase& source, const crystal::Crystal& source_crystal,
                                           const crystal::Crystal& target) {
  const TranslationGroup& from = source.modes->group();
  const TranslationGroup to = translations_of(target.sites, target.cell);
  const double tolerance = kTolerance * spacing(source_crystal);
  const SiteLookup in_source(source_crystal.sites, source_crystal.cell, tolerance);
  const SiteLookup in_target(target.sites, target.cell, tolerance);
  const Tensor blocks = source.force_constants.permute({0, 2, 3, 1, 4}).contiguous();  // [n_b, cells, n_b, 3, 3]
  Tensor result = at::zeros({to.basis, to.cells(), to.basis, 3, 3}, at::kDouble);
  const double* in = blocks.data_ptr<double>();
  double* out = result.data_ptr<double>();
  for (std::int64_t b = 0; b < to.basis; ++b) {
    const auto i = static_cast<std::size_t>(to.atoms[static_cast<std::size_t>(b)]);
    const Vector3& origin = target.sites[i];
    const std::size_t s0 = atom_at(in_source, origin);
    for (std::size_t s = 0; s < source_crystal.sites.size(); ++s) {
      Vector3 d{};
      for (std::size_t k = 0; k < 3; ++k) d[k] = source_crystal.sites[s][k] - source_crystal.sites[s0][k];
      const std::int64_t g = from.difference(from.cell_of[s], from.cell_of[s0]);
      const double* entry = in + 9 * ((from.basis_of[s0] * from.cells() + g) * from.basis + from.basis_of[s]);
      const std::vector<Vector3> images = nearest_images(source_crystal.cell, d, tolerance);
      for (const Vector3& v : images) {
        const std::size_t j = atom_at(in_target, {origin[0] + v[0], origin[1] + v[1], origin[2] + v[2]});
        const std::int64_t h = to.difference(to.cell_of[j], to.cell_of[i]);
        double* place = out + 9 * ((b * to.cells() + h) * to.basis + to.basis_of[j]);
        for (int c = 0; c < 9; ++c) place[c] += entry[c] / static_cast<double>(images.size());
      }
    }
  }
  const Tensor source_shift = source.sites - sites_tensor(source_crystal);
  Tensor place = at::empty({to.particles()}, at::kLong);
  for (std::size_t i = 0; i < target.sites.size(); ++i)
    place.data_ptr<std::int64_t>()[i] = static_cast<std::int64_t>(atom_at(in_source, target.sites[i]));
  return {exchange_symmetric({to, result.permute({0, 3, 1, 2, 4}).contiguous()}), source_shift.index_select(0, place)};
}

}  // namespace bgw::physics
