#include "runtime/flows/graph_conditioner.h"

#include <cmath>
#include <string>

#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

// The node and edge maps begin as the library of the published code begins all of its linear maps: a normal
// distribution of deviation 1/sqrt(inputs), cut at two of them, which leaves it narrower. The inner maps begin from one
// whose deviation is right after the cut.
constexpr double kLeftAfterCut = 0.87962566103423978;

Start plain_start(std::int64_t inputs) {
  return {Start::Kind::truncated_normal, kLeftAfterCut / std::sqrt(static_cast<double>(inputs))};
}

Start scaled_start(std::int64_t inputs, std::int64_t layers) {
  const double variance = 2.0 / std::sqrt(static_cast<double>(layers)) / static_cast<double>(inputs);
  return {Start::Kind::truncated_normal, std::sqrt(variance)};
}

void add_linear(ParameterLayout& layout, const std::string& name, std::int64_t outputs, std::int64_t inputs,
                Start start = {}) {
  layout.add(name + ".weight", {outputs, inputs}, start);
  layout.add(name + ".bias", {outputs});
}

void add_pair(ParameterLayout& layout, const std::string& name, std::int64_t inputs, std::int64_t outputs,
              std::int64_t layers) {
  add_linear(layout, name + ".first", inputs, inputs, scaled_start(inputs, layers));
  add_linear(layout, name + ".second", outputs, inputs);
}

void check_sizes(const GraphNetwork& network) {
  if (network.embedding < 1 || network.layers < 1 || network.frequencies < 1 || network.bins < 1)
    throw InputError("augmented flow: embedding, layers, frequencies and bins must be at least 1");
}

}  // namespace

ParameterLayout graph_network_layout(const GraphNetwork& network) {
  check_sizes(network);
  const std::int64_t width = network.embedding, waves = network.frequencies;
  ParameterLayout layout;
  add_linear(layout, "node", width, 12 * waves, plain_start(12 * waves));
  add_linear(layout, "edge", width, 6 * waves, plain_start(6 * waves));
  for (std::int64_t l = 0; l < network.layers; ++l) {
    const std::string number = std::to_string(l);
    add_pair(layout, "message_" + number, 3 * width, width, network.layers);
    add_pair(layout, "update_" + number, 2 * width, width, network.layers);
    add_pair(layout, "mlp_" + number, width, width, network.layers);
  }
  add_linear(layout, "out", 3 * (3 * network.bins + 1), width);
  return layout;
}

/// The linear maps one after the other, in the order of the layout, which is that of their use.
class GraphConditioner::Weights {
 public:
  Weights(const ParameterLayout& layout, const Tensor& flat) : layout_(layout), flat_(flat) {}

  at::ScalarType type() const { return flat_.scalar_type(); }
  Tensor linear(const Tensor& rows) {
    const Tensor weight = layout_.view(flat_, next_++);
    return at::linear(rows, weight, layout_.view(flat_, next_++));
  }
  Tensor pair(const Tensor& rows) {
    const Tensor hidden = at::gelu(linear(rows), "tanh");
    return linear(hidden);
  }

 private:
  const ParameterLayout& layout_;
  const Tensor& flat_;
  std::size_t next_ = 0;
};

GraphConditioner::GraphConditioner(std::shared_ptr<const AtomGraph> graph, const GraphNetwork& network)
    : graph_(std::move(graph)),
      network_(network),
      layout_(graph_network_layout(network)),
      site_features_(fourier_features(graph_->fraction, {0.0, 1.0}, network.frequencies)) {}

namespace {

/// Rows of senders in the nodes of all samples, [B N k].
Tensor rows_of(const Tensor& senders, std::int64_t samples, std::int64_t particles) {
  const Tensor first = particles * at::arange(samples, at::kLong).view({samples, 1, 1});
  return (senders + first).flatten();
}

/// Receiver minus sender, [B, N, k, 3]. Rows are looked up as an embedding because its derivative adds rows, where that
/// of index_select adds tensors.
Tensor edge_vectors(const Tensor& part, const Tensor& rows, const Tensor& offsets) {
  const std::int64_t samples = part.size(0), particles = part.size(1);
  const Tensor senders = at::embedding(part.reshape({samples * particles, 3}), rows);
  return part.unsqueeze(2) - senders.view({samples, particles, -1, 3}) + offsets;
}

}  // namespace

// All rows of all samples below each other: nodes [B N, E], edges [B N k, E].
Tensor GraphConditioner::raw(const Tensor& part, const Tensor& parameters) const {
  const std::int64_t samples = part.size(0), particles = part.size(1);
  const Edges graph = graph_->edges(part.detach());
  const Tensor senders = rows_of(graph.senders, samples, particles);
  const Tensor vectors = edge_vectors(part, senders, graph.offsets).to(parameters.scalar_type());
  Weights weights(layout_, parameters);
  Tensor h = nodes(part, weights);
  const Tensor edges = weights.linear(fourier_features(vectors.reshape({-1, 3}), network_.edge, network_.frequencies));
  for (std::int64_t l = 0; l < network_.layers; ++l) {
    const Tensor m = messages(h, edges, senders, weights);
    h = h + weights.pair(at::cat({m, h}, 1));
    h = h + weights.pair(h);
  }
  return weights.linear(h).view({samples, particles, 3, 3 * network_.bins + 1});
}

Tensor GraphConditioner::nodes(const Tensor& part, Weights& weights) const {
  const at::ScalarType type = weights.type();
  const Tensor moved = fourier_features(part.to(type), network_.displacement, network_.frequencies);
  const Tensor fixed = site_features_.to(type).expand({part.size(0), -1, -1});
  return weights.linear(at::cat({moved, fixed}, 2).flatten(0, 1));
}

Tensor GraphConditioner::messages(const Tensor& nodes, const Tensor& edges, const Tensor& senders,
                                  Weights& weights) const {
  const std::int64_t count = nodes.size(0), degree = graph_->degree;
  const Tensor from = at::embedding(nodes, senders);
  const Tensor to = nodes.unsqueeze(1).expand({-1, degree, -1}).reshape({count * degree, -1});
  const Tensor sent = weights.pair(at::cat({from, to, edges}, 1));
  return sent.view({count, degree, -1}).sum(1) / std::sqrt(static_cast<double>(degree));
}

}  // namespace bgw::flows
