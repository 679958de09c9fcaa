#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "runtime/crystal/cell.h"

// Distances in cells of any shape and any number of atoms, all periodic images counted: sites are sorted into boxes as
// wide as the search, so ten thousand atoms take milliseconds.
namespace bgw::crystal {

struct Pair {
  std::size_t first = 0;
  std::size_t second = 0;  // the same atom where it is its own image
  double distance = 0.0;
};

/// The two atoms that are nearest to each other. Spheres of that diameter do not overlap, and none are packed more
/// densely than in fcc, so it is at most 2^(1/6) times the cube root of the volume of an atom: the search ends there.
/// @param sites  Cartesian, anywhere; not empty
Pair closest_pair(const Cell& cell, const std::vector<Vector3>& sites);

/// The shortest periodic image of a displacement, in a cell of any shape.
/// @param reduced  the cell by its shortest vectors (Cell::reduced): the image is one of the 27 around that which rounding finds
Vector3 nearest_image(const Cell& reduced, const Vector3& displacement);

/// Distances of all neighbours of one site up to `cutoff`, ascending.
std::vector<double> distances_from(const Cell& cell, const std::vector<Vector3>& sites, std::size_t site, double cutoff);

/// The first atom that has no neighbour up to `cutoff`.
std::optional<std::size_t> lonely_site(const Cell& cell, const std::vector<Vector3>& sites, double cutoff);

}  // namespace bgw::crystal
