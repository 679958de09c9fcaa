#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/crystal/cell.h"
#include "runtime/crystal/neighbours.h"

namespace bgw::crystal {

/// A lattice type: its conventional cell, orthorhombic where the lattice is built in, and its basis.
struct LatticeKind {
  std::string name;                  // "diamond_cubic", "hcp", …
  Cell shape;                        // the conventional cell; the density gives its size
  std::vector<Vector3> basis;        // fractional coordinates in the conventional cell
  int atoms_per_primitive_cell = 0;  // n_p; 0 for a file, space_group() finds it
};

/// The lattice of that name, or nullptr.
const LatticeKind* find_lattice(const std::string& name);
std::vector<std::string> lattice_names();

/// What may be chosen in a lattice beside its density; the edges a, b, c are those of the conventional cell.
struct Shape {
  std::optional<double> b_over_a;
  std::optional<double> c_over_a;
  double delta = 0.0;  // of beta_tin: shift of its sites along x and y, in cell edges
};
/// True for the cells whose edge ratios symmetry does not fix.
bool takes_edge_ratios(const LatticeKind& kind);
bool takes_delta(const LatticeKind& kind);
LatticeKind shaped(LatticeKind kind, const Shape& shape);

/// The periodic box.
Cell box_of(const LatticeKind& kind, const std::array<int, 3>& repeats, double density);

/// Atoms at one distance from a site.
struct Shell {
  double distance = 0.0;
  int count = 0;
};
/// Neighbour shells of the infinite crystal around the site with the nearest neighbours, ascending: those up to
/// `cutoff` (no further than 12 nearest distances), and at least the first. Distances equal to 1e-6 are one shell.
std::vector<Shell> neighbour_shells(const LatticeKind& kind, double density, double cutoff);
/// The first of them. Looked up after the first call for a cell: families of thousands of crystals ask for it.
Shell nearest_shell(const LatticeKind& kind, double density);

/// The two atoms of the conventional cell that are nearest to each other.
Pair closest_pair(const LatticeKind& kind, double density);
/// The first atom of the conventional cell that has no neighbour up to `cutoff`, and how far away its nearest one is.
struct LonelySite {
  std::size_t site = 0;
  double nearest = 0.0;
};
std::optional<LonelySite> lonely_site(const LatticeKind& kind, double density, double cutoff);

/// Repeats of the conventional cell that hold `atoms` atoms: equal repeats where the count is a cube (the boxes of
/// the literature) and no edge is longer than twice another, else the box nearest to a cube (smallest ratio of longest to shortest edge, not above 2);
/// nullopt when no integer triple does. diamond_cubic takes 8 k^3 boxes and others.
std::optional<std::array<int, 3>> repeats_for(const LatticeKind& kind, std::int64_t atoms);
/// The atom counts of the boxes nearest to a cube around `atoms`: below, above and a few more, ascending.
std::vector<std::int64_t> allowed_atoms(const LatticeKind& kind, std::int64_t atoms);

/// A perfect crystal in its periodic box.
struct Crystal {
  std::vector<Vector3> sites;  // loops over x-, y-, z-cells, then basis; first site of the basis at its fraction
  Cell cell;
  std::array<int, 3> repeats{1, 1, 1};
  std::vector<int> basis_index;  // per site: which basis atom
};

/// @param density atoms per volume
Crystal make_crystal(const LatticeKind& kind, const std::array<int, 3>& repeats, double density);

}  // namespace bgw::crystal
