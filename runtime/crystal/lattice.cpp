#include "runtime/crystal/lattice.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "runtime/foundation/errors.h"

namespace bgw::crystal {
namespace {

const double kSqrt3 = std::numbers::sqrt3;
const double kIdealCOverA = std::sqrt(8.0 / 3.0);

std::vector<Vector3> scaled(std::vector<Vector3> points, double divisor) {
  for (Vector3& p : points) {
    for (double& x : p) x /= divisor;
  }
  return points;
}

LatticeKind diamond_cubic() {
  return {"diamond_cubic",
          Cell::orthorhombic(1.0, 1.0, 1.0),
          scaled({{0, 0, 0}, {0, 2, 2}, {2, 0, 2}, {2, 2, 0}, {3, 3, 3}, {3, 1, 1}, {1, 3, 1}, {1, 1, 3}}, 4.0),
          2};
}

// In sixths; a = 3/8 puts the four bonds of an oxygen at equal length.
LatticeKind ice_ih() {
  const double a = 0.375;
  return {"ice_ih",
          Cell::orthorhombic(1.0, kSqrt3, kIdealCOverA),
          scaled({{3, 5, 3 + a},
                  {0, 4, a},
                  {0, 2, 3 + a},
                  {3, 1, a},
                  {0, 2, 6 - a},
                  {3, 1, 3 - a},
                  {3, 5, 6 - a},
                  {0, 4, 3 - a}},
                 6.0),
          4};
}

LatticeKind fcc() { return {"fcc", Cell::orthorhombic(1.0, 1.0, 1.0), scaled({{0, 0, 0}, {1, 1, 0}, {1, 0, 1}, {0, 1, 1}}, 2.0), 1}; }

LatticeKind bcc() { return {"bcc", Cell::orthorhombic(1.0, 1.0, 1.0), scaled({{0, 0, 0}, {1, 1, 1}}, 2.0), 1}; }

LatticeKind hcp() {
  return {"hcp", Cell::orthorhombic(1.0, kSqrt3, kIdealCOverA), scaled({{0, 0, 0}, {3, 3, 0}, {0, 4, 3}, {3, 1, 3}}, 6.0), 2};
}

// Close-packed layers on top of each other, so that fcc and hcp fill equal boxes.
LatticeKind fcc_orthorhombic() {
  return {"fcc_orthorhombic",
          Cell::orthorhombic(1.0, kSqrt3, std::sqrt(6.0)),
          scaled({{0, 0, 0}, {3, 3, 0}, {0, 4, 2}, {3, 1, 2}, {0, 2, 4}, {3, 5, 4}}, 6.0),
          1};
}

constexpr double kWhiteTin = 0.5456;  // c/a of tin; a program gives that of its own crystal

LatticeKind beta_tin() {
  return {"beta_tin", Cell::orthorhombic(1.0, 1.0, kWhiteTin), scaled({{0, 0, 0}, {0, 2, 1}, {2, 2, 2}, {2, 0, 3}}, 4.0), 2};
}

const std::vector<LatticeKind>& kinds() {
  static const std::vector<LatticeKind> all{diamond_cubic(), ice_ih(), fcc(), bcc(), hcp(), fcc_orthorhombic(), beta_tin()};
  return all;
}

/// Longest edge over shortest edge of the box.
double edge_ratio(const LatticeKind& kind, const std::array<int, 3>& repeats) {
  Vector3 edges = kind.shape.lengths();
  for (std::size_t k = 0; k < 3; ++k) edges[k] *= repeats[k];
  return *std::max_element(edges.begin(), edges.end()) / *std::min_element(edges.begin(), edges.end());
}

constexpr double kMaximalRatio = 2.0;
constexpr double kNearCubic = 1.5;

}  // namespace

const LatticeKind* find_lattice(const std::string& name) {
  for (const LatticeKind& kind : kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

std::vector<std::string> lattice_names() {
  std::vector<std::string> names;
  for (const LatticeKind& kind : kinds()) names.push_back(kind.name);
  return names;
}

std::optional<std::array<int, 3>> repeats_for(const LatticeKind& kind, std::int64_t atoms) {
  const auto basis = static_cast<std::int64_t>(kind.basis.size());
  if (atoms <= 0 || atoms % basis != 0) return std::nullopt;
  const std::int64_t cells = atoms / basis;
  const auto root = static_cast<int>(std::llround(std::cbrt(static_cast<double>(cells))));
  double best_ratio = kMaximalRatio * (1.0 + 1e-12);
  const std::array<int, 3> equal{root, root, root};
  if (std::int64_t{root} * root * root == cells && edge_ratio(kind, equal) < best_ratio) return equal;
  std::optional<std::array<int, 3>> best;
  // Edges within a factor of two keep every repeat below three times the cube root of the cells.
  const std::int64_t limit = std::min<std::int64_t>(cells, 4 * root + 4);
  for (std::int64_t i = 1; i <= limit; ++i) {
    if (cells % i != 0) continue;
    for (std::int64_t j = 1; j <= limit; ++j) {
      if ((cells / i) % j != 0 || cells / i / j > limit) continue;
      const std::array<int, 3> repeats{static_cast<int>(i), static_cast<int>(j), static_cast<int>(cells / i / j)};
      const double ratio = edge_ratio(kind, repeats);
      if (ratio < best_ratio * (1.0 - 1e-12)) {
        best = repeats;
        best_ratio = ratio;
      }
    }
  }
  return best;
}

std::vector<std::int64_t> allowed_atoms(const LatticeKind& kind, std::int64_t atoms) {
  const auto basis = static_cast<std::int64_t>(kind.basis.size());
  const std::int64_t centre = std::max<std::int64_t>(1, atoms / basis);
  const auto is_near_cubic = [&](std::int64_t cells) {
    const auto repeats = repeats_for(kind, cells * basis);
    return repeats && (edge_ratio(kind, *repeats) <= kNearCubic ||
                       ((*repeats)[0] == (*repeats)[1] && (*repeats)[1] == (*repeats)[2]));
  };
  std::vector<std::int64_t> found;
  for (std::int64_t cells = centre; cells > 0 && found.size() < 2; --cells) {
    if (is_near_cubic(cells)) found.push_back(cells * basis);
  }
  std::reverse(found.begin(), found.end());
  const std::size_t below = found.size();
  for (std::int64_t cells = centre + 1; found.size() < below + 2; ++cells) {
    if (is_near_cubic(cells)) found.push_back(cells * basis);
  }
  return found;
}

bool takes_edge_ratios(const LatticeKind& kind) { return kind.shape.vectors != Cell::orthorhombic(1.0, 1.0, 1.0).vectors; }

bool takes_delta(const LatticeKind& kind) { return kind.name == "beta_tin"; }

LatticeKind shaped(LatticeKind kind, const Shape& shape) {
  if (shape.b_over_a) kind.shape.vectors[1][1] = *shape.b_over_a * kind.shape.vectors[0][0];
  if (shape.c_over_a) kind.shape.vectors[2][2] = *shape.c_over_a * kind.shape.vectors[0][0];
  if (takes_delta(kind)) {
    kind.basis[1][0] += shape.delta;
    kind.basis[2][0] += shape.delta;
    kind.basis[2][1] += shape.delta;
    kind.basis[3][1] += shape.delta;
  }
  return kind;
}

Cell box_of(const LatticeKind& kind, const std::array<int, 3>& repeats, double density) {
  const double cell_volume = static_cast<double>(kind.basis.size()) / density;
  const double unit = std::cbrt(cell_volume / kind.shape.volume());
  Cell box = kind.shape;
  for (std::size_t k = 0; k < 3; ++k) {
    for (double& x : box.vectors[k]) x = unit * x * repeats[k];
  }
  return box;
}

namespace {

std::vector<Vector3> places(const LatticeKind& kind, const Cell& cell) {
  std::vector<Vector3> sites;
  for (const Vector3& f : kind.basis) sites.push_back(cell.cartesian(f));
  return sites;
}

}  // namespace

Pair closest_pair(const LatticeKind& kind, double density) {
  const Cell cell = box_of(kind, {1, 1, 1}, density);
  return closest_pair(cell, places(kind, cell));
}

std::optional<LonelySite> lonely_site(const LatticeKind& kind, double density, double cutoff) {
  const Cell cell = box_of(kind, {1, 1, 1}, density);
  const std::vector<Vector3> sites = places(kind, cell);
  const auto site = lonely_site(cell, sites, cutoff);
  if (!site) return std::nullopt;
  std::vector<double> distances;  // its own images are neighbours, too
  for (double reach = 2.0 * cutoff; distances.empty(); reach *= 2.0) distances = distances_from(cell, sites, *site, reach);
  return LonelySite{*site, distances.front()};
}

std::vector<Shell> neighbour_shells(const LatticeKind& kind, double density, double cutoff) {
  const Cell cell = box_of(kind, {1, 1, 1}, density);
  const std::vector<Vector3> sites = places(kind, cell);
  const Pair closest = closest_pair(cell, sites);
  const double reach = std::max(std::min(cutoff, 12.0 * closest.distance), closest.distance * (1.0 + 1e-6));
  std::vector<Shell> shells;
  for (const double distance : distances_from(cell, sites, closest.first, reach)) {
    if (!shells.empty() && distance <= shells.back().distance * (1.0 + 1e-6)) {
      ++shells.back().count;
    } else if (distance <= cutoff || shells.empty()) {
      shells.push_back({distance, 1});
    }
  }
  return shells;
}

Shell nearest_shell(const LatticeKind& kind, double density) {
  thread_local std::map<std::vector<double>, Shell> at_unit_density;  // by the shape of the cell
  std::vector<double> cell;
  for (const Vector3& vector : kind.shape.vectors) cell.insert(cell.end(), vector.begin(), vector.end());
  for (const Vector3& site : kind.basis) cell.insert(cell.end(), site.begin(), site.end());
  if (at_unit_density.size() > 10'000) at_unit_density.clear();
  const auto [found, fresh] = at_unit_density.try_emplace(std::move(cell));
  if (fresh) found->second = neighbour_shells(kind, 1.0, 0.0).front();
  return {found->second.distance / std::cbrt(density), found->second.count};
}

Crystal make_crystal(const LatticeKind& kind, const std::array<int, 3>& repeats, double density) {
  if (!(density > 0.0)) throw InputError("the density of a lattice must be positive");
  if (*std::min_element(repeats.begin(), repeats.end()) < 1)
    throw InputError("the repeats of a lattice must be positive integers");
  const double cells = static_cast<double>(repeats[0]) * repeats[1] * repeats[2];
  const Cell unit = box_of(kind, {1, 1, 1}, density);

  Crystal crystal;
  crystal.repeats = repeats;
  crystal.cell = box_of(kind, repeats, density);
  crystal.sites.reserve(static_cast<std::size_t>(cells) * kind.basis.size());
  for (int x = 0; x < repeats[0]; ++x) {
    for (int y = 0; y < repeats[1]; ++y) {
      for (int z = 0; z < repeats[2]; ++z) {
        for (std::size_t b = 0; b < kind.basis.size(); ++b) {
          const Vector3& f = kind.basis[b];
          crystal.sites.push_back(unit.cartesian({x + f[0], y + f[1], z + f[2]}));
          crystal.basis_index.push_back(static_cast<int>(b));
        }
      }
    }
  }
  return crystal;
}

}  // namespace bgw::crystal
