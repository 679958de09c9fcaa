// Where the numbers of a sample stand while its network runs. Included only by graph_body.h, inside the namespace of one
// variant.

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
