// Maps of padded rows and gelu, forward and backward. Included only by graph_body.h, inside the namespace of one variant.

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
