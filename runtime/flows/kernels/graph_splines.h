// The splines that a graph network sets, on the rows of the atoms. Included only by graph_body.h, inside the namespace of one
// variant.

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
