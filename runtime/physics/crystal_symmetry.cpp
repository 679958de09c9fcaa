#include "runtime/physics/crystal_symmetry.h"

namespace bgw::physics {

CrystalSymmetry symmetry_of(const crystal::Crystal& crystal) {
  return {translations_of(crystal.sites, crystal.cell), {}};
}

}  // namespace bgw::physics
