#pragma once

#include <cstdint>
#include <string>

#include "runtime/physics/energy_model.h"

namespace bgw::sampling {

/// How the box may move. The deformation F takes the box h (rows are cell vectors) to h F^T and an atom from R + u to
/// F (R + u); it is given by coordinates q:
///
///     isotropic      F = e^q0                          all lengths alike
///     a_eq_b         F = diag(e^q0, e^q0, e^q1)        x and y alike, z by itself
///     orthorhombic   F = diag(e^q0, e^q1, e^q2)        each by itself
///     triclinic      F = diag(e^q0, e^q1, e^q2) with q3, q4, q5 at xy, xz, yz: every shape, none of them turned
enum class BoxShape { isotropic, a_eq_b, orthorhombic, triclinic };

/// @throws InputError for a word that is none of the four
BoxShape box_shape(const std::string& word);
/// How many coordinates it has: 1, 2, 3 or 6.
std::int64_t freedom_of(BoxShape shape);

/// F of coordinates, [B, d] -> [B, 3, 3].
Tensor deformation_of(BoxShape shape, const Tensor& coordinates);
/// The coordinates of F, [B, 3, 3] -> [B, d]; of one that the shape does not have, those of what it shares with it.
Tensor coordinates_of(BoxShape shape, const Tensor& deformation);

/// ln det F, [B].
Tensor log_volume_ratio(BoxShape shape, const Tensor& coordinates);

/// The logarithm of the density in (u, q) that goes with exp(-beta (U + P V)), up to a constant, [B].
///
/// At constant pressure the atoms' positions x and the box have the weight
///     exp(-beta (U + P V)) dx dV dmu,
/// where mu measures shapes of one volume so that none is preferred: the invariant (Haar) measure of the group of the
/// deformations of determinant 1 that the box may make. Positions contribute (det F)^N: dx = (det F)^(N-1) du within
/// the 3N - 3 dimensions without the centre of mass, times the volume that the centre of mass has for itself. The
/// group of all allowed deformations has the measure d ln V dmu, so that dV dmu is V times it. For the diagonal
/// groups that is prod dq: together (det F)^(N+1). For all deformations, F = (rotation) (upper triangle R), the measure
/// is (det F)^-3 dF, the Jacobian of the split is dF = R00^2 R11 dR drotation, and dR = det R dq; together (det
/// F)^(N-1) R00^2 R11. These are the measures V^N dV (isotropic) and (det h)^(N-2) dh (triclinic) of the literature.
/// @source Martyna, Tobias, Klein, J. Chem. Phys. 101, 4177 (1994), eq. 2.9; method.md 4.4
Tensor log_measure(BoxShape shape, const Tensor& coordinates, std::int64_t particles);

/// Its derivatives by the coordinates, [d]: it is linear in them.
Tensor log_measure_gradient(BoxShape shape, std::int64_t particles);

/// Derivatives of U + P V with respect to the coordinates.
/// @param strain_gradient  [B, 3, 3], dU/d epsilon for x -> (1 + epsilon) x on top of F
/// @param pressure_volume  P times the volume of the box before the deformation, eV
/// @return                 [B, d], eV
Tensor enthalpy_gradient(BoxShape shape, const Tensor& coordinates, const Tensor& strain_gradient,
                         double pressure_volume);

/// Coordinates [d] of the box with the least enthalpy U + P V of atoms at rest on their sites, by Newton's method with
/// differences of the gradient: where a run at constant pressure begins, so that a wrong density costs no
/// equilibration.
/// @param volume  of the box before the deformation, angstrom^3
/// @throws NumericalError when there is no such box within a factor of four in the volume
Tensor relaxed_box(const physics::EnergyModel& model, BoxShape shape, double pressure, double volume);

/// Second derivatives of the enthalpy of atoms at rest by the coordinates, at the box with the coordinates q [d]: [d,
/// d], eV.
Tensor box_stiffness(const physics::EnergyModel& model, BoxShape shape, double pressure, double volume,
                     const Tensor& q);

}  // namespace bgw::sampling
