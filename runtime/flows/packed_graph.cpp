#include "runtime/flows/packed_graph.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace bgw::flows {
namespace {

using kernels::LinearMap;

std::int64_t padded(std::int64_t count) { return (count + kernels::kFloats - 1) / kernels::kFloats * kernels::kFloats; }
std::size_t index_of(std::int64_t i) { return static_cast<std::size_t>(i); }

/// cos and sin of n w lower, by which waves from `lower` on are those from zero on.
struct Shift {
  Shift(const FourierRange& range, std::int64_t frequencies) {
    for (std::int64_t n = 1; n <= frequencies; ++n) {
      const double angle = 2.0 * std::numbers::pi * static_cast<double>(n) * range.lower / range.period;
      cosine.push_back(std::cos(angle));
      sine.push_back(std::sin(angle));
    }
  }
  std::vector<double> cosine, sine;
};

/// The columns of a map that act on waves from `lower` on become those for waves from zero on: [rows][6 n].
std::vector<double> from_zero(const float* weight, std::int64_t rows, std::int64_t columns, const FourierRange& range,
                              std::int64_t frequencies) {
  const Shift shift(range, frequencies);
  const std::int64_t half = 3 * frequencies;
  std::vector<double> turned(index_of(2 * half * rows));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t f = 0; f < half; ++f) {
      const double even = static_cast<double>(weight[r * columns + f]);
      const double odd = static_cast<double>(weight[r * columns + half + f]);
      const double c = shift.cosine[index_of(f % frequencies)], s = shift.sine[index_of(f % frequencies)];
      turned[index_of(2 * half * r + f)] = even * c - odd * s;
      turned[index_of(2 * half * r + half + f)] = even * s + odd * c;
    }
  }
  return turned;
}

/// The same for gradients, the other way; added to what stands there.
void add_to_lower(const std::vector<double>& turned, std::int64_t rows, std::int64_t columns, const FourierRange& range,
                  std::int64_t frequencies, float* gradient) {
  const Shift shift(range, frequencies);
  const std::int64_t half = 3 * frequencies;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t f = 0; f < half; ++f) {
      const double even = turned[index_of(2 * half * r + f)], odd = turned[index_of(2 * half * r + half + f)];
      const double c = shift.cosine[index_of(f % frequencies)], s = shift.sine[index_of(f % frequencies)];
      gradient[r * columns + f] += static_cast<float>(even * c + odd * s);
      gradient[r * columns + half + f] += static_cast<float>(odd * c - even * s);
    }
  }
}

void add(float& sum, double x) { sum += static_cast<float>(x); }

}  // namespace

FusedGraph::FusedGraph(std::shared_ptr<const GraphConditioner> network) : conditioner(std::move(network)) {
  const Tensor features = conditioner->site_features().contiguous();
  const std::int64_t atoms = features.size(0), width = features.size(1);
  const double* row = features.data_ptr<double>();
  for (std::int64_t i = 0; i < atoms; ++i, row += width) {
    const std::size_t count = site_features.size() / index_of(width);
    std::size_t s = 0;
    while (s < count && !std::equal(row, row + width, site_features.data() + s * index_of(width))) ++s;
    if (s == count) site_features.insert(site_features.end(), row, row + width);
    sublattice_of.push_back(static_cast<std::int32_t>(s));
  }
  const AtomGraph& graph = conditioner->graph();
  if (graph.neighbourhood != Neighbourhood::of_the_sites) return;
  const Tensor senders = graph.of_sites.senders.contiguous(), offsets = graph.of_sites.offsets.contiguous();
  pairs = pair_edges(atoms, graph.degree, senders.data_ptr<std::int64_t>(), offsets.data_ptr<double>());
}

PackedGraph::PackedGraph(const FusedGraph& graph, const float* parameters, double lower, double upper)
    : graph_(graph), parameters_(parameters), layers_(index_of(graph.conditioner->network().layers)) {
  const GraphNetwork& sizes = network();
  const std::int64_t e = sizes.embedding, waves = 6 * sizes.frequencies;
  view_.atoms = static_cast<std::int64_t>(graph.sublattice_of.size());
  view_.embedding = e;
  view_.layer_count = sizes.layers;
  view_.frequencies = sizes.frequencies;
  view_.bins = sizes.bins;
  view_.sublattices = static_cast<std::int64_t>(graph.site_features.size()) / waves;
  view_.sublattice_of = graph.sublattice_of.data();
  view_.layers = layers_.data();
  view_.node_period = sizes.displacement.period;
  view_.edge_period = sizes.edge.period;
  view_.lower = lower;
  view_.upper = upper;
  place(view_.node, e, waves, false);
  for (std::int64_t l = 0; l < sizes.layers; ++l) place_layer(l);
  place_direct(view_.raw, 3 * (3 * sizes.bins + 1), e, message(sizes.layers), 0, true);
  view_.sublattice_place = view_.gradient_size;
  view_.gradient_size += view_.sublattices * view_.node.out_stride;
  allocate();

  for (const Direct& d : direct_) {
    for (std::int64_t o = 0; o < d.map->out; ++o) {
      for (std::int64_t i = 0; i < d.map->in; ++i) {
        set(*d.map, o, i,
            d.weight_scale * static_cast<double>(parameters_[d.weight + o * d.columns + d.first_column + i]));
      }
      if (d.bias >= 0) {
        weights_->get()[d.map->bias_place + o] =
            static_cast<float>(d.bias_scale * static_cast<double>(parameters_[d.bias + o]));
      }
    }
  }
  pack_node();
  const std::vector<double> edge = from_zero(parameters_ + entry(2), e, waves, sizes.edge, sizes.frequencies);
  for (std::int64_t l = 0; l < sizes.layers; ++l) pack_edges(l, edge);
}

std::int64_t PackedGraph::entry(std::int64_t index) const {
  return graph_.conditioner->layout().entries()[index_of(index)].offset;
}

void PackedGraph::place(LinearMap& map, std::int64_t out, std::int64_t in, bool with_bias) {
  map = {in, out, padded(in), padded(out), nullptr, nullptr, nullptr, view_.gradient_size, -1};
  view_.gradient_size += in * map.out_stride;
  if (with_bias) {
    map.bias_place = view_.gradient_size;
    view_.gradient_size += map.out_stride;
  }
  maps_.push_back(&map);
  transposed_places_.push_back(transposed_size_);
  transposed_size_ += out * map.in_stride;
}

void PackedGraph::place_direct(LinearMap& map, std::int64_t out, std::int64_t in, std::int64_t index,
                               std::int64_t first_column, bool with_bias, double weight_scale, double bias_scale) {
  place(map, out, in, with_bias);
  const std::int64_t columns = graph_.conditioner->layout().entries()[index_of(index)].sizes[1];
  direct_.push_back(
      {&map, entry(index), columns, first_column, with_bias ? entry(index + 1) : -1, weight_scale, bias_scale});
}

void PackedGraph::place_layer(std::int64_t l) {
  kernels::GraphLayer& layer = layers_[index_of(l)];
  const std::int64_t e = network().embedding, half = 3 * network().frequencies, first = message(l);
  const double root = std::sqrt(static_cast<double>(graph_.conditioner->graph().degree));
  place_direct(layer.sender, 3 * e, e, first, 0, false);
  place_direct(layer.receiver, 3 * e, e, first, e, true);
  place(layer.even, 3 * e, half, false);
  place(layer.odd, 3 * e, half, false);
  place_direct(layer.second, e, 3 * e, first + 2, 0, true, 1.0 / root, root);
  place_direct(layer.update_message, 2 * e, e, first + 4, 0, true);
  place_direct(layer.update_node, 2 * e, e, first + 4, e, false);
  place_direct(layer.update_second, e, 2 * e, first + 6, 0, true);
  place_direct(layer.mlp_first, e, e, first + 8, 0, true);
  place_direct(layer.mlp_second, e, e, first + 10, 0, true);
}

void PackedGraph::allocate() {
  weights_ = std::make_unique<AlignedFloats>(view_.gradient_size);
  transposed_ = std::make_unique<AlignedFloats>(transposed_size_);
  std::fill_n(weights_->get(), view_.gradient_size, 0.0F);
  std::fill_n(transposed_->get(), transposed_size_, 0.0F);
  for (std::size_t m = 0; m < maps_.size(); ++m) {
    LinearMap& map = *maps_[m];
    map.weight = weights_->get() + map.place;
    map.transposed = transposed_->get() + transposed_places_[m];
    map.bias = map.bias_place < 0 ? nullptr : weights_->get() + map.bias_place;
  }
  view_.sublattice = weights_->get() + view_.sublattice_place;
}

void PackedGraph::set(const LinearMap& map, std::int64_t o, std::int64_t i, double number) {
  const std::int64_t transposed = map.transposed - transposed_->get();
  weights_->get()[map.place + i * map.out_stride + o] = static_cast<float>(number);
  transposed_->get()[transposed + o * map.in_stride + i] = static_cast<float>(number);
}

void PackedGraph::pack_node() {
  const LinearMap& node = view_.node;
  const float* weight = parameters_ + entry(0);
  const float* bias = parameters_ + entry(1);
  const auto turned = from_zero(weight, node.out, 2 * node.in, network().displacement, network().frequencies);
  for (std::int64_t o = 0; o < node.out; ++o) {
    for (std::int64_t f = 0; f < node.in; ++f) set(node, o, f, turned[index_of(o * node.in + f)]);
    for (std::int64_t s = 0; s < view_.sublattices; ++s) {
      double sum = static_cast<double>(bias[o]);
      for (std::int64_t f = 0; f < node.in; ++f) {
        sum += static_cast<double>(weight[2 * node.in * o + node.in + f]) *
               graph_.site_features[index_of(s * node.in + f)];
      }
      weights_->get()[view_.sublattice_place + s * node.out_stride + o] = static_cast<float>(sum);
    }
  }
}

// Of an edge the first map of the messages sees W (V F + v): its part of that map times the edge embedding.
void PackedGraph::pack_edges(std::int64_t l, const std::vector<double>& edge) {
  const kernels::GraphLayer& layer = layers_[index_of(l)];
  const std::int64_t e = network().embedding, half = layer.even.in;
  const float* first = parameters_ + entry(message(l));
  const float* bias = parameters_ + entry(3);
  std::vector<double> row(index_of(2 * half));
  for (std::int64_t o = 0; o < 3 * e; ++o) {
    std::fill(row.begin(), row.end(), 0.0);
    double constant = 0.0;
    for (std::int64_t i = 0; i < e; ++i) {
      const double w = static_cast<double>(first[3 * e * o + 2 * e + i]);
      for (std::size_t f = 0; f < row.size(); ++f) row[f] += w * edge[index_of(i) * row.size() + f];
      constant += w * static_cast<double>(bias[i]);
    }
    for (std::int64_t f = 0; f < half; ++f) {
      set(layer.even, o, f, row[index_of(f)]);
      set(layer.odd, o, f, row[index_of(half + f)]);
    }
    add(weights_->get()[layer.receiver.bias_place + o], constant);
  }
}

void PackedGraph::unpack_gradient(const std::vector<double>& packed, float* gradient) const {
  for (const Direct& d : direct_) {
    for (std::int64_t o = 0; o < d.map->out; ++o) {
      for (std::int64_t i = 0; i < d.map->in; ++i) {
        add(gradient[d.weight + o * d.columns + d.first_column + i],
            d.weight_scale * packed[index_of(d.map->place + i * d.map->out_stride + o)]);
      }
      if (d.bias >= 0) add(gradient[d.bias + o], d.bias_scale * packed[index_of(d.map->bias_place + o)]);
    }
  }
  unpack_node(packed, gradient);
  const GraphNetwork& sizes = network();
  const std::int64_t e = sizes.embedding, waves = 6 * sizes.frequencies;
  const std::vector<double> edge = from_zero(parameters_ + entry(2), e, waves, sizes.edge, sizes.frequencies);
  std::vector<double> edge_bar(edge.size(), 0.0);
  for (std::int64_t l = 0; l < sizes.layers; ++l) unpack_edges(l, edge, packed, edge_bar, gradient);
  add_to_lower(edge_bar, e, waves, sizes.edge, sizes.frequencies, gradient + entry(2));
}

void PackedGraph::unpack_node(const std::vector<double>& packed, float* gradient) const {
  const LinearMap& node = view_.node;
  float* weight = gradient + entry(0);
  float* bias = gradient + entry(1);
  std::vector<double> turned(index_of(node.out * node.in));
  for (std::int64_t o = 0; o < node.out; ++o) {
    for (std::int64_t f = 0; f < node.in; ++f) {
      turned[index_of(o * node.in + f)] = packed[index_of(node.place + f * node.out_stride + o)];
    }
    for (std::int64_t s = 0; s < view_.sublattices; ++s) {
      const double bar = packed[index_of(view_.sublattice_place + s * node.out_stride + o)];
      add(bias[o], bar);
      for (std::int64_t f = 0; f < node.in; ++f) {
        add(weight[2 * node.in * o + node.in + f], bar * graph_.site_features[index_of(s * node.in + f)]);
      }
    }
  }
  add_to_lower(turned, node.out, 2 * node.in, network().displacement, network().frequencies, weight);
}

void PackedGraph::unpack_edges(std::int64_t l, const std::vector<double>& edge, const std::vector<double>& packed,
                               std::vector<double>& edge_bar, float* gradient) const {
  const kernels::GraphLayer& layer = layers_[index_of(l)];
  const std::int64_t e = network().embedding, half = layer.even.in;
  const float* first = parameters_ + entry(message(l));
  float* first_bar = gradient + entry(message(l));
  const float* bias = parameters_ + entry(3);
  float* bias_bar = gradient + entry(3);
  std::vector<double> row(index_of(2 * half));
  for (std::int64_t o = 0; o < 3 * e; ++o) {
    for (std::int64_t f = 0; f < half; ++f) {
      row[index_of(f)] = packed[index_of(layer.even.place + f * layer.even.out_stride + o)];
      row[index_of(half + f)] = packed[index_of(layer.odd.place + f * layer.odd.out_stride + o)];
    }
    const double constant_bar = packed[index_of(layer.receiver.bias_place + o)];
    for (std::int64_t i = 0; i < e; ++i) {
      const std::int64_t at = 3 * e * o + 2 * e + i;
      const double w = static_cast<double>(first[at]);
      double sum = constant_bar * static_cast<double>(bias[i]);
      for (std::size_t f = 0; f < row.size(); ++f) {
        const std::size_t place = index_of(i) * row.size() + f;
        sum += row[f] * edge[place];
        edge_bar[place] += row[f] * w;
      }
      add(first_bar[at], sum);
      add(bias_bar[i], constant_bar * w);
    }
  }
}

}  // namespace bgw::flows
