// A graph network: waves of displacements and edges, messages of pairs, layers. Included only by graph_body.h, inside the
// namespace of one variant.

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
