#include "runtime/physics/mapped_modes.h"

#include "runtime/foundation/errors.h"

namespace bgw::physics {

Tensor mapped_modes(const ModeTransform& from, const ModeTransform& to, const Tensor& y) {
  if (from.particles() != to.particles()) throw ShapeError("mapped modes: the crystals have different numbers of atoms");
  const Tensor field = from.displacements(y * from.squared_norms().rsqrt());
  return to.pull_back(field) * to.squared_norms().rsqrt();
}

}  // namespace bgw::physics
