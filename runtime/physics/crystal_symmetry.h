#pragma once

#include <vector>

#include "runtime/crystal/lattice.h"
#include "runtime/physics/force_constants.h"
#include "runtime/physics/translation_group.h"

namespace bgw::physics {

/// What maps a crystal in its periodic box onto itself: its pure translations, and one operation for each rotation.
struct CrystalSymmetry {
  TranslationGroup translations;
  std::vector<PointOperation> rotations;

  /// Averages over all of them. A field is [N, 3].
  Tensor average(const Tensor& field) const { return symmetrised(averaged(field, translations), rotations); }
  ForceConstants average(const ForceConstants& constants) const { return symmetrised(constants, rotations); }
};

CrystalSymmetry symmetry_of(const crystal::Crystal& crystal);

/// From each site to where it has the symmetry that symmetry_of() finds exactly: sites of a file have it to some digits only.
/// @return [N, 3], angstrom; zero up to rounding for sites that have it. Of a cell that has it to some digits only, the sites are taken as near as it lets them
Tensor shift_to_symmetry(const crystal::Crystal& crystal);

}  // namespace bgw::physics
