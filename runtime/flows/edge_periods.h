#pragma once

#include "runtime/flows/atom_graph.h"

namespace bgw::flows {

/// How well the features of edge vectors, which come again after a period, tell the neighbours of a site apart: of all pairs whose
/// vectors differ by more than half a period along an axis, the least distance with whole periods taken out, over the
/// period. 0: two are the same to a network; infinite where the period is longer than all differences.
double least_separation(const AtomGraph& graph, double period);

/// @throws InputError for neighbours that look alike on [-range, range] where there is a range near by on which they do not
void refuse_lookalikes(const AtomGraph& graph, double range);

}  // namespace bgw::flows
