#include "runtime/flows/fused_graph_coupling.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

constexpr std::int64_t kChunk = 4;  // samples whose gradients are summed in float32

struct Rows {
  const double* numbers;
  std::int64_t sample;  // between samples
  const double* at(std::int64_t b, const StatePart& part) const { return numbers + b * sample + 3 * part.begin; }
};

Rows rows_of(const Tensor& state) { return {state.data_ptr<double>(), state.size(1) * 3}; }

double* row_of(Tensor& state, std::int64_t b, const StatePart& part) {
  return state.data_ptr<double>() + (b * state.size(1) + part.begin) * 3;
}

/// The sum of parts [parts][count], each number in the order of the parts.
std::vector<double> sum_of_parts(const float* parts, std::int64_t stride, std::int64_t count, std::int64_t size) {
  std::vector<double> sum(static_cast<std::size_t>(size), 0.0);
  at::parallel_for(0, size, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = 0; p < count; ++p) {
      for (std::int64_t i = begin; i < end; ++i) {
        sum[static_cast<std::size_t>(i)] += static_cast<double>(parts[p * stride + i]);
      }
    }
  });
  return sum;
}

}  // namespace

/// The pairs of atoms of each sample: those of the sites, or found anew.
class FusedGraphCoupling::SamplePairs {
 public:
  SamplePairs(const FusedGraph& graph, const Tensor& part) : graph_(graph) {
    const AtomGraph& atoms = graph.conditioner->graph();
    if (atoms.neighbourhood == Neighbourhood::of_the_sites) return;
    const Edges edges = atoms.edges(part);
    senders_ = edges.senders.contiguous();
    offsets_ = edges.offsets.contiguous();
  }
  /// Most pairs that a sample can have.
  std::int64_t most() const {
    if (!senders_.defined()) return static_cast<std::int64_t>(graph_.pairs.first.size());
    return static_cast<std::int64_t>(graph_.sublattice_of.size()) * degree();
  }
  /// @param room  holds the pairs where they are found anew
  kernels::PairView of(std::int64_t b, EdgePairs& room) const {
    if (!senders_.defined()) return graph_.pairs.view();
    const auto particles = static_cast<std::int64_t>(graph_.sublattice_of.size());
    const std::int64_t edges = particles * degree();
    const std::int64_t* senders = senders_.data_ptr<std::int64_t>() + (senders_.dim() == 3 ? b * edges : 0);
    const double* offsets = offsets_.data_ptr<double>() + (offsets_.dim() == 4 ? 3 * b * edges : 0);
    room = pair_edges(particles, degree(), senders, offsets);
    return room.view();
  }

 private:
  std::int64_t degree() const { return graph_.conditioner->graph().degree; }

  const FusedGraph& graph_;
  Tensor senders_, offsets_;
};

FusedGraphCoupling::FusedGraphCoupling(std::shared_ptr<const FusedGraph> graph, std::int64_t offset, StatePart given,
                                       StatePart moved, SplineRange range, const kernels::GraphKernels& kernels)
    : graph_(std::move(graph)),
      plain_(graph_->conditioner, offset, given, moved, range),
      offset_(offset),
      given_(given),
      moved_(moved),
      range_(range),
      kernels_(kernels) {
  const auto atoms = static_cast<std::int64_t>(graph_->sublattice_of.size());
  if (given.length != atoms || moved.length != atoms)
    throw ShapeError("fused coupling: both parts must be rows of all atoms of the graph");
}

bool FusedGraphCoupling::takes(const Tensor& parameters) const {
  return parameters.scalar_type() == at::kFloat && range_.ends == SplineEnds::identity && given_.dimension == 1 &&
         moved_.dimension == 1;
}

Tensor FusedGraphCoupling::own(const Tensor& flat) const {
  return flat.narrow(0, offset_, graph_->conditioner->layout().size()).contiguous();
}

Tensor FusedGraphCoupling::forward(const Tensor& x, const Tensor& parameters, Tensor& log_det) const {
  if (!takes(parameters)) return plain_.forward(x, parameters, log_det);
  return map(kernels_.forward, x, parameters, log_det);
}

Tensor FusedGraphCoupling::inverse(const Tensor& y, const Tensor& parameters, Tensor& log_det) const {
  if (!takes(parameters)) return plain_.inverse(y, parameters, log_det);
  return map(kernels_.inverse, y, parameters, log_det);
}

Tensor FusedGraphCoupling::pull_back(const Tensor& x, const Tensor& parameters, const Tensor& y_bar, double log_det_bar,
                                     Tensor* gradient) const {
  if (!takes(parameters)) return plain_.pull_back(x, parameters, y_bar, log_det_bar, gradient);
  return derivatives(false, x, parameters, y_bar, log_det_bar, gradient);
}

Tensor FusedGraphCoupling::carry_score(const Tensor& x, const Tensor& parameters, const Tensor& score,
                                       Tensor* gradient) const {
  if (!takes(parameters)) return plain_.carry_score(x, parameters, score, gradient);
  return derivatives(true, x, parameters, score, 0.0, gradient);
}

Tensor FusedGraphCoupling::map(Map kernel, const Tensor& x, const Tensor& parameters, Tensor& log_det) const {
  const Tensor state = x.contiguous(), numbers = own(parameters);
  const PackedGraph packed(*graph_, numbers.data_ptr<float>(), range_.lower, range_.upper);
  const SamplePairs pairs(*graph_, state.narrow(1, given_.begin, given_.length));
  const Rows rows = rows_of(state);
  Tensor result = state.clone();
  Tensor logs = at::empty({state.size(0)}, at::kDouble);
  double* log = logs.data_ptr<double>();
  at::parallel_for(0, state.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    const AlignedFloats scratch(kernels_.scratch_floats(packed.view(), pairs.most(), false));
    EdgePairs found;
    for (std::int64_t b = begin; b < end; ++b) {
      log[b] = kernel(packed.view(), pairs.of(b, found), {rows.at(b, given_), rows.at(b, moved_), scratch.get()},
                      row_of(result, b, moved_));
    }
  });
  log_det = log_det + logs;
  return result;
}

Tensor FusedGraphCoupling::derivatives(bool carry, const Tensor& x, const Tensor& parameters, const Tensor& bar,
                                       double log_det_bar, Tensor* gradient) const {
  const Tensor state = x.contiguous(), bars = bar.contiguous(), numbers = own(parameters);
  const PackedGraph packed(*graph_, numbers.data_ptr<float>(), range_.lower, range_.upper);
  const SamplePairs pairs(*graph_, state.narrow(1, given_.begin, given_.length));
  const Rows rows = rows_of(state), bar_rows = rows_of(bars);
  Tensor result = bars.clone();
  const std::int64_t samples = state.size(0), chunks = (samples + kChunk - 1) / kChunk;
  const std::int64_t size = gradient == nullptr ? 0 : packed.view().gradient_size;
  const AlignedFloats sums(chunks * size);
  at::parallel_for(0, chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    const AlignedFloats scratch(kernels_.scratch_floats(packed.view(), pairs.most(), true));
    EdgePairs found;
    for (std::int64_t c = begin; c < end; ++c) {
      float* sum = size == 0 ? nullptr : sums.get() + c * size;
      std::fill_n(sum, size, 0.0F);
      for (std::int64_t b = c * kChunk; b < std::min(samples, (c + 1) * kChunk); ++b) {
        kernels_.derivatives(
            packed.view(), pairs.of(b, found), {rows.at(b, given_), rows.at(b, moved_), scratch.get()},
            {carry, bar_rows.at(b, moved_), log_det_bar, row_of(result, b, moved_), row_of(result, b, given_), sum});
      }
    }
  });
  if (gradient != nullptr) {
    Tensor own_gradient = gradient->narrow(0, offset_, numbers.size(0));
    packed.unpack_gradient(sum_of_parts(sums.get(), size, chunks, size), own_gradient.data_ptr<float>());
  }
  return result;
}

}  // namespace bgw::flows
