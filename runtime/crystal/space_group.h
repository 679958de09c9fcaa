#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/crystal/lattice.h"

// Symmetry of crystals, found by spglib in the unit cell and carried to the periodic box by whole numbers. Atoms are
// taken to stand on a symmetric place when they do so within 1e-4 of the nearest distance: files round. Unit cells of more
// than 1000 atoms are taken as they are, without symmetry: the search grows with their square.
namespace bgw::crystal {

/// What the crystal is called.
struct SpaceGroup {
  int number = 1;                       // of the International Tables, 1 to 230
  std::string symbol = "P1";            // "Fd-3m"
  std::string point_group = "1";        // "m-3m"
  int atoms_per_primitive_cell = 0;     // n_p
};
SpaceGroup space_group(const Crystal& crystal);

/// The box as a block of primitive cells: site i = R + origin of atom basis[i], where R = sum_k cell[i][k] vectors[k]
/// up to a vector of the box.
struct PrimitiveCells {
  Matrix3 vectors{};                              // rows, right-handed
  std::vector<Vector3> sites;                     // of the atoms of one cell
  std::array<std::int32_t, 3> counts{1, 1, 1};    // cells are numbered 0 <= cell[i][k] < counts[k], each once
  std::vector<std::array<std::int32_t, 3>> cell;  // per atom
  std::vector<std::int32_t> basis;                // per atom: 0 to n_p - 1
};
PrimitiveCells primitive_cells(const Crystal& crystal);

/// x -> rotation x + translation maps the infinite crystal and the lattice of its box onto themselves.
struct SymmetryOperation {
  Matrix3 rotation{};                 // Cartesian, orthogonal: x'_a = sum_b rotation[a][b] x_b
  Vector3 translation{};              // Cartesian
  std::vector<std::int32_t> image;    // atom i goes to the place of atom image[i], up to vectors of the box
};

/// One operation for each rotation of the crystal that also maps the box onto itself, the identity first. With the pure
/// translations they make all symmetries of the periodic crystal.
std::vector<SymmetryOperation> point_operations(const Crystal& crystal);

}  // namespace bgw::crystal
