#pragma once
// What the fused kernels of a coupling by a graph network take and give: plain numbers and pointers, so that the kernel
// sources, which are compiled for other processors than the rest, share no inline function with it.

#include <cstdint>

namespace bgw::flows::kernels {

/// Rows of float32 numbers are padded to a multiple of this, with zeros, and aligned to 64 bytes.
inline constexpr std::int64_t kFloats = 16;
/// Pairs of atoms that are worked on together.
inline constexpr std::int64_t kTile = 32;

/// y = W x + b of rows. `weight` has the numbers of one input side by side, `transposed` those of one output. The
/// gradient is laid out as `weight` and `bias`, from `place` and `bias_place` of one array for the whole network.
struct LinearMap {
  std::int64_t in, out;                // numbers
  std::int64_t in_stride, out_stride;  // padded
  const float* weight;                 // [in][out_stride]
  const float* transposed;             // [out][in_stride]
  const float* bias;                   // [out_stride], or nullptr
  std::int64_t place, bias_place;
};

/// One layer of message passing, as the exact refactorisations have it: the first map of the messages is one map for
/// senders, one for receivers and one for the features of edges, the last multiplied by the edge embedding; the second
/// map acts on the sum of the neighbours and holds 1 / sqrt(k). Features of an edge are even (cosines) or odd (sines)
/// in the edge vector, so that both directions of a pair are the sum and the difference of two products.
struct GraphLayer {
  LinearMap sender, receiver;             // E -> 3 E; the bias of the receiver is that of all
  LinearMap even, odd;                    // 3 n -> 3 E
  LinearMap second;                       // 3 E -> E
  LinearMap update_message, update_node;  // E -> 2 E; the bias is that of the message
  LinearMap update_second;                // 2 E -> E
  LinearMap mlp_first, mlp_second;        // E -> E
};

/// A graph network with its parameters, and the lengths by which it sees.
struct GraphNetworkView {
  std::int64_t atoms, embedding, layer_count, frequencies, bins, sublattices;
  LinearMap node;           // 6 n -> E, no bias
  const float* sublattice;  // [sublattices][stride of E], what a site adds, the bias included
  std::int64_t sublattice_place;
  const std::int32_t* sublattice_of;  // [atoms]
  const GraphLayer* layers;
  LinearMap raw;                    // E -> 3 (3 K + 1)
  double node_period, edge_period;  // of the features
  double lower, upper;              // of the splines, which go over into the identity
  std::int64_t gradient_size;
};

/// Pairs of atoms that send to each other; from `both` on those whose second atom sends to the first alone.
struct PairView {
  std::int64_t both, count;
  const std::int32_t* first;   // [count]
  const std::int32_t* second;  // [count]
  const double* offset;        // [count][3], the edge vector of the first as receiver is v_first - v_second + offset
};

/// One sample. Scratch is aligned to 64 bytes and need not be cleared.
struct CouplingCall {
  const double* given;  // [atoms][3]
  const double* moved;  // [atoms][3]
  float* scratch;       // [scratch_floats]
};

/// What a sample's derivatives are asked for.
struct CouplingBars {
  bool carry;               // a score is carried to the other side; else a loss is pulled back
  const double* moved_bar;  // [atoms][3], dL/dy of the moved part, or its score
  double log_det_bar;       // dL/d ln det; of no meaning where a score is carried
  double* moved_result;     // [atoms][3]
  double* given_result;     // [atoms][3], is added to
  float* gradient;          // [gradient_size], is added to; or nullptr
};

struct GraphKernels {
  /// Floats of scratch for a sample of so many pairs.
  std::int64_t (*scratch_floats)(const GraphNetworkView&, std::int64_t pairs, bool with_derivatives);
  /// y and ln |det dy/dx| of the moved part.
  double (*forward)(const GraphNetworkView&, const PairView&, const CouplingCall&, double* result);
  double (*inverse)(const GraphNetworkView&, const PairView&, const CouplingCall&, double* result);
  void (*derivatives)(const GraphNetworkView&, const PairView&, const CouplingCall&, const CouplingBars&);
  void (*gelu)(const float* x, float* value, float* slope);  // [kFloats] each; for tests
};

enum class Width { plain, avx2, avx512 };
bool is_available(Width width);
/// The kernels of AVX2 and AVX-512 give the same bits; the plain ones round products that those do not.
const GraphKernels& graph_kernels(Width width);
/// The widest available ones.
const GraphKernels& graph_kernels();

extern const GraphKernels plain_graph_kernels;
#if BGW_X86_KERNELS
extern const GraphKernels avx2_graph_kernels;
extern const GraphKernels avx512_graph_kernels;
#endif

}  // namespace bgw::flows::kernels
