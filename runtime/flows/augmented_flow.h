#pragma once

#include <memory>

#include "runtime/flows/coupling_flow.h"
#include "runtime/flows/graph_conditioner.h"

namespace bgw::flows {

/// The local augmented flow: splines move a second copy of the atoms as a graph network of the first says, then the
/// first as one of the second says, and so on. What a network is trained on is all here; the crystal it is applied to
/// comes beside it.
struct AugmentedSpec {
  std::int64_t layers = 4;  // each has two couplings with networks of their own
  double aux_width = 0.2;   // angstrom, of the second copy about the first
  Neighbourhood neighbourhood = Neighbourhood::of_the_sites;
  std::int64_t neighbours = 16;  // not asked for a complete graph
  double range = 6.2;            // angstrom: splines act on [-range, range], which is also the period of the features
  GraphNetwork network;          // its embedding, layers, frequencies and bins
  at::ScalarType precision = at::kFloat;
  bool fused = true;  // float32 networks by fused kernels; else by plain operations, with which those are compared
};

/// Half the longest edge of the box of the published experiments at this density: of 64 atoms, of 108 for fcc, of 54
/// for bcc, nearest to a cube for lattices that were not among them.
double published_range(const crystal::LatticeKind& kind, double density);

/// What a training should not begin with, though a trained flow may be applied to it.
/// @throws InputError for neighbours that look alike to the network (edge_periods.h)
void check_for_training(const AugmentedSpec& spec, const crystal::Crystal& crystal, const Tensor& sites);

/// @param target   on whatever Gaussian the flow begins from; must outlive the flow
/// @param crystal  the perfect crystal, in the order of the target's atoms
/// @param sites    [N, 3], those of the Gaussian
/// @param nearest  whose nearest sites are neighbours (atom_graph.h); those of the crystal itself when null
/// @throws InputError for sizes and widths that cannot be, and for neighbours that do not close a shell
std::unique_ptr<CouplingFlow> make_augmented_flow(const AugmentedSpec& spec, const physics::WhitenedTarget& target,
                                                  const crystal::Crystal& crystal, const Tensor& sites,
                                                  const crystal::Crystal* nearest = nullptr);

}  // namespace bgw::flows
