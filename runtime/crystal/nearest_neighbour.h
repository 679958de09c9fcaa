#pragma once

#include <vector>

#include "runtime/crystal/cell.h"

namespace bgw::crystal {

/// The smallest distance between two sites of a periodic crystal, images of a site included.
/// @throws InputError without sites, or when the cell has no volume
double nearest_neighbour_distance(const std::vector<Vector3>& sites, const Cell& cell);

}  // namespace bgw::crystal
