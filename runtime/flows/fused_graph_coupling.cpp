#include "runtime/flows/fused_graph_coupling.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

constexpr std::int64_t kChunk = 4;   // samples whose gradients are summed in float32
constexpr std::int64_t kLanes = 16;  // in which sums of chunks in a row are added up

struct Rows {
  const double* numbers;
  std::int64_t sample;  // between samples
  const double* at(std::int64_t b, const StatePart& part) const { return numbers + b * sample + 3 * part.begin; }
};

Rows rows_of(const Tensor& state) { return {state.data_ptr<double>(), state.size(1) * 3}; }

double* row_of(Tensor& state, std::int64_t b, const StatePart& part) {
  return state.data_ptr<double>() + (b * state.size(1) + part.begin) * 3;
}

void add_to(double* sum, const float* part, std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) sum[i] += static_cast<double>(part[i]);
}

/// The sum of lanes [lanes][size], each number in their order.
std::vector<double> sum_of_lanes(const std::vector<double>& lanes, std::int64_t size) {
  std::vector<double> sum(lanes.begin(), lanes.begin() + static_cast<std::ptrdiff_t>(size));
  for (auto lane = lanes.begin() + static_cast<std::ptrdiff_t>(size); lane != lanes.end(); lane += static_cast<std::ptrdiff_t>(size))
    std::transform(sum.begin(), sum.end(), lane, sum.begin(), std::plus<>());
  return sum;
}

}  // namespace

/// The pairs of atoms of each sample: those of the sites, or found anew, one sample at a time, since a complete graph has the
/// square of its atoms of them.
class FusedGraphCoupling::SamplePairs {
 public:
  SamplePairs(const FusedGraph& graph, const Tensor& part) : graph_(graph), part_(part) {}

  /// Most pairs that a sample can have.
  std::int64_t most() const { return of_sites() ? static_cast<std::int64_t>(graph_.pairs.first.size()) : particles() * atoms().degree; }
  /// @param room  holds the pairs where they are found anew
  kernels::PairView of(std::int64_t b, EdgePairs& room) const {
    if (of_sites()) return graph_.pairs.view();
    const at::NoGradGuard no_grad;  // worker threads begin with it on
    const Edges edges = atoms().edges(part_.narrow(0, b, 1));
    const Tensor senders = edges.senders.contiguous(), offsets = edges.offsets.contiguous();
    room = pair_edges(particles(), atoms().degree, senders.data_ptr<std::int64_t>(), offsets.data_ptr<double>());
    return room.view();
  }

 private:
  const AtomGraph& atoms() const { return graph_.conditioner->graph(); }
  bool of_sites() const { return atoms().neighbourhood == Neighbourhood::of_the_sites; }
  std::int64_t particles() const { return atoms().particles(); }

  const FusedGraph& graph_;
  Tensor part_;
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
  if (samples == 0) return result;
  const std::int64_t size = gradient == nullptr ? 0 : packed.view().gradient_size;
  const std::int64_t lanes = std::min(kLanes, chunks);
  std::vector<double> sums(static_cast<std::size_t>(lanes * size), 0.0);
  at::parallel_for(0, lanes, 1, [&](std::int64_t begin, std::int64_t end) {
    const AlignedFloats scratch(kernels_.scratch_floats(packed.view(), pairs.most(), true)), of_chunk(size);
    float* sum = size == 0 ? nullptr : of_chunk.get();
    EdgePairs found;
    for (std::int64_t lane = begin; lane < end; ++lane) {
      for (std::int64_t c = lane * chunks / lanes; c < (lane + 1) * chunks / lanes; ++c) {
        std::fill_n(sum, size, 0.0F);
        for (std::int64_t b = c * kChunk; b < std::min(samples, (c + 1) * kChunk); ++b) {
          kernels_.derivatives(
              packed.view(), pairs.of(b, found), {rows.at(b, given_), rows.at(b, moved_), scratch.get()},
              {carry, bar_rows.at(b, moved_), log_det_bar, row_of(result, b, moved_), row_of(result, b, given_), sum});
        }
        add_to(sums.data() + lane * size, sum, size);
      }
    }
  });
  if (gradient != nullptr) {
    Tensor own_gradient = gradient->narrow(0, offset_, numbers.size(0));
    packed.unpack_gradient(sum_of_lanes(sums, size), own_gradient.data_ptr<float>());
  }
  return result;
}

}  // namespace bgw::flows
