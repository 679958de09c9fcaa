#pragma once

#include <memory>

#include "runtime/flows/atom_graph.h"
#include "runtime/flows/fourier_features.h"
#include "runtime/flows/spline_coupling.h"

namespace bgw::flows {

/// Sizes of the network, and the lengths by which it sees. They are constants of a trained network, not of the crystal
/// it is applied to.
struct GraphNetwork {
  std::int64_t embedding = 32;           // E, numbers of a node and of an edge
  std::int64_t layers = 2;               // of message passing
  std::int64_t frequencies = 8;          // of the Fourier features
  std::int64_t bins = 16;                // K, of the splines
  FourierRange displacement{-1.0, 2.0};  // angstrom; of the features of displacements
  FourierRange edge{-1.0, 2.0};          // angstrom; of the features of edge vectors
};

/// A message-passing network on the atoms of a crystal: from the displacements of one copy of the atoms to the raw
/// numbers of splines for the other. With F the Fourier features, v the displacements, d the edge vectors, c the
/// fractional place of a site in its cell:
///
///   h_i  = node [F(v_i), F(c_i)]                                                              node features, 12 n -> E
///   e_ij = edge F(d_ij)                                                                       edge features,  6 n -> E
///   layer by layer:
///     m_i = k^(-1/2) sum_j message.second gelu(message.first [h_j, h_i, e_ij])   j sends to i; 3 E -> 3 E -> E
///     h_i = h_i + update.second gelu(update.first [m_i, h_i])                                 2 E -> 2 E -> E
///     h_i = h_i + mlp.second gelu(mlp.first h_i)                                                E -> E -> E
///   raw_i = out h_i                                                                           E -> 3 (3 K + 1)
///
/// gelu is its approximation by tanh. Weights are [out, in], in the order above, each before its bias. The last map of
/// every pair and `out` begin at zero, so that the splines begin as the identity.
///
/// This is the plain path of ATen operations, every edge tensor in memory, against which others are tested. How
/// LibTorch cuts its loops shows in the last digits: blocks of one size (sample_blocks.h) keep them the same.
/// @source Schebek, Noe, Rogal, "Scalable Boltzmann generators for equilibrium sampling of large-scale materials",
///         Nat. Commun. 17, 5010 (2026), as their code has it
class GraphConditioner : public Conditioner {
 public:
  GraphConditioner(std::shared_ptr<const AtomGraph> graph, const GraphNetwork& network);

  const ParameterLayout& layout() const override { return layout_; }
  /// @param part [B, N, 3], displacements from the sites
  /// @return [B, N, 3, 3 K + 1], of the type of the parameters
  Tensor raw(const Tensor& part, const Tensor& parameters) const override;

  const AtomGraph& graph() const { return *graph_; }
  const GraphNetwork& network() const { return network_; }
  /// F(c_i), the part of the node features that no displacement changes. [N, 6 n], float64
  const Tensor& site_features() const { return site_features_; }

 private:
  class Weights;
  Tensor nodes(const Tensor& part, Weights& weights) const;
  Tensor messages(const Tensor& nodes, const Tensor& edges, const Tensor& senders, Weights& weights) const;

  std::shared_ptr<const AtomGraph> graph_;
  GraphNetwork network_;
  ParameterLayout layout_;
  Tensor site_features_;
};

/// The parameters of such a network, in their order.
ParameterLayout graph_network_layout(const GraphNetwork& network);

}  // namespace bgw::flows
