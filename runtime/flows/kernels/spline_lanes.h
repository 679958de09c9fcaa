// Rational-quadratic splines (rational_quadratic_spline.h) of eight numbers at once, float64. Included only by
// graph_body.h, inside the namespace of one variant. The ends go over into the identity.

constexpr double kSmallestFraction = 1e-4;  // of a bin, relative to the interval
constexpr double kSmallestSlope = 1e-4;
constexpr double kSlopeOffset = 0.5411666523385311;  // makes raw = 0 a slope of one: ln(exp(1 - 1e-4) - 1)

/// An interval and its division.
struct SplineShape {
  double lower, upper;
  std::int64_t bins;
  double smallest() const { return kSmallestFraction * (upper - lower); }
  double shared() const { return (upper - lower) - smallest() * static_cast<double>(bins); }
};

/// Room for eight splines, each number of them [kLanes].
struct SplineRoom {
  double* raw;      // [3 K + 1], given
  double* widths;   // [K], shares of the interval
  double* heights;  // [K]
};

std::int64_t spline_room_doubles(std::int64_t bins) { return (5 * bins + 1) * kLanes; }
SplineRoom spline_room(double* memory, std::int64_t bins) {
  return {memory, memory + (3 * bins + 1) * kLanes, memory + (4 * bins + 1) * kLanes};
}

template <class Function>
BGW_INLINE Lanes lane_by_lane(Lanes x, Function f) {
  alignas(64) double numbers[kLanes];
  store(numbers, x);
  for (int l = 0; l < kLanes; ++l) numbers[l] = f(numbers[l]);
  return load(numbers);
}

BGW_INLINE Lanes logarithm(Lanes x) {
  return lane_by_lane(x, [](double t) { return __builtin_log(t); });
}

/// Softmax of K numbers.
void shares(const double* raw, std::int64_t bins, double* result) {
  Lanes largest = load(raw);
  for (std::int64_t k = 1; k < bins; ++k) {
    const Lanes next = load(raw + k * kLanes);
    largest = select(below(largest, next), next, largest);
  }
  Lanes sum = splat(0.0);
  for (std::int64_t k = 0; k < bins; ++k) {
    const Lanes power = exponential(load(raw + k * kLanes) - largest);
    store(result + k * kLanes, power);
    sum = sum + power;
  }
  const Lanes factor = splat(1.0) / sum;
  for (std::int64_t k = 0; k < bins; ++k) store(result + k * kLanes, load(result + k * kLanes) * factor);
}

/// The slope of a raw number and its derivative.
struct Slope {
  Lanes value, derivative;
};

BGW_INLINE Slope slope_of(Lanes raw) {
  const Lanes x = raw + splat(kSlopeOffset);
  const Mask negative = below(x, splat(0.0));
  const Lanes power = exponential(select(negative, x, -x));  // exp(-|x|)
  const Lanes softplus =
      select(negative, splat(0.0), x) + lane_by_lane(power, [](double t) { return __builtin_log1p(t); });
  return {softplus + splat(kSmallestSlope), select(negative, power, splat(1.0)) / (splat(1.0) + power)};
}

/// The bin of each number, and its place among the bins.
struct Bin {
  Lanes place, x, y, width, height;
  Slope left, right;
  Mask outside;
};

/// @param by_y  whether the numbers are images
BGW_INLINE Bin bin_of(const SplineShape& shape, const SplineRoom& room, Lanes value, bool by_y) {
  const std::int64_t bins = shape.bins;
  shares(room.raw, bins, room.widths);
  shares(room.raw + bins * kLanes, bins, room.heights);
  const Lanes shared = splat(shape.shared()), smallest = splat(shape.smallest());
  const double* slopes = room.raw + 2 * bins * kLanes;
  Bin b;
  b.place = splat(0.0);
  Lanes x = splat(shape.lower), y = x;
  Lanes width = load(room.widths) * shared + smallest, height = load(room.heights) * shared + smallest;
  b.x = x;
  b.y = y;
  b.width = width;
  b.height = height;
  Lanes left = splat(0.0), right = load(slopes + kLanes);
  for (std::int64_t k = 1; k < bins; ++k) {
    x = x + width;
    y = y + height;
    width = load(room.widths + k * kLanes) * shared + smallest;
    height = load(room.heights + k * kLanes) * shared + smallest;
    const Mask before = below(value, by_y ? y : x);
    b.place = select(before, b.place, splat(static_cast<double>(k)));
    b.x = select(before, b.x, x);
    b.y = select(before, b.y, y);
    b.width = select(before, b.width, width);
    b.height = select(before, b.height, height);
    left = select(before, left, load(slopes + k * kLanes));
    right = select(before, right, load(slopes + (k + 1) * kLanes));
  }
  const Mask first = below(b.place, splat(0.5));
  const Mask not_last = below(b.place, splat(static_cast<double>(bins) - 1.5));
  b.left = slope_of(left);
  b.right = slope_of(right);
  b.left = {select(first, splat(1.0), b.left.value), select(first, splat(0.0), b.left.derivative)};
  b.right = {select(not_last, b.right.value, splat(1.0)), select(not_last, b.right.derivative, splat(0.0))};
  const Lanes within = select(below(value, splat(shape.lower)), splat(0.0),
                              select(below(value, splat(shape.upper)), splat(1.0), splat(0.0)));
  b.outside = below(within, splat(0.5));
  return b;
}

BGW_INLINE Lanes within_bin(Lanes z) {
  z = select(below(z, splat(0.0)), splat(0.0), z);
  return select(below(splat(1.0), z), splat(1.0), z);
}

/// The parts of the map in a bin, at the fraction z of its width: y = Y + h n / d, dy/dx = s^2 p / d^2.
struct Place {
  Lanes z, mixed, s, bend, n, d, p;
};

BGW_INLINE Place place_in(const Bin& b, Lanes z) {
  Place a;
  a.z = z;
  const Lanes rest = splat(1.0) - z;
  a.mixed = z * rest;
  a.s = b.height / b.width;
  a.bend = b.right.value + b.left.value - (a.s + a.s);
  a.n = a.s * z * z + b.left.value * a.mixed;
  a.d = a.s + a.bend * a.mixed;
  a.p = b.right.value * z * z + splat(2.0) * a.s * a.mixed + b.left.value * rest * rest;
  return a;
}

BGW_INLINE Lanes log_slope(const Place& a) { return logarithm(a.s * a.s * a.p / (a.d * a.d)); }

struct SplineResult {
  Lanes value, log_slope;
};

BGW_INLINE SplineResult spline_forward(const SplineShape& shape, const SplineRoom& room, Lanes x) {
  const Bin b = bin_of(shape, room, x, false);
  const Place a = place_in(b, within_bin((x - b.x) / b.width));
  return {select(b.outside, x, b.y + b.height * a.n / a.d), select(b.outside, splat(0.0), log_slope(a))};
}

/// Of the two ways to write the root of the quadratic equation the one that does not subtract near-equal numbers.
BGW_INLINE SplineResult spline_inverse(const SplineShape& shape, const SplineRoom& room, Lanes y) {
  const Bin b = bin_of(shape, room, y, true);
  const Lanes v = within_bin((y - b.y) / b.height);
  const Lanes s = b.height / b.width;
  const Lanes c0 = -(s * v);
  const Lanes b0 = b.left.value - (b.right.value + b.left.value - (s + s)) * v;
  const Lanes a0 = s - b0;
  const Lanes square = b0 * b0 - splat(4.0) * a0 * c0;
  const Lanes root = square_root(select(below(square, splat(0.0)), splat(0.0), square));
  const Lanes z = within_bin(select(below(b0, splat(0.0)), (root - b0) / (a0 + a0), (c0 + c0) / (-b0 - root)));
  return {select(b.outside, y, b.x + b.width * z), select(b.outside, splat(0.0), -log_slope(place_in(b, z)))};
}

/// Derivatives of (y, ln dy/dx) with their weights, as numbers of the bin.
struct BinBars {
  Lanes x, knot_x, knot_y, width, height, left, right;
};

BGW_INLINE BinBars bars_of(const Bin& b, const Place& a, Lanes y_bar, Lanes log_bar) {
  const Lanes one = splat(1.0), two = splat(2.0);
  const Lanes rest = one - a.z;
  const Lanes by_p = one / a.p, by_d = one / a.d;
  const Lanes h = b.height * by_d * by_d;
  const Lanes d_s = one - (a.mixed + a.mixed);
  const Lanes p_z = two * (b.right.value * a.z + a.s * (rest - a.z) - b.left.value * rest);
  const Lanes z_bar = y_bar * h * a.s * a.p + log_bar * (p_z * by_p - two * a.bend * (rest - a.z) * by_d);
  const Lanes s_bar =
      y_bar * h * (a.z * a.z * a.d - a.n * d_s) + log_bar * two * (one / a.s + a.mixed * by_p - d_s * by_d);
  BinBars bars;
  bars.left = y_bar * h * a.mixed * (a.d - a.n) + log_bar * (rest * rest * by_p - two * a.mixed * by_d);
  bars.right = log_bar * (a.z * a.z * by_p - two * a.mixed * by_d) - y_bar * h * a.mixed * a.n;
  bars.x = z_bar / b.width;
  bars.knot_x = -bars.x;
  bars.knot_y = y_bar;
  bars.width = -(s_bar * a.s / b.width) - bars.x * a.z;
  bars.height = y_bar * a.n * by_d + s_bar / b.width;
  return bars;
}

/// Back through softmax: `bars` are those of the shares; the raw bars take the place of the shares.
BGW_INLINE void pull_back_shares(const SplineShape& shape, Lanes place, Lanes before, Lanes at, double* numbers) {
  const auto bar = [&](std::int64_t k) {
    const Lanes number = splat(static_cast<double>(k));
    return select(below(number, place), before, select(below(place, number), splat(0.0), at));
  };
  Lanes mean = splat(0.0);
  for (std::int64_t k = 0; k < shape.bins; ++k) mean = mean + load(numbers + k * kLanes) * bar(k);
  for (std::int64_t k = 0; k < shape.bins; ++k) {
    store(numbers + k * kLanes, load(numbers + k * kLanes) * (bar(k) - mean) * splat(shape.shared()));
  }
}

struct SplineBars {
  bool carry;
  double log_det_bar;
};

/// What eight numbers become: dL/dx, or the score of y. The raw numbers are overwritten by their bars.
BGW_INLINE Lanes spline_derivatives(const SplineShape& shape, const SplineRoom& room, Lanes x, Lanes moved_bar,
                                    const SplineBars& wanted) {
  const Bin b = bin_of(shape, room, x, false);
  const Place a = place_in(b, within_bin((x - b.x) / b.width));
  Lanes result = moved_bar, y_bar = moved_bar, log_bar = splat(wanted.log_det_bar);
  if (wanted.carry) {
    // The score is taken by the slope; what it makes of the raw numbers is what y does when they change, taken off.
    const Lanes slope_bar = bars_of(b, a, splat(0.0), splat(1.0)).x;
    result = (moved_bar - slope_bar) * (a.d * a.d) / (a.s * a.s * a.p);
    y_bar = -result;
    log_bar = splat(-1.0);
  }
  BinBars bars = bars_of(b, a, y_bar, log_bar);
  if (!wanted.carry) result = bars.x;
  const auto inside = [&](Lanes t) { return select(b.outside, splat(0.0), t); };
  pull_back_shares(shape, b.place, inside(bars.knot_x), inside(bars.width), room.widths);
  pull_back_shares(shape, b.place, inside(bars.knot_y), inside(bars.height), room.heights);
  const Lanes left = inside(bars.left * b.left.derivative), right = inside(bars.right * b.right.derivative);
  for (std::int64_t k = 0; k < shape.bins; ++k) {
    store(room.raw + k * kLanes, load(room.widths + k * kLanes));
    store(room.raw + (shape.bins + k) * kLanes, load(room.heights + k * kLanes));
  }
  for (std::int64_t k = 0; k <= shape.bins; ++k) {
    const auto is = [&](Lanes place, double number) {
      const Lanes low = splat(number - 0.5), high = splat(number + 0.5);
      return select(below(place, low), splat(0.0), select(below(place, high), splat(1.0), splat(0.0)));
    };
    const double number = static_cast<double>(k);
    store(room.raw + (2 * shape.bins + k) * kLanes, is(b.place, number) * left + is(b.place, number - 1.0) * right);
  }
  return select(b.outside, moved_bar, result);
}
