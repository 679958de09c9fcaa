#pragma once

#include <cstdint>
#include <string>

#include "runtime/crystal/cell.h"
#include "runtime/crystal/lattice.h"
#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// Which atoms send messages to an atom. Where what is nearest depends on the moment, a map that sees the graph jumps:
/// its density stays exact, but gradients of losses miss what happens at the jumps.
enum class Neighbourhood {
  complete,      // all others, each by its nearest image at the moment
  of_the_sites,  // those on the k nearest sites of the perfect crystal, periodic images counted: smooth
  at_the_moment  // the k nearest of each configuration
};

/// Who sends to whom in configurations, and along which vector.
struct Edges {
  Tensor senders;  // [N, k] or, where samples differ, [B, N, k], int64
  Tensor offsets;  // [N, k, 3] or [B, N, k, 3], float64: the edge vector is that of the displacements, receiver minus
                   // sender, plus this
};

/// The atoms of a crystal as a graph. Nothing here grows with the crystal but the number of rows, so a network on one
/// crystal is a network on all sizes of it.
struct AtomGraph {
  Neighbourhood neighbourhood = Neighbourhood::of_the_sites;
  std::int64_t degree = 0;  // k
  Tensor sites;             // [N, 3], float64, from which displacements count
  crystal::Cell cell;       // reduced
  Edges of_sites;   // at zero displacement; of the sites: always
  Tensor fraction;  // [N, 3], of each site's place in the conventional cell of the perfect crystal: which sublattice

  std::int64_t particles() const { return sites.size(0); }
  /// The edges of configurations. Constants: no gradients flow through them.
  /// @param displacements [B, N, 3], float64
  Edges edges(const Tensor& displacements) const;
};

/// @param crystal  the perfect crystal; its order of atoms is that of `sites`
/// @param sites    [N, 3], float64, near those of the crystal: from which displacements count
/// @param degree   k; not asked for a complete graph
/// @param nearest  the same crystal in another shape, whose nearest sites are neighbours in this one, too; its own when null.
///                 So a crystal that is stretched keeps its neighbours, and edge vectors are those of its shape
/// @throws InputError unless k closes a shell of neighbours around every site, naming the counts that do
AtomGraph make_atom_graph(const crystal::Crystal& crystal, const Tensor& sites, Neighbourhood neighbourhood,
                          std::int64_t degree, const crystal::Crystal* nearest = nullptr);

}  // namespace bgw::flows
