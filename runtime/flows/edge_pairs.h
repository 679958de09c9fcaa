#pragma once

#include <cstdint>
#include <vector>

#include "runtime/flows/kernels/graph_kernels.h"

namespace bgw::flows {

/// The edges of a graph of atoms, two by two: an edge and its way back, along the opposite vector, are one pair. Edges
/// without a way back, which the k nearest of a moment may have, stand alone behind them.
struct EdgePairs {
  std::int64_t both = 0;
  std::vector<std::int32_t> first, second;  // the first receives, from the second
  std::vector<double> offset;               // [pairs][3], of the edge that the first receives

  kernels::PairView view() const {
    return {both, static_cast<std::int64_t>(first.size()), first.data(), second.data(), offset.data()};
  }
};

/// @param senders  [particles][degree], as AtomGraph has them
/// @param offsets  [particles][degree][3]
EdgePairs pair_edges(std::int64_t particles, std::int64_t degree, const std::int64_t* senders, const double* offsets);

}  // namespace bgw::flows
