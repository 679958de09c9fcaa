// A coupling by a graph network, sample by sample; written once. A variant source defines BGW_VARIANT (a namespace) and
// includes this file.
//
// No tensor over edges exists but the waves of their features. Pairs of atoms are taken kTile at a time: two products
// give the even and the odd part of what both directions hear, what senders and receivers add is read from rows of
// nodes, and gelu of the sum goes straight into the sum over neighbours. The backward pass does the same once more, up
// to the slopes of gelu, rather than keep 3 E numbers of every edge: they would not fit the caches. The two stand in
// graph_forward.h and graph_backward.h.
//
// Set aside: samples side by side in the lanes of a register (sixteen samples do not fit the caches); products by BLAS
// (its rows and columns are too few here, and its results hang on the processor).

#include "runtime/flows/kernels/graph_kernels.h"
#include "runtime/physics/kernels/kernel_table.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace bgw::flows::kernels {

using physics::kernels::kLanesOf;  // lanes.h asks for it

namespace BGW_VARIANT {
namespace {

// Each stands on the one above.
#include "runtime/physics/kernels/lanes.h"

#include "runtime/flows/kernels/vectors.h"

#include "runtime/flows/kernels/matrix_product.h"

#include "runtime/flows/kernels/spline_lanes.h"

#include "runtime/flows/kernels/linear_maps.h"

#include "runtime/flows/kernels/graph_numbers.h"

#include "runtime/flows/kernels/graph_forward.h"

#include "runtime/flows/kernels/graph_splines.h"

#include "runtime/flows/kernels/graph_backward.h"

double through(const GraphNetworkView& network, const PairView& pairs, const CouplingCall& call, double* result, bool back) {
  const Numbers numbers(network, pairs.count, false, call.scratch);
  run_network(network, pairs, call.given, numbers);
  return run_splines(network, numbers, call.moved, result, back);
}

double forward(const GraphNetworkView& network, const PairView& pairs, const CouplingCall& call, double* result) {
  return through(network, pairs, call, result, false);
}

double inverse(const GraphNetworkView& network, const PairView& pairs, const CouplingCall& call, double* result) {
  return through(network, pairs, call, result, true);
}

void derivatives(const GraphNetworkView& network, const PairView& pairs, const CouplingCall& call,
                 const CouplingBars& bars) {
  const Numbers numbers(network, pairs.count, true, call.scratch);
  run_network(network, pairs, call.given, numbers);
  pull_back_splines(network, numbers, call, bars);
  const std::int64_t n = network.atoms, e = network.node.out_stride;
  collect(network.raw, n, numbers.nodes_before(network.layer_count), numbers.raw, bars.gradient);
  pull_back(network.raw, n, numbers.raw, numbers.bar, false);
  for (std::int64_t l = network.layer_count; l-- > 0;) {
    pull_back_layer(network, l, pairs, numbers, bars.given_result, bars.gradient);
  }
  collect_strided(network.node, n, numbers.node_waves, 1, numbers.node_places, numbers.bar, bars.gradient);
  if (bars.gradient != nullptr) {
    for (std::int64_t i = 0; i < n; ++i) {
      float* to = bars.gradient + network.sublattice_place + network.sublattice_of[i] * e;
      for (std::int64_t c = 0; c < e; c += kWidth32) add_to(to + c, read(numbers.bar + i * e + c));
    }
  }
  pull_back(network.node, n, numbers.bar, numbers.node_wave_bars, false);
  pull_back_node_waves(network, numbers, bars.given_result);
}

void gelu_of_row(const float* x, float* value, float* slope) {
  for (std::int64_t c = 0; c < kFloats; c += kWidth32) {
    write(value + c, gelu(read(x + c)));
    write(slope + c, gelu_slope(read(x + c)));
  }
}

std::int64_t floats_of(const GraphNetworkView& network, std::int64_t pairs, bool with_derivatives) {
  const Numbers numbers(network, pairs, with_derivatives, nullptr);
  return numbers.room.used;
}

}  // namespace
}  // namespace BGW_VARIANT
}  // namespace bgw::flows::kernels
