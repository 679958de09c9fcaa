#include "runtime/flows/atom_graph.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <set>
#include <vector>

#include "runtime/crystal/neighbours.h"
#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

using crystal::nearest_image;
using crystal::Vector3;

constexpr double kSameShell = 1e-6;  // relative difference of distances that are one

Vector3 difference(const Vector3& a, const Vector3& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }
Vector3 sum(const Vector3& a, const Vector3& b) { return {a[0] + b[0], a[1] + b[1], a[2] + b[2]}; }
double square(const Vector3& a) { return a[0] * a[0] + a[1] * a[1] + a[2] * a[2]; }

Vector3 row(const Tensor& table, std::size_t i) {
  const double* x = table.data_ptr<double>() + 3 * i;
  return {x[0], x[1], x[2]};
}

/// A perfect crystal by its unit cells: atom = place of the cell * basis + b. Edges are found for the atoms of one cell
/// and carried to the others in whole cells, so that equivalent atoms have theirs in the same order.
struct UnitCells {
  explicit UnitCells(const crystal::Crystal& whole)
      : repeats{whole.repeats[0], whole.repeats[1], whole.repeats[2]}, cell(whole.cell) {
    for (std::size_t d = 0; d < 3; ++d) {
      for (double& x : cell.vectors[d]) x /= static_cast<double>(repeats[d]);
    }
    const auto copies = static_cast<std::size_t>(repeats[0] * repeats[1] * repeats[2]);
    if (whole.sites.empty() || whole.sites.size() % copies != 0)
      throw ShapeError("atom graph: the sites of the crystal are not those of whole unit cells");
    basis.assign(whole.sites.begin(), whole.sites.begin() + static_cast<std::ptrdiff_t>(whole.sites.size() / copies));
  }

  std::int64_t atoms() const { return static_cast<std::int64_t>(basis.size()); }
  std::int64_t cells() const { return repeats[0] * repeats[1] * repeats[2]; }
  std::array<std::int64_t, 3> place(std::int64_t number) const {
    return {number / (repeats[1] * repeats[2]), number / repeats[2] % repeats[1], number % repeats[2]};
  }
  std::int64_t atom(std::array<std::int64_t, 3> at, std::int64_t b) const {
    for (std::size_t d = 0; d < 3; ++d) at[d] = (at[d] % repeats[d] + repeats[d]) % repeats[d];
    return ((at[0] * repeats[1] + at[1]) * repeats[2] + at[2]) * atoms() + b;
  }

  std::array<std::int64_t, 3> repeats;
  crystal::Cell cell;  // of one unit
  std::vector<Vector3> basis;
};

/// A neighbour of an atom of the basis: atom b of the cell that stands `cells` from its own.
struct Neighbour {
  std::array<std::int64_t, 3> cells{};
  std::int64_t b = 0;
  Vector3 vector{};  // from the neighbour
  double distance = 0;
};

/// All neighbours of a site within a radius, the nearest first.
std::vector<Neighbour> neighbours_within(const UnitCells& units, std::int64_t site, double radius) {
  const Vector3 heights = units.cell.heights();
  std::array<std::int64_t, 3> reach{};
  for (std::size_t d = 0; d < 3; ++d) reach[d] = static_cast<std::int64_t>(std::ceil(radius / heights[d])) + 1;
  std::vector<Neighbour> found;
  for (std::int64_t x = -reach[0]; x <= reach[0]; ++x) {
    for (std::int64_t y = -reach[1]; y <= reach[1]; ++y) {
      for (std::int64_t z = -reach[2]; z <= reach[2]; ++z) {
        const Vector3 shift =
            units.cell.cartesian({static_cast<double>(x), static_cast<double>(y), static_cast<double>(z)});
        for (std::int64_t b = 0; b < units.atoms(); ++b) {
          const Vector3 there = sum(units.basis[static_cast<std::size_t>(b)], shift);
          const Vector3 vector = difference(units.basis[static_cast<std::size_t>(site)], there);
          const double distance = std::sqrt(square(vector));
          const bool itself = b == site && x == 0 && y == 0 && z == 0;
          if (!itself && distance <= radius) found.push_back({{x, y, z}, b, vector, distance});
        }
      }
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Neighbour& a, const Neighbour& b) { return a.distance < b.distance * (1.0 - kSameShell); });
  return found;
}

/// A radius that holds at least `count` neighbours of every site.
std::vector<std::vector<Neighbour>> nearest_neighbours(const UnitCells& units, std::int64_t count) {
  const double density = static_cast<double>(units.atoms()) / units.cell.volume();
  double radius = std::cbrt(3.0 * static_cast<double>(count + 8) / (4.0 * std::numbers::pi * density));
  while (true) {
    std::vector<std::vector<Neighbour>> all;
    std::size_t fewest = static_cast<std::size_t>(count);
    for (std::int64_t b = 0; b < units.atoms(); ++b) {
      all.push_back(neighbours_within(units, b, radius));
      fewest = std::min(fewest, all.back().size());
    }
    if (fewest >= static_cast<std::size_t>(count)) return all;
    radius *= 1.2;
  }
}

/// The counts that close a shell around a site: those after which the distance grows.
std::set<std::size_t> closing_counts(const std::vector<Neighbour>& sorted) {
  std::set<std::size_t> counts;
  for (std::size_t k = 1; k < sorted.size(); ++k) {
    if (sorted[k].distance > sorted[k - 1].distance * (1.0 + kSameShell)) counts.insert(k);
  }
  return counts;
}

std::set<std::size_t> common_counts(const std::vector<std::vector<Neighbour>>& all) {
  std::set<std::size_t> common = closing_counts(all.front());
  for (const auto& sorted : all) {
    const std::set<std::size_t> own = closing_counts(sorted);
    std::erase_if(common, [&](std::size_t count) { return !own.contains(count); });
  }
  return common;
}

void check_closed(const std::vector<std::vector<Neighbour>>& all, std::int64_t degree, const char* which) {
  const std::set<std::size_t> counts = common_counts(all);
  if (counts.contains(static_cast<std::size_t>(degree))) return;
  throw InputError(fmt::format(
      "flow: {} neighbours do not close a shell around every atom of {}; counts that do: {}",
      degree, which, fmt::join(counts, ", ")));
}

/// How far each site stands from that of the perfect crystal, [N, 3], where only differences count.
Tensor shifts_of(const crystal::Crystal& perfect, const Tensor& sites) {
  Tensor shifts = at::empty_like(sites);
  double* x = shifts.data_ptr<double>();
  for (std::size_t i = 0; i < perfect.sites.size(); ++i) {
    const Vector3 moved = perfect.cell.minimum_image(difference(row(sites, i), perfect.sites[i]));
    for (std::size_t d = 0; d < 3; ++d) x[3 * i + d] = moved[d];
  }
  return shifts;
}

/// Edges of the neighbours of a unit cell's atoms, carried to all cells.
Edges carried(const UnitCells& units, const std::vector<std::vector<Neighbour>>& of_basis, const Tensor& shifts) {
  const auto degree = static_cast<std::int64_t>(of_basis.front().size());
  const std::int64_t particles = units.cells() * units.atoms();
  Edges edges{at::empty({particles, degree}, at::kLong), at::empty({particles, degree, 3}, at::kDouble)};
  std::int64_t* sender = edges.senders.data_ptr<std::int64_t>();
  double* offset = edges.offsets.data_ptr<double>();
  for (std::int64_t c = 0; c < units.cells(); ++c) {
    const auto here = units.place(c);
    for (std::int64_t b = 0; b < units.atoms(); ++b) {
      const Vector3 own = row(shifts, static_cast<std::size_t>(c * units.atoms() + b));
      for (const Neighbour& n : of_basis[static_cast<std::size_t>(b)]) {
        *sender = units.atom({here[0] + n.cells[0], here[1] + n.cells[1], here[2] + n.cells[2]}, n.b);
        const Vector3 vector = sum(n.vector, difference(own, row(shifts, static_cast<std::size_t>(*sender))));
        ++sender;
        for (const double x : vector) *offset++ = x;
      }
    }
  }
  return edges;
}

/// Every other atom of the crystal once, as seen from those of one cell: by its nearest image.
std::vector<std::vector<Neighbour>> all_others(const UnitCells& units, const crystal::Cell& box) {
  std::vector<std::vector<Neighbour>> all;
  for (std::int64_t site = 0; site < units.atoms(); ++site) {
    all.emplace_back();
    for (std::int64_t c = 0; c < units.cells(); ++c) {
      const auto cells = units.place(c);
      const Vector3 shift = units.cell.cartesian(
          {static_cast<double>(cells[0]), static_cast<double>(cells[1]), static_cast<double>(cells[2])});
      for (std::int64_t b = 0; b < units.atoms(); ++b) {
        if (c == 0 && b == site) continue;
        const Vector3 there = sum(units.basis[static_cast<std::size_t>(b)], shift);
        const Vector3 vector = nearest_image(box, difference(units.basis[static_cast<std::size_t>(site)], there));
        all.back().push_back({cells, b, vector, std::sqrt(square(vector))});
      }
    }
  }
  return all;
}

/// Each edge by the nearest image at the moment, in a box of right angles: offsets [B, N, k, 3].
Tensor offsets_of_right_angles(const Tensor& displacements, const Edges& of_sites, const crystal::Cell& cell) {
  const auto& h = cell.vectors;
  const Tensor lengths = at::tensor({h[0][0], h[1][1], h[2][2]}, at::kDouble);
  const Tensor there = displacements.index_select(1, of_sites.senders.flatten());
  const Tensor apart =
      displacements.unsqueeze(2) - there.view({-1, of_sites.senders.size(0), of_sites.senders.size(1), 3});
  return of_sites.offsets - lengths * ((apart + of_sites.offsets) / lengths).round();
}

/// The same in any box.
Tensor offsets_of_any_box(const Tensor& displacements, const Edges& of_sites, const crystal::Cell& cell) {
  const std::int64_t samples = displacements.size(0), particles = of_sites.senders.size(0), degree = of_sites.senders.size(1);
  const Tensor dense = displacements.contiguous();
  Tensor offsets = at::empty({samples, particles, degree, 3}, at::kDouble);
  at::parallel_for(0, samples, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t s = begin; s < end; ++s) {
      const std::int64_t* sender = of_sites.senders.data_ptr<std::int64_t>();
      double* out = offsets.data_ptr<double>() + 3 * s * particles * degree;
      for (std::int64_t e = 0; e < particles * degree; ++e) {
        const Vector3 offset = row(of_sites.offsets, static_cast<std::size_t>(e));
        const Vector3 apart = difference(row(dense, static_cast<std::size_t>(s * particles + e / degree)),
                                         row(dense, static_cast<std::size_t>(s * particles + *sender++)));
        const Vector3 vector = sum(apart, offset);
        for (const double x : sum(offset, difference(nearest_image(cell, vector), vector))) *out++ = x;
      }
    }
  });
  return offsets;
}

Tensor nearest_offsets(const Tensor& displacements, const Edges& of_sites, const crystal::Cell& cell) {
  return cell.is_orthorhombic() ? offsets_of_right_angles(displacements, of_sites, cell)
                                : offsets_of_any_box(displacements, of_sites, cell);
}

struct Candidate {
  double squared_distance = 0;
  std::int64_t atom = 0;
};
bool operator<(const Candidate& a, const Candidate& b) {
  return a.squared_distance < b.squared_distance || (a.squared_distance == b.squared_distance && a.atom < b.atom);
}

/// The k nearest of one configuration. `moved` holds the atoms' positions, `sites` their sites.
void find_nearest(const crystal::Cell& cell, const std::vector<Vector3>& moved, const Tensor& sites,
                  std::int64_t degree, std::int64_t* senders, double* offsets) {
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < moved.size(); ++i) {
    candidates.clear();
    for (std::size_t j = 0; j < moved.size(); ++j) {
      if (j != i)
        candidates.push_back(
            {square(nearest_image(cell, difference(moved[i], moved[j]))), static_cast<std::int64_t>(j)});
    }
    std::partial_sort(candidates.begin(), candidates.begin() + degree, candidates.end());
    for (std::int64_t n = 0; n < degree; ++n) {
      const auto j = static_cast<std::size_t>(candidates[static_cast<std::size_t>(n)].atom);
      const Vector3 apart = difference(moved[i], moved[j]);
      const Vector3 image = difference(nearest_image(cell, apart), apart);
      const Vector3 offset = sum(difference(row(sites, i), row(sites, j)), image);
      *senders++ = static_cast<std::int64_t>(j);
      for (const double x : offset) *offsets++ = x;
    }
  }
}

Edges nearest_edges(const Tensor& displacements, const Tensor& sites, const crystal::Cell& cell, std::int64_t degree) {
  const std::int64_t samples = displacements.size(0), particles = sites.size(0);
  const Tensor positions = (sites + displacements).contiguous();
  Edges edges{at::empty({samples, particles, degree}, at::kLong),
              at::empty({samples, particles, degree, 3}, at::kDouble)};
  std::int64_t* senders = edges.senders.data_ptr<std::int64_t>();
  double* offsets = edges.offsets.data_ptr<double>();
  at::parallel_for(0, samples, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<Vector3> moved(static_cast<std::size_t>(particles));
    for (std::int64_t s = begin; s < end; ++s) {
      for (std::size_t i = 0; i < moved.size(); ++i)
        moved[i] = row(positions, static_cast<std::size_t>(s * particles) + i);
      find_nearest(cell, moved, sites, degree, senders + s * particles * degree, offsets + 3 * s * particles * degree);
    }
  });
  return edges;
}

/// [N, 3]
Tensor fractions_of(const UnitCells& units) {
  std::vector<double> numbers;
  for (const Vector3& site : units.basis) {
    for (const double x : units.cell.fractional(site)) numbers.push_back(x);
  }
  return at::tensor(at::ArrayRef<double>(numbers), at::kDouble).view({units.atoms(), 3}).repeat({units.cells(), 1});
}

/// Where the neighbours that were found in one shape stand in another.
void move_to(const UnitCells& units, std::vector<std::vector<Neighbour>>& of_basis) {
  for (std::size_t site = 0; site < of_basis.size(); ++site) {
    for (Neighbour& n : of_basis[site]) {
      const Vector3 shift = units.cell.cartesian({static_cast<double>(n.cells[0]), static_cast<double>(n.cells[1]), static_cast<double>(n.cells[2])});
      n.vector = difference(units.basis[site], sum(units.basis[static_cast<std::size_t>(n.b)], shift));
      n.distance = std::sqrt(square(n.vector));
    }
  }
}

/// The k nearest of whole shells around the atoms of a unit cell.
std::vector<std::vector<Neighbour>> closed_shells(const UnitCells& units, std::int64_t degree, const char* which = "this crystal") {
  auto neighbours = nearest_neighbours(units, degree + 1);
  check_closed(neighbours, degree, which);
  for (auto& sorted : neighbours) sorted.resize(static_cast<std::size_t>(degree));
  return neighbours;
}

std::vector<std::vector<Neighbour>> closed_shells_of(const UnitCells& units, std::int64_t degree, const crystal::Crystal* nearest) {
  if (nearest == nullptr) return closed_shells(units, degree);
  const UnitCells there(*nearest);
  if (there.repeats != units.repeats || there.atoms() != units.atoms())
    throw ShapeError("atom graph: neighbours can be those of the same crystal in another shape, not of another crystal");
  auto neighbours = closed_shells(there, degree, "the crystal in the middle of its ranges");
  move_to(units, neighbours);
  return neighbours;
}

Edges edges_at_rest(const UnitCells& units, const crystal::Crystal& perfect, const Tensor& sites,
                    Neighbourhood neighbourhood, std::int64_t degree, const crystal::Crystal* nearest) {
  const auto neighbours = neighbourhood == Neighbourhood::complete ? all_others(units, perfect.cell.reduced())
                                                                   : closed_shells_of(units, degree, nearest);
  return carried(units, neighbours, shifts_of(perfect, sites));
}

}  // namespace

Edges AtomGraph::edges(const Tensor& displacements) const {
  switch (neighbourhood) {
    case Neighbourhood::of_the_sites: return of_sites;
    case Neighbourhood::at_the_moment: return nearest_edges(displacements, sites, cell, degree);
    case Neighbourhood::complete: break;
  }
  return {of_sites.senders, nearest_offsets(displacements, of_sites, cell)};
}

AtomGraph make_atom_graph(const crystal::Crystal& crystal, const Tensor& sites, Neighbourhood neighbourhood,
                          std::int64_t degree, const crystal::Crystal* nearest) {
  const auto particles = static_cast<std::int64_t>(crystal.sites.size());
  if (sites.dim() != 2 || sites.size(0) != particles || sites.size(1) != 3)
    throw ShapeError("atom graph: sites must be [N, 3], in the order of the crystal");
  const std::int64_t most =
      neighbourhood == Neighbourhood::of_the_sites ? std::max<std::int64_t>(degree, 1) : particles - 1;
  if (neighbourhood == Neighbourhood::complete) degree = particles - 1;
  if (degree < 1 || degree > most) {
    throw InputError(fmt::format("flow: each of {} atoms can have from 1 to {} neighbours, not {}", particles,
                                 most, degree));
  }
  const UnitCells units(crystal);
  AtomGraph graph{neighbourhood, degree, sites.contiguous(), crystal.cell.reduced(), {}, fractions_of(units)};
  if (neighbourhood != Neighbourhood::at_the_moment)
    graph.of_sites = edges_at_rest(units, crystal, graph.sites, neighbourhood, degree, nearest);
  return graph;
}

}  // namespace bgw::flows
