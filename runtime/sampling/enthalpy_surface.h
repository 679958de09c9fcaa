#pragma once

#include "runtime/physics/crystal_symmetry.h"
#include "runtime/sampling/box.h"

namespace bgw::sampling {

struct HeightAndSlope {
  Tensor height;  // [B], eV
  Tensor slope;   // [B, width], eV/angstrom
};

/// The enthalpy H = U + P V of a crystal at rest over its sites and its box, in coordinates x = (u, s q) that are all lengths:
/// the displacements u [N, 3] of the model, and the coordinates q of the box (box.h) times s = (m N)^(1/2) v^(1/3) with v the
/// volume of an atom and m the edges that a coordinate moves. So the curvature of the box, some v C N in elastic constants C, is
/// of the size of that of a bond, and one step length serves both; and steps along the slope stretch all edges alike where
/// symmetry makes them alike, be they one coordinate or two. Holds a reference to the model.
class EnthalpySurface {
 public:
  /// @param volume      of the model's cell, angstrom^3
  /// @param pressure    eV/angstrom^3
  /// @param sites_move  false: the slope has nothing for the sites
  EnthalpySurface(const physics::EnergyModel& model, double volume, BoxShape shape, double pressure, bool sites_move);
  /// The same with the slope averaged over a symmetry of the model's crystal, which a way downhill then keeps, rounding and
  /// unstable directions notwithstanding. The box counts through its metric F^T F. A triclinic one is left to itself: where
  /// symmetry leaves a shear free, the symmetric boxes are a bent surface among its coordinates.
  EnthalpySurface keeping(const physics::CrystalSymmetry& symmetry) const;

  std::int64_t particles() const { return model_.particles(); }
  std::int64_t width() const { return 3 * particles() + freedom_of(shape_); }
  /// Of an atom in the model's cell, cubic root of its volume: what displacements are small against.
  double spacing() const { return spacing_; }
  bool sites_move() const { return sites_move_; }

  /// [B, width] -> [B, N, 3], [B, d] and [B, 3, 3].
  Tensor displacements(const Tensor& points) const;
  Tensor box(const Tensor& points) const;
  Tensor deformation(const Tensor& points) const { return deformation_of(shape_, box(points)); }
  /// ln V / V0, [B].
  Tensor log_volume_ratio(const Tensor& points) const { return sampling::log_volume_ratio(shape_, box(points)); }

  /// Infinitely high, without a slope, where an edge of the box is more than sixteen times longer or shorter.
  HeightAndSlope at(const Tensor& points) const;

 private:
  void symmetrise(const Tensor& deformation, physics::EnergyGradientStrain& value) const;

  const physics::EnergyModel& model_;
  BoxShape shape_;
  double pressure_volume_, spacing_;
  Tensor box_lengths_;  // s, [d]
  bool sites_move_;
  const physics::CrystalSymmetry* symmetry_ = nullptr;
};

/// The largest curvature of the surface at a point [width], by power iteration with differences of slopes, eV/angstrom^2.
double stiffest_curvature(const EnthalpySurface& surface, const Tensor& point);

}  // namespace bgw::sampling
