#pragma once

#include <memory>

#include "runtime/flows/packed_graph.h"
#include "runtime/flows/spline_coupling.h"

namespace bgw::flows {

/// SplineCoupling with a GraphConditioner, computed by fused kernels (kernels/graph_body.h) sample by sample: the same
/// function of the same parameters, by way of exact identities. The network is float32, states, splines and logarithms
/// are float64. A sample's numbers depend neither on the others of its batch nor on threads, and those of AVX2 and
/// AVX-512 are the same; other processors round products that these fuse. Gradients of parameters are summed over
/// chunks of a few samples.
///
/// Networks of float64 parameters, splines with circular ends and parts that are no rows of the state take the plain
/// path.
class FusedGraphCoupling : public Step {
 public:
  /// @param offset  where the network's parameters begin in those of the flow
  FusedGraphCoupling(std::shared_ptr<const FusedGraph> graph, std::int64_t offset, StatePart given, StatePart moved,
                     SplineRange range, const kernels::GraphKernels& kernels = kernels::graph_kernels());

  Tensor forward(const Tensor& x, const Tensor& parameters, Tensor& log_det) const override;
  Tensor inverse(const Tensor& y, const Tensor& parameters, Tensor& log_det) const override;
  Tensor pull_back(const Tensor& x, const Tensor& parameters, const Tensor& y_bar, double log_det_bar,
                   Tensor* gradient) const override;
  Tensor carry_score(const Tensor& x, const Tensor& parameters, const Tensor& score, Tensor* gradient) const override;

 private:
  using Map = decltype(kernels::GraphKernels::forward);
  class SamplePairs;

  bool takes(const Tensor& parameters) const;
  Tensor own(const Tensor& flat) const;
  Tensor map(Map kernel, const Tensor& x, const Tensor& parameters, Tensor& log_det) const;
  Tensor derivatives(bool carry, const Tensor& x, const Tensor& parameters, const Tensor& bar, double log_det_bar,
                     Tensor* gradient) const;

  std::shared_ptr<const FusedGraph> graph_;
  SplineCoupling plain_;
  std::int64_t offset_;
  StatePart given_, moved_;
  SplineRange range_;
  const kernels::GraphKernels& kernels_;
};

}  // namespace bgw::flows
