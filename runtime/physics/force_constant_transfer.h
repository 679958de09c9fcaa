#pragma once

#include "runtime/crystal/lattice.h"
#include "runtime/physics/gaussian_base.h"

namespace bgw::physics {

/// Force constants and site shifts of one crystal, in another box of the same crystal.
struct TransferredConstants {
  ForceConstants constants;  // energy/length^2
  Tensor shift;              // [N, 3], from the perfect sites
};

/// Copies by the vectors between atoms: each entry goes to the nearest image of its pair, one at the boundary of the box
/// in equal shares to all images that are equally near. Right where forces end within half of the source's box.
/// @param source          a base and the perfect crystal it was made for
/// @throws InputError when the infinite crystals differ: an atom of one stands where the other has none
/// @source method.md 10.1
TransferredConstants transferred_constants(const GaussianBase& source, const crystal::Crystal& source_crystal,
                                           const crystal::Crystal& target);

}  // namespace bgw::physics
