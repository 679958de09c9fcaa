#pragma once

#include <memory>
#include <vector>

#include "runtime/flows/aligned_floats.h"
#include "runtime/flows/edge_pairs.h"
#include "runtime/flows/graph_conditioner.h"

namespace bgw::flows {

/// What the fused kernels need of a graph network beside its parameters; one for all couplings of a flow.
struct FusedGraph {
  explicit FusedGraph(std::shared_ptr<const GraphConditioner> network);

  std::shared_ptr<const GraphConditioner> conditioner;
  std::vector<std::int32_t> sublattice_of;  // [atoms]; sites with the same features are one sublattice
  std::vector<double> site_features;        // [sublattices][6 n]
  EdgePairs pairs;                          // of the sites; empty where edges change with the configuration
};

/// The parameters of a graph network as the kernels read them: padded, both ways round, maps that follow each other
/// without a gelu between them multiplied, and what only hangs on the sublattice summed.
class PackedGraph {
 public:
  /// @param graph       must outlive this
  /// @param parameters  of the network alone, in the order of its layout; must outlive this
  PackedGraph(const FusedGraph& graph, const float* parameters, double lower, double upper);
  PackedGraph(const PackedGraph&) = delete;
  PackedGraph& operator=(const PackedGraph&) = delete;

  const kernels::GraphNetworkView& view() const { return view_; }
  /// Adds to the gradient of the parameters what a gradient of the packed ones makes of them.
  /// @param packed    [view().gradient_size]
  /// @param gradient  of the network alone
  void unpack_gradient(const std::vector<double>& packed, float* gradient) const;

 private:
  /// A map whose packed numbers are columns of one of the network, times a constant.
  struct Direct {
    kernels::LinearMap* map;
    std::int64_t weight, columns, first_column, bias;  // places in the parameters; no bias: -1
    double weight_scale, bias_scale;
  };

  const GraphNetwork& network() const { return graph_.conditioner->network(); }
  std::int64_t entry(std::int64_t index) const;
  std::int64_t message(std::int64_t layer) const { return 4 + 12 * layer; }  // first entry of a layer
  void place(kernels::LinearMap& map, std::int64_t out, std::int64_t in, bool with_bias);
  void place_direct(kernels::LinearMap& map, std::int64_t out, std::int64_t in, std::int64_t index,
                    std::int64_t first_column, bool with_bias, double weight_scale = 1.0, double bias_scale = 1.0);
  void place_layer(std::int64_t l);
  void allocate();
  void set(const kernels::LinearMap& map, std::int64_t o, std::int64_t i, double number);
  void pack_node();
  void pack_edges(std::int64_t l, const std::vector<double>& edge);
  void unpack_node(const std::vector<double>& packed, float* gradient) const;
  void unpack_edges(std::int64_t l, const std::vector<double>& edge, const std::vector<double>& packed,
                    std::vector<double>& edge_bar, float* gradient) const;

  const FusedGraph& graph_;
  const float* parameters_;
  std::vector<kernels::GraphLayer> layers_;
  kernels::GraphNetworkView view_{};
  std::vector<kernels::LinearMap*> maps_;
  std::vector<std::int64_t> transposed_places_;  // of the maps
  std::vector<Direct> direct_;
  std::int64_t transposed_size_ = 0;
  std::unique_ptr<AlignedFloats> weights_, transposed_;
};

}  // namespace bgw::flows
