// A coupling by a graph network, sample by sample; written once. A variant source defines BGW_VARIANT (a namespace) and
// includes this file.
//
// No tensor over edges exists but the waves of their features. Pairs of atoms are taken kTile at a time: two products
// give the even and the odd part of what both directions hear, what senders and receivers add is read from rows of
// nodes, and gelu of the sum goes straight into the sum over neighbours. The backward pass does the same once more, up
// to the slopes of gelu, rather than keep 3 E numbers of every edge: they would not fit the caches.
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

std::int64_t padded(std::int64_t count) { return (count + kFloats - 1) / kFloats * kFloats; }

/// y = W x + b, or what stands in `start` instead of b.
void apply(const LinearMap& map, std::int64_t rows, const float* x, float* y, const float* start = nullptr) {
  const bool added = start != nullptr;
  multiply({rows, map.out_stride, map.in, x, map.in_stride, 1, map.weight, map.out_stride, added ? start : map.bias,
            added ? map.out_stride : 0, y, map.out_stride});
}

/// x_bar = W^T y_bar, or added to what stands there.
void pull_back(const LinearMap& map, std::int64_t rows, const float* y_bar, float* x_bar, bool added) {
  multiply({rows, map.in_stride, map.out, y_bar, map.out_stride, 1, map.transposed, map.in_stride,
            added ? x_bar : nullptr, map.in_stride, x_bar, map.in_stride});
}

/// The sum over rows is added to the gradient of the bias.
void collect_rows(std::int64_t rows, std::int64_t stride, const float* y_bar, float* bias) {
  for (std::int64_t c = 0; c < stride; c += kWidth32) {
    Vec sum = read(bias + c);
    for (std::int64_t r = 0; r < rows; ++r) sum = sum + read(y_bar + r * stride + c);
    write(bias + c, sum);
  }
}

/// W_bar += y_bar x^T, where x[row, i] stands at x[row * x_row + i * x_step]; b_bar += y_bar.
void collect_strided(const LinearMap& map, std::int64_t rows, const float* x, std::int64_t x_row, std::int64_t x_step,
                     const float* y_bar, float* gradient) {
  if (gradient == nullptr) return;
  float* weight = gradient + map.place;
  multiply({map.in, map.out_stride, rows, x, x_step, x_row, y_bar, map.out_stride, weight, map.out_stride, weight,
            map.out_stride});
  if (map.bias != nullptr) collect_rows(rows, map.out_stride, y_bar, gradient + map.bias_place);
}
void collect(const LinearMap& map, std::int64_t rows, const float* x, const float* y_bar, float* gradient) {
  collect_strided(map, rows, x, map.in_stride, 1, y_bar, gradient);
}

void gelu_of(std::int64_t count, const float* x, float* y) {
  for (std::int64_t c = 0; c < count; c += kWidth32) write(y + c, gelu(read(x + c)));
}

/// bar *= gelu'(x)
void pull_back_gelu(std::int64_t count, const float* x, float* bar) {
  for (std::int64_t c = 0; c < count; c += kWidth32) write(bar + c, read(bar + c) * gelu_slope(read(x + c)));
}

/// Hands out scratch in pieces; without memory it only counts.
struct Room {
  float* memory;
  std::int64_t used = 0;
  float* take(std::int64_t count) {
    float* piece = memory == nullptr ? nullptr : memory + used;
    used += padded(count);
    return piece;
  }
};

/// What one layer leaves for the way back.
struct LayerNumbers {
  float *sender, *receiver, *sum;  // [atoms][3 E]
  float* message;                  // [atoms][E]
  float* update;                   // [atoms][2 E], before gelu
  float* node;                     // [atoms][E], updated
  float* mlp;                      // [atoms][E], before gelu
};

/// Where the numbers of a sample stand.
struct Numbers {
  Numbers(const GraphNetworkView& network, std::int64_t pairs, bool with_derivatives, float* scratch) : room{scratch} {
    const std::int64_t n = network.atoms, e = network.node.out_stride, g = padded(2 * network.embedding);
    wide = padded(3 * network.embedding);
    waves = 6 * network.frequencies;
    tiles = (pairs + kTile - 1) / kTile;
    layer = layer_of(n, e, g, room);
    // Without derivatives all layers share the room of one.
    layer_floats = with_derivatives ? room.used : 0;
    room.take(layer_floats * (network.layer_count - 1));
    node_places = padded(n);
    node_waves = room.take(waves * node_places);
    pair_waves = room.take(tiles * kTile * waves);
    hidden = room.take(n * g);
    node_stride = with_derivatives ? n * e : 0;
    nodes = room.take(n * e + node_stride * network.layer_count);
    even = room.take(kTile * wide);
    odd = room.take(kTile * wide);
    raw = room.take(n * network.raw.out_stride);
    spline = reinterpret_cast<double*>(room.take(2 * spline_room_doubles(network.bins)));
    if (!with_derivatives) return;
    bar = room.take(n * e);
    message_bar = room.take(n * e);
    node_wave_bars = room.take(node_places * network.node.in_stride);
    sum_bar = room.take(n * wide);
    sender_bar = room.take(n * wide);
    receiver_bar = room.take(n * wide);
    const std::int64_t half = padded(waves / 2);
    even_wave_bars = room.take(kTile * half);
    odd_wave_bars = room.take(kTile * half);
  }
  LayerNumbers layer_of(std::int64_t n, std::int64_t e, std::int64_t g, Room& from) const {
    LayerNumbers numbers;
    numbers.sender = from.take(n * wide);
    numbers.receiver = from.take(n * wide);
    numbers.sum = from.take(n * wide);
    numbers.message = from.take(n * e);
    numbers.update = from.take(n * g);
    numbers.node = from.take(n * e);
    numbers.mlp = from.take(n * e);
    return numbers;
  }
  LayerNumbers at(std::int64_t l) const {
    const std::int64_t by = l * layer_floats;
    return {layer.sender + by, layer.receiver + by, layer.sum + by, layer.message + by,
            layer.update + by, layer.node + by,     layer.mlp + by};
  }
  float* nodes_before(std::int64_t l) const { return nodes + l * node_stride; }

  Room room;
  std::int64_t wide, waves, tiles, node_places, layer_floats, node_stride;
  LayerNumbers layer;
  float *node_waves, *pair_waves;  // [6 n][places], [tiles][6 n][kTile]: all cosines, then all sines
  float* hidden;                   // [atoms][2 E]
  float* nodes;                    // [layers + 1][atoms][E], before each layer
  float *even, *odd;               // [kTile][3 E]
  float* raw;                      // [atoms][3 (3 K + 1)]
  double* spline;
  float *bar, *message_bar, *node_wave_bars, *sum_bar, *sender_bar, *receiver_bar, *even_wave_bars, *odd_wave_bars;
};

/// The fraction of a turn, in [-1/2, 1/2].
float turn(double length, double per_period) {
  const double t = length * per_period;
  return static_cast<float>(t - __builtin_rint(t));
}

/// Harmonics of one component: cosines at result[n * places ...], sines `sines` further, from the fractions of a turn
/// that stand where the first cosines go.
void harmonics(std::int64_t frequencies, std::int64_t count, std::int64_t places, std::int64_t sines, float* result) {
  for (std::int64_t p = 0; p < count; p += kWidth32) {
    const Wave first = wave(read(result + p));
    Wave now = first;
    for (std::int64_t n = 0; n < frequencies; ++n) {
      write(result + n * places + p, now.cosine);
      write(result + sines + n * places + p, now.sine);
      now = {fused(now.cosine, first.cosine, -(now.sine * first.sine)),
             fused(now.sine, first.cosine, now.cosine * first.sine)};
    }
  }
}

void node_waves(const GraphNetworkView& network, const double* given, const Numbers& numbers) {
  const std::int64_t places = numbers.node_places, f = network.frequencies;
  for (std::int64_t d = 0; d < 3; ++d) {
    float* to = numbers.node_waves + d * f * places;
    for (std::int64_t i = 0; i < places; ++i) {
      to[i] = i < network.atoms ? turn(given[3 * i + d], 1.0 / network.node_period) : 0.0F;
    }
    harmonics(f, places, places, 3 * f * places, to);
  }
}

void pair_waves(const GraphNetworkView& network, const PairView& pairs, const double* given, const Numbers& numbers) {
  const std::int64_t f = network.frequencies;
  for (std::int64_t t = 0; t < numbers.tiles; ++t) {
    float* tile = numbers.pair_waves + t * numbers.waves * kTile;
    for (std::int64_t p = 0; p < kTile; ++p) {
      const std::int64_t at = t * kTile + p;
      for (std::int64_t d = 0; d < 3; ++d) {
        tile[d * f * kTile + p] =
            at < pairs.count
                ? turn(given[3 * pairs.first[at] + d] - given[3 * pairs.second[at] + d] + pairs.offset[3 * at + d],
                       1.0 / network.edge_period)
                : 0.0F;
      }
    }
    for (std::int64_t d = 0; d < 3; ++d) harmonics(f, kTile, kTile, 3 * f * kTile, tile + d * f * kTile);
  }
}

/// The pairs of a tile, and how many of them send both ways.
struct Tile {
  Tile(const PairView& pairs, const Numbers& numbers, std::int64_t t)
      : begin(t * kTile), waves(numbers.pair_waves + begin * numbers.waves) {
    const auto within = [&](std::int64_t end) {
      const std::int64_t left = end - begin;
      return left < 0 ? 0 : left < kTile ? left : kTile;
    };
    both = within(pairs.both);
    count = within(pairs.count);
  }
  std::int64_t begin, both, count;
  const float* waves;
};

/// The even and the odd part of what the pairs of a tile hear of their edges.
void edge_parts(const GraphLayer& layer, const Numbers& numbers, const Tile& tile) {
  const float* sines = tile.waves + numbers.waves / 2 * kTile;
  const auto part = [&](const LinearMap& map, const float* x, float* y) {
    multiply(
        {tile.count, map.out_stride, map.in, x, 1, kTile, map.weight, map.out_stride, nullptr, 0, y, map.out_stride});
  };
  part(layer.even, tile.waves, numbers.even);
  part(layer.odd, sines, numbers.odd);
}

#if defined(__AVX512F__)
constexpr int kSideBySide = 6;  // registers of one row
#else
constexpr int kSideBySide = 2;
#endif

/// A pair of atoms and what it reads and adds to.
struct PairRows {
  const LayerNumbers& own;
  std::int64_t i, j;  // where the rows of the first and the second atom begin
  float *even, *odd;

  /// What the first hears, in U registers from column c on, then what the second hears.
  template <bool kBoth, int U>
  BGW_INLINE_MEMBER Vecs<kBoth ? 2 * U : U> heard(std::int64_t c) const {
    Vecs<kBoth ? 2 * U : U> x;
#pragma GCC unroll 8
    for (int k = 0; k < U; ++k) {
      const std::int64_t at = c + k * kWidth32;
      const Vec e = read(even + at), o = read(odd + at);
      x.v[k] = e + o + (read(own.sender + j + at) + read(own.receiver + i + at));
      if constexpr (kBoth) x.v[U + k] = e - o + (read(own.sender + i + at) + read(own.receiver + j + at));
    }
    return x;
  }
};

BGW_INLINE void add_to(float* sum, Vec x) { write(sum, read(sum) + x); }

template <bool kBoth, int U>
BGW_INLINE void add_messages_at(const PairRows& pair, std::int64_t c) {
  const auto message = gelu<kBoth>(pair.heard<kBoth, U>(c));
#pragma GCC unroll 8
  for (int k = 0; k < U; ++k) add_to(pair.own.sum + pair.i + c + k * kWidth32, message.v[k]);
  if constexpr (kBoth) {
#pragma GCC unroll 8
    for (int k = 0; k < U; ++k) add_to(pair.own.sum + pair.j + c + k * kWidth32, message.v[U + k]);
  }
}

template <bool kBoth>
BGW_INLINE void add_messages(const PairRows& pair, std::int64_t wide) {
  std::int64_t c = 0;
  for (; c + kSideBySide * kWidth32 <= wide; c += kSideBySide * kWidth32) add_messages_at<kBoth, kSideBySide>(pair, c);
  for (; c < wide; c += kWidth32) add_messages_at<kBoth, 1>(pair, c);
}

PairRows pair_rows(const PairView& pairs, const Numbers& numbers, const LayerNumbers& own, const Tile& tile,
                   std::int64_t p) {
  return {own, pairs.first[tile.begin + p] * numbers.wide, pairs.second[tile.begin + p] * numbers.wide,
          numbers.even + p * numbers.wide, numbers.odd + p * numbers.wide};
}

void sum_messages(const GraphNetworkView& network, const GraphLayer& layer, const PairView& pairs,
                  const Numbers& numbers, const LayerNumbers& own) {
  const std::int64_t wide = numbers.wide;
  for (std::int64_t c = 0; c < network.atoms * wide; c += kWidth32) write(own.sum + c, Vec{});
  for (std::int64_t t = 0; t < numbers.tiles; ++t) {
    const Tile tile(pairs, numbers, t);
    edge_parts(layer, numbers, tile);
    for (std::int64_t p = 0; p < tile.count; ++p) {
      const PairRows pair = pair_rows(pairs, numbers, own, tile, p);
      if (p < tile.both) {
        add_messages<true>(pair, wide);
      } else {
        add_messages<false>(pair, wide);
      }
    }
  }
}

void run_layer(const GraphNetworkView& network, std::int64_t l, const PairView& pairs, const Numbers& numbers) {
  const GraphLayer& layer = network.layers[l];
  const LayerNumbers own = numbers.at(l);
  const std::int64_t n = network.atoms;
  const float* before = numbers.nodes_before(l);
  apply(layer.sender, n, before, own.sender);
  apply(layer.receiver, n, before, own.receiver);
  sum_messages(network, layer, pairs, numbers, own);
  apply(layer.second, n, own.sum, own.message);
  apply(layer.update_message, n, own.message, own.update);
  apply(layer.update_node, n, before, own.update, own.update);
  gelu_of(n * layer.update_node.out_stride, own.update, numbers.hidden);
  apply(layer.update_second, n, numbers.hidden, own.node);
  const std::int64_t floats = n * network.node.out_stride;
  for (std::int64_t c = 0; c < floats; c += kWidth32) write(own.node + c, read(own.node + c) + read(before + c));
  apply(layer.mlp_first, n, own.node, own.mlp);
  gelu_of(floats, own.mlp, numbers.hidden);
  float* after = numbers.nodes_before(l + 1);
  apply(layer.mlp_second, n, numbers.hidden, after);
  for (std::int64_t c = 0; c < floats; c += kWidth32) write(after + c, read(after + c) + read(own.node + c));
}

/// From the given part to the raw numbers of the splines.
void run_network(const GraphNetworkView& network, const PairView& pairs, const double* given, const Numbers& numbers) {
  node_waves(network, given, numbers);
  pair_waves(network, pairs, given, numbers);
  const std::int64_t e = network.node.out_stride;
  for (std::int64_t i = 0; i < network.atoms; ++i) {
    const float* from = network.sublattice + network.sublattice_of[i] * e;
    for (std::int64_t c = 0; c < e; c += kWidth32) write(numbers.nodes + i * e + c, read(from + c));
  }
  multiply({network.atoms, e, network.node.in, numbers.node_waves, 1, numbers.node_places, network.node.weight, e,
            numbers.nodes, e, numbers.nodes, e});
  for (std::int64_t l = 0; l < network.layer_count; ++l) run_layer(network, l, pairs, numbers);
  apply(network.raw, network.atoms, numbers.nodes_before(network.layer_count), numbers.raw);
}

/// The raw numbers of eight splines stand in the lanes, and go back there; lanes beyond the last repeat it.
struct SplineRows {
  SplineRows(const GraphNetworkView& network, const Numbers& numbers, std::int64_t s) : width(3 * network.bins + 1) {
    const std::int64_t count = 3 * network.atoms;
    filled = count - s < kLanes ? count - s : kLanes;
    for (std::int64_t l = 0; l < kLanes; ++l) {
      scalar[l] = s + (l < filled ? l : filled - 1);
      row[l] = numbers.raw + scalar[l] / 3 * network.raw.out_stride + scalar[l] % 3 * width;
    }
  }
  void to_lanes(double* raw) const {
    for (std::int64_t k = 0; k < width; ++k) {
      for (std::int64_t l = 0; l < kLanes; ++l) raw[k * kLanes + l] = static_cast<double>(row[l][k]);
    }
  }
  void from_lanes(const double* raw) const {
    for (std::int64_t l = 0; l < filled; ++l) {
      for (std::int64_t k = 0; k < width; ++k) row[l][k] = static_cast<float>(raw[k * kLanes + l]);
    }
  }
  Lanes gather(const double* from) const {
    alignas(64) double x[kLanes];
    for (std::int64_t l = 0; l < kLanes; ++l) x[l] = from[scalar[l]];
    return load(x);
  }
  void scatter(Lanes x, double* to) const {
    alignas(64) double numbers[kLanes];
    store(numbers, x);
    for (std::int64_t l = 0; l < filled; ++l) to[scalar[l]] = numbers[l];
  }
  std::int64_t width, filled;
  std::int64_t scalar[kLanes];
  float* row[kLanes];
};

double run_splines(const GraphNetworkView& network, const Numbers& numbers, const double* moved, double* result,
                   bool backwards) {
  const SplineShape shape{network.lower, network.upper, network.bins};
  const SplineRoom room = spline_room(numbers.spline, network.bins);
  double log_det = 0.0;
  for (std::int64_t s = 0; s < 3 * network.atoms; s += kLanes) {
    const SplineRows rows(network, numbers, s);
    rows.to_lanes(room.raw);
    const Lanes x = rows.gather(moved);
    const SplineResult y = backwards ? spline_inverse(shape, room, x) : spline_forward(shape, room, x);
    rows.scatter(y.value, result);
    alignas(64) double logs[kLanes];
    store(logs, y.log_slope);
    for (std::int64_t l = 0; l < rows.filled; ++l) log_det += logs[l];
  }
  return log_det;
}

double forward(const GraphNetworkView& network, const PairView& pairs, const CouplingCall& call, double* result) {
  const Numbers numbers(network, pairs.count, false, call.scratch);
  run_network(network, pairs, call.given, numbers);
  return run_splines(network, numbers, call.moved, result, false);
}

double inverse(const GraphNetworkView& network, const PairView& pairs, const CouplingCall& call, double* result) {
  const Numbers numbers(network, pairs.count, false, call.scratch);
  run_network(network, pairs, call.given, numbers);
  return run_splines(network, numbers, call.moved, result, true);
}

/// The raw numbers are overwritten by their bars.
void pull_back_splines(const GraphNetworkView& network, const Numbers& numbers, const CouplingCall& call,
                       const CouplingBars& bars) {
  const SplineShape shape{network.lower, network.upper, network.bins};
  const SplineRoom room = spline_room(numbers.spline, network.bins);
  for (std::int64_t s = 0; s < 3 * network.atoms; s += kLanes) {
    const SplineRows rows(network, numbers, s);
    rows.to_lanes(room.raw);
    const Lanes result = spline_derivatives(shape, room, rows.gather(call.moved), rows.gather(bars.moved_bar),
                                            {bars.carry, bars.log_det_bar});
    rows.scatter(result, bars.moved_result);
    rows.from_lanes(room.raw);
  }
}

/// What the waves of one component, each `step` further, and their bars make of the length behind them.
/// @param bar_row  between the bars of neighbouring lanes
BGW_INLINE Vec pull_back_harmonics(std::int64_t frequencies, const float* cosine, const float* sine, std::int64_t step,
                                   const float* cosine_bar, const float* sine_bar, std::int64_t bar_row) {
  Vec sum = {};
  for (std::int64_t n = 0; n < frequencies; ++n) {
    const Vec cosine_bars = gather(cosine_bar + n, bar_row), sine_bars = gather(sine_bar + n, bar_row);
    const Vec turned = fused(sine_bars, read(cosine + n * step), -(cosine_bars * read(sine + n * step)));
    sum = fused(turned, all(static_cast<float>(n + 1)), sum);
  }
  return sum;
}

constexpr double kTurn = 6.283185307179586;

void pull_back_pair_waves(const GraphNetworkView& network, const PairView& pairs, const Numbers& numbers,
                          const Tile& tile, double* given_bar) {
  const std::int64_t f = network.frequencies, half = padded(3 * f);
  for (std::int64_t d = 0; d < 3; ++d) {
    const float* cosine = tile.waves + d * f * kTile;
    alignas(64) float sums[kTile];
    for (std::int64_t p = 0; p < tile.count; p += kWidth32) {
      write(sums + p, pull_back_harmonics(f, cosine + p, cosine + 3 * f * kTile + p, kTile,
                                          numbers.even_wave_bars + p * half + d * f,
                                          numbers.odd_wave_bars + p * half + d * f, half));
    }
    for (std::int64_t p = 0; p < tile.count; ++p) {
      const double bar = static_cast<double>(sums[p]) * (kTurn / network.edge_period);
      given_bar[3 * pairs.first[tile.begin + p] + d] += bar;
      given_bar[3 * pairs.second[tile.begin + p] + d] -= bar;
    }
  }
}

void pull_back_node_waves(const GraphNetworkView& network, const Numbers& numbers, double* given_bar) {
  const std::int64_t f = network.frequencies, places = numbers.node_places, stride = network.node.in_stride;
  for (std::int64_t d = 0; d < 3; ++d) {
    const float* cosine = numbers.node_waves + d * f * places;
    for (std::int64_t i = 0; i < network.atoms; i += kWidth32) {
      alignas(64) float sums[kWidth32];
      const float* bars = numbers.node_wave_bars + i * stride + d * f;
      write(sums, pull_back_harmonics(f, cosine + i, cosine + 3 * f * places + i, places, bars, bars + 3 * f, stride));
      const std::int64_t left = network.atoms - i;
      for (std::int64_t l = 0; l < (left < kWidth32 ? left : kWidth32); ++l) {
        given_bar[3 * (i + l) + d] += static_cast<double>(sums[l]) * (kTurn / network.node_period);
      }
    }
  }
}

/// The bars of what a pair hears are added to those of senders and receivers; their sum and difference take the place
/// of the even and odd part.
template <bool kBoth, int U>
BGW_INLINE void pull_back_messages_at(const PairRows& pair, const Numbers& numbers, std::int64_t c) {
  auto bar = gelu_slope<kBoth>(pair.heard<kBoth, U>(c));
#pragma GCC unroll 8
  for (int k = 0; k < U; ++k) {
    const std::int64_t at_i = pair.i + c + k * kWidth32, at_j = pair.j + c + k * kWidth32;
    bar.v[k] = bar.v[k] * read(numbers.sum_bar + at_i);
    add_to(numbers.receiver_bar + at_i, bar.v[k]);
    add_to(numbers.sender_bar + at_j, bar.v[k]);
    Vec even = bar.v[k], odd = bar.v[k];
    if constexpr (kBoth) {
      const Vec second = bar.v[U + k] * read(numbers.sum_bar + at_j);
      add_to(numbers.receiver_bar + at_j, second);
      add_to(numbers.sender_bar + at_i, second);
      even = even + second;
      odd = odd - second;
    }
    write(pair.even + c + k * kWidth32, even);
    write(pair.odd + c + k * kWidth32, odd);
  }
}

template <bool kBoth>
BGW_INLINE void pull_back_messages(const PairRows& pair, const Numbers& numbers) {
  std::int64_t c = 0;
  for (; c + kSideBySide * kWidth32 <= numbers.wide; c += kSideBySide * kWidth32) {
    pull_back_messages_at<kBoth, kSideBySide>(pair, numbers, c);
  }
  for (; c < numbers.wide; c += kWidth32) pull_back_messages_at<kBoth, 1>(pair, numbers, c);
}

void pull_back_sum(const GraphNetworkView& network, const GraphLayer& layer, const PairView& pairs,
                   const Numbers& numbers, const LayerNumbers& own, double* given_bar, float* gradient) {
  const std::int64_t wide = numbers.wide;
  for (std::int64_t c = 0; c < network.atoms * wide; c += kWidth32) {
    write(numbers.sender_bar + c, Vec{});
    write(numbers.receiver_bar + c, Vec{});
  }
  for (std::int64_t t = 0; t < numbers.tiles; ++t) {
    const Tile tile(pairs, numbers, t);
    edge_parts(layer, numbers, tile);
    for (std::int64_t p = 0; p < tile.count; ++p) {
      const PairRows pair = pair_rows(pairs, numbers, own, tile, p);
      if (p < tile.both) {
        pull_back_messages<true>(pair, numbers);
      } else {
        pull_back_messages<false>(pair, numbers);
      }
    }
    collect_strided(layer.even, tile.count, tile.waves, 1, kTile, numbers.even, gradient);
    collect_strided(layer.odd, tile.count, tile.waves + numbers.waves / 2 * kTile, 1, kTile, numbers.odd, gradient);
    pull_back(layer.even, tile.count, numbers.even, numbers.even_wave_bars, false);
    pull_back(layer.odd, tile.count, numbers.odd, numbers.odd_wave_bars, false);
    pull_back_pair_waves(network, pairs, numbers, tile, given_bar);
  }
}

/// The bar of the nodes after a layer becomes that before it.
void pull_back_layer(const GraphNetworkView& network, std::int64_t l, const PairView& pairs, const Numbers& numbers,
                     double* given_bar, float* gradient) {
  const GraphLayer& layer = network.layers[l];
  const LayerNumbers own = numbers.at(l);
  const std::int64_t n = network.atoms;
  const float* before = numbers.nodes_before(l);
  // The mlp.
  const std::int64_t floats = n * network.node.out_stride;
  gelu_of(floats, own.mlp, numbers.hidden);
  collect(layer.mlp_second, n, numbers.hidden, numbers.bar, gradient);
  pull_back(layer.mlp_second, n, numbers.bar, numbers.hidden, false);
  pull_back_gelu(floats, own.mlp, numbers.hidden);
  collect(layer.mlp_first, n, own.node, numbers.hidden, gradient);
  pull_back(layer.mlp_first, n, numbers.hidden, numbers.bar, true);
  // The update.
  const std::int64_t update_floats = n * layer.update_node.out_stride;
  gelu_of(update_floats, own.update, numbers.hidden);
  collect(layer.update_second, n, numbers.hidden, numbers.bar, gradient);
  pull_back(layer.update_second, n, numbers.bar, numbers.hidden, false);
  pull_back_gelu(update_floats, own.update, numbers.hidden);
  collect(layer.update_message, n, own.message, numbers.hidden, gradient);
  collect(layer.update_node, n, before, numbers.hidden, gradient);
  pull_back(layer.update_message, n, numbers.hidden, numbers.message_bar, false);
  pull_back(layer.update_node, n, numbers.hidden, numbers.bar, true);
  // The messages.
  collect(layer.second, n, own.sum, numbers.message_bar, gradient);
  pull_back(layer.second, n, numbers.message_bar, numbers.sum_bar, false);
  pull_back_sum(network, layer, pairs, numbers, own, given_bar, gradient);
  collect(layer.sender, n, before, numbers.sender_bar, gradient);
  collect(layer.receiver, n, before, numbers.receiver_bar, gradient);
  pull_back(layer.sender, n, numbers.sender_bar, numbers.bar, true);
  pull_back(layer.receiver, n, numbers.receiver_bar, numbers.bar, true);
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
