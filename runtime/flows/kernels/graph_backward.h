// The way back through a graph network, from the bars of its last nodes to those of what it was given and of its
// parameters. Included only by graph_body.h, inside the namespace of one variant.

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
