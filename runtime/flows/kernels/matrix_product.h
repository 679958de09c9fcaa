// Products of small float32 matrices. Included only by graph_body.h, inside the namespace of one variant.
//
// One loop serves all: y[r][c] = start[r][c] + sum_i x[r, i] w[i][c], where x is read number by number with any
// strides, so that it may stand transposed, and w, start and y are rows of full registers. A number of the result is
// summed in the order of i, whatever the tile it falls into.

/// R rows times C registers in the accumulators.
template <int R, int C>
BGW_INLINE void product_tile(std::int64_t depth, const float* x, std::int64_t row, std::int64_t step, const float* w,
                             std::int64_t w_stride, const float* start, std::int64_t start_stride, float* y,
                             std::int64_t y_stride) {
  Vec sum[R][C];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sum[r][c] = start == nullptr ? Vec{} : read(start + r * start_stride + c * kWidth32);
  }
  for (std::int64_t i = 0; i < depth; ++i) {
    Vec weight[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) weight[c] = read(w + i * w_stride + c * kWidth32);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vec input = all(x[r * row + i * step]);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sum[r][c] = fused(input, weight[c], sum[r][c]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) write(y + r * y_stride + c * kWidth32, sum[r][c]);
  }
}

/// The numbers of one product; a start of nullptr is zero, of stride 0 the same for all rows, and may be y.
struct Product {
  std::int64_t rows, columns, depth;  // columns: a multiple of kFloats
  const float* x;
  std::int64_t row, step;  // of x
  const float* w;
  std::int64_t w_stride;
  const float* start;
  std::int64_t start_stride;
  float* y;
  std::int64_t y_stride;
};

template <int R, int C>
BGW_INLINE void tile_at(const Product& p, std::int64_t r, std::int64_t c) {
  const float* start = p.start == nullptr ? nullptr : p.start + r * p.start_stride + c;
  product_tile<R, C>(p.depth, p.x + r * p.row, p.row, p.step, p.w + c, p.w_stride, start, p.start_stride,
                     p.y + r * p.y_stride + c, p.y_stride);
}

template <int R, int C>
void column_block(const Product& p, std::int64_t c) {
  std::int64_t r = 0;
  for (; r + R <= p.rows; r += R) tile_at<R, C>(p, r, c);
  if constexpr (R > 4) {
    for (; r + 4 <= p.rows; r += 4) tile_at<4, C>(p, r, c);
  }
  for (; r < p.rows; ++r) tile_at<1, C>(p, r, c);
}

/// Accumulators enough to hide the time of an addition, in rows that divide the usual counts.
void multiply(const Product& p) {
  std::int64_t c = 0;
#if defined(__AVX512F__)
  for (std::int64_t left = p.columns / kFloats; left > 0;) {
    const std::int64_t take = left >= 9 || left == 6 ? 6 : left >= 4 ? (left == 5 ? 3 : 4) : left;
    if (take == 6) column_block<4, 6>(p, c);
    if (take == 4) column_block<4, 4>(p, c);
    if (take == 3) column_block<8, 3>(p, c);
    if (take == 2) column_block<8, 2>(p, c);
    if (take == 1) column_block<8, 1>(p, c);
    c += take * kFloats;
    left -= take;
  }
#else
  for (; c < p.columns; c += 2 * kWidth32) column_block<6, 2>(p, c);
#endif
}
