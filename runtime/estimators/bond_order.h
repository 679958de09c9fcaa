#pragma once

#include "runtime/tensor/tensor.h"

namespace bgw::estimators {

/// A cutoff that takes in the first two shells of neighbours of a crystal: halfway from the second to the third.
/// Distances that differ by less than 5 percent from one to the next are one shell, so that the split shells of ice Ih
/// and sites that relaxation moved count as what they are.
/// @param sites [N, 3], @param cell [3, 3] rows are the cell's vectors; in angstrom
/// @return angstrom: 4.85 for cubic ice at 0.0336 atoms per cubic angstrom, in the middle of what separates it from ice Ih
double two_shell_cutoff(const Tensor& sites, const Tensor& cell);

/// The averaged bond order parameter of every atom: the spherical harmonics of the bonds to all neighbours within the
/// cutoff, averaged over the atom and its neighbours, and the length of that vector.
/// @param displacements  [n, N, 3] from the sites
/// @param deformation    [n, 3, 3] or undefined: atoms stand at F (R + u) in the cell h F^T
/// @param degree         even, 2 to 12
/// @param cutoff         angstrom; all periodic images within it count
/// @return [n, N]; 0 for an atom without neighbours. Invariant under rotations.
/// @throws ShapeError for other shapes, InputError for another degree
/// @source Lechner and Dellago, J. Chem. Phys. 129, 114707 (2008)
Tensor averaged_bond_order(const Tensor& displacements, const Tensor& sites, const Tensor& cell, const Tensor& deformation,
                           std::int64_t degree, double cutoff);

}  // namespace bgw::estimators
