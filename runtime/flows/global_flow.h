#pragma once

#include <memory>

#include "runtime/crystal/cell.h"
#include "runtime/flows/attention_conditioner.h"
#include "runtime/flows/coupling_flow.h"

namespace bgw::flows {

/// The sizes of a global flow; those of the publication, which takes 8 frequencies up to 64 atoms, 16 up to 256, 24 and
/// 32 for 512 atoms of ice and 500 of Lennard-Jones.
struct GlobalFlowSpec {
  std::int64_t layers = 24;
  AttentionSpec network;
  std::int64_t batch = 0;  // samples that it is given at once where they are few, so that no more are worked on; 0: any number
};

/// The published global flow: attention over all atoms of the crystal. A layer moves two axes as the first says, then the
/// first as the two say, each by circular splines over the cell, shifts all axes by learned amounts and turns them. The
/// last layer turns them back to where they began. For the base, the measure and the labels see global_ends.h. Parameters
/// belong to one crystal: they do not transfer to other sizes.
/// @param target  of an einstein_crystal base; must outlive the flow
/// @param sites   [N, 3] Cartesian
/// @param type    precision of the networks: float32 or float64
/// @throws InputError for layers below one, sizes that make no network, another base
/// @source Wirnsberger et al., "Normalizing flows for atomic solids", Mach. Learn.: Sci. Technol. 3, 025009 (2022)
std::unique_ptr<CouplingFlow> make_global_flow(const GlobalFlowSpec& spec, const physics::WhitenedTarget& target,
                                               const Tensor& sites, const crystal::Cell& cell, at::ScalarType type);

/// The layout of its parameters, for which no crystal is needed.
ParameterLayout global_flow_layout(const GlobalFlowSpec& spec);

}  // namespace bgw::flows
