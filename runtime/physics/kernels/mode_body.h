// The mode transform, written once; a variant source defines BGW_VARIANT (a namespace) and includes this file.
//
// Discrete Fourier transforms axis by axis, eight configurations at once, sixteen in float32. A line of up to kDirect points is summed as it
// stands, x_j and x_(n-j) together, which takes n^2 multiplications for a complex line; up to sixteen points that is as
// quick as anything with twiddle factors. Longer lines are split by a factor of their length (Cooley and Tukey), so the
// work grows as n log n; a length that is a large prime is summed directly.
//
// Set aside: the FFT of a library (complex, one configuration after the other, results that hang on the batch).

#include "runtime/physics/kernels/mode_kernels.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace bgw::physics::kernels {
namespace BGW_VARIANT {
namespace {

#include "runtime/physics/kernels/lanes.h"

using ModeBlock = kernels::ModeBlockOf<Number>;
using ModeView = kernels::ModeViewOf<Number>;

constexpr std::int64_t kDirect = 16;

struct Complex {
  Lanes re, im;
};

BGW_INLINE Complex operator+(const Complex& a, const Complex& b) { return {a.re + b.re, a.im + b.im}; }
BGW_INLINE Complex operator-(const Complex& a, const Complex& b) { return {a.re - b.re, a.im - b.im}; }
BGW_INLINE Complex operator*(const Complex& a, Number x) { return {a.re * splat(x), a.im * splat(x)}; }

/// exp(2 pi i j / n) with n = period / step.
struct Roots {
  const Number* table;
  std::int64_t period, step;
};

/// The roots of j k for j = 1, 2, ...
struct Turn {
  Turn(const Roots& r, std::int64_t k) : table(r.table), period(r.period), step(k * r.step % r.period), now(0) {}
  void advance() {
    now += step;
    now -= now >= period ? period : 0;
  }
  Number cosine() const { return table[2 * now]; }
  Number sine() const { return table[2 * now + 1]; }
  const Number* table;
  std::int64_t period, step, now;
};

/// y_k = sum_j x_j exp(sign 2 pi i j k / n), n terms. `sums` has room for n numbers.
void direct_line(const Roots& roots, std::int64_t n, Number sign, const Complex* x, std::int64_t x_stride, Complex* y,
                 std::int64_t y_stride, Complex* sums) {
  const std::int64_t h = (n - 1) / 2;
  const bool even = n % 2 == 0;
  const Complex x0 = x[0];
  const Complex middle = even && n > 1 ? x[n / 2 * x_stride] : Complex{splat(0.0), splat(0.0)};
  Complex total = even ? x0 + middle : x0;
  for (std::int64_t j = 1; j <= h; ++j) {
    const Complex a = x[j * x_stride];
    const Complex b = x[(n - j) * x_stride];
    sums[2 * j - 2] = a + b;
    sums[2 * j - 1] = a - b;
    total = total + sums[2 * j - 2];
  }
  // y may be x: all of it has been read.
  y[0] = total;
  for (std::int64_t k = 1; k <= h; ++k) {
    Complex along = even && k % 2 != 0 ? x0 - middle : x0 + middle;
    Complex across{splat(0.0), splat(0.0)};
    Turn turn(roots, k);
    for (std::int64_t j = 1; j <= h; ++j) {
      turn.advance();
      along = along + sums[2 * j - 2] * turn.cosine();
      across = across + sums[2 * j - 1] * (sign * turn.sine());
    }
    y[k * y_stride] = {along.re - across.im, along.im + across.re};
    y[(n - k) * y_stride] = {along.re + across.im, along.im - across.re};
  }
  if (even && n > 1) {
    Complex alternating = n / 2 % 2 != 0 ? x0 - middle : x0 + middle;
    for (std::int64_t j = 1; j <= h; ++j)
      alternating = j % 2 != 0 ? alternating - sums[2 * j - 2] : alternating + sums[2 * j - 2];
    y[n / 2 * y_stride] = alternating;
  }
}

/// The largest divisor of n that is summed directly, or n itself where there is none.
std::int64_t factor_of(std::int64_t n) {
  if (n <= kDirect) return n;
  for (std::int64_t p = kDirect; p > 1; --p) {
    if (n % p == 0) return p;
  }
  return n;
}

/// As direct_line, for any n; `scratch` has room for 3 n numbers. x and y must not overlap.
void line(const Roots& roots, std::int64_t n, Number sign, const Complex* x, std::int64_t x_stride, Complex* y,
          std::int64_t y_stride, Complex* scratch) {
  const std::int64_t p = factor_of(n);
  if (p == n) return direct_line(roots, n, sign, x, x_stride, y, y_stride, scratch);
  const std::int64_t q = n / p;
  const Roots inner{roots.table, roots.period, roots.step * p};
  const Roots outer{roots.table, roots.period, roots.step * q};
  Complex* parts = scratch;  // [p][q]
  for (std::int64_t a = 0; a < p; ++a) {
    line(inner, q, sign, x + a * x_stride, p * x_stride, parts + a * q, 1, scratch + n);
    Turn turn(roots, a);
    for (std::int64_t k = 1; k < q; ++k) {
      turn.advance();
      const Complex z = parts[a * q + k];
      const Lanes c = splat(turn.cosine());
      const Lanes s = splat(sign * turn.sine());
      parts[a * q + k] = {z.re * c - z.im * s, z.re * s + z.im * c};
    }
  }
  for (std::int64_t k = 0; k < q; ++k)
    direct_line(outer, p, sign, parts + k, q, y + k * y_stride, q * y_stride, scratch + n);
}

/// All lines along one axis of data [before][n][after], in place.
void transform_axis(const ModeView& view, int axis, Number sign, Complex* data, std::int64_t before, std::int64_t after,
                    Complex* scratch) {
  const std::int64_t n = view.periods[axis];
  if (n == 1) return;
  const Roots roots{view.roots[axis], n, 1};
  Complex* result = scratch + 4 * longest_period(view);
  for (std::int64_t b = 0; b < before; ++b) {
    for (std::int64_t a = 0; a < after; ++a) {
      Complex* first = data + b * n * after + a;
      if (n <= kDirect) {
        direct_line(roots, n, sign, first, after, first, after, scratch);
        continue;
      }
      line(roots, n, sign, first, after, result, 1, scratch);
      for (std::int64_t k = 0; k < n; ++k) first[k * after] = result[k];
    }
  }
}

// The last axis has real numbers on one side: half of the sums. Long lines take the complex way.

void real_line_from_half(const ModeView& view, const Complex* half, Lanes* y, Complex* scratch) {
  const std::int64_t n = view.periods[2];
  const std::int64_t h = (n - 1) / 2;
  const Roots roots{view.roots[2], n, 1};
  if (n > 2 * kDirect && factor_of(n) != n) {
    Complex* whole = scratch + 5 * longest_period(view);
    Complex* result = scratch + 4 * longest_period(view);
    for (std::int64_t k = 0; k <= n / 2; ++k) whole[k] = half[k];
    for (std::int64_t k = 1; k <= h; ++k) whole[n - k] = {half[k].re, -half[k].im};
    line(roots, n, 1.0, whole, 1, result, 1, scratch);
    for (std::int64_t g = 0; g < n; ++g) y[g] = result[g].re;
    return;
  }
  const bool even = n % 2 == 0 && n > 1;
  const Lanes x0 = half[0].re;
  const Lanes middle = even ? half[n / 2].re : splat(0.0);
  Lanes* doubled = reinterpret_cast<Lanes*>(scratch);
  Lanes total = x0 + middle;
  Lanes alternating = n / 2 % 2 != 0 ? x0 - middle : x0 + middle;
  for (std::int64_t k = 1; k <= h; ++k) {
    doubled[2 * k - 2] = half[k].re + half[k].re;
    doubled[2 * k - 1] = half[k].im + half[k].im;
    total = total + doubled[2 * k - 2];
    alternating = k % 2 != 0 ? alternating - doubled[2 * k - 2] : alternating + doubled[2 * k - 2];
  }
  y[0] = total;
  if (even) y[n / 2] = alternating;
  for (std::int64_t g = 1; g <= h; ++g) {
    Lanes along = g % 2 != 0 ? x0 - middle : x0 + middle;
    Lanes across = splat(0.0);
    Turn turn(roots, g);
    for (std::int64_t k = 1; k <= h; ++k) {
      turn.advance();
      along = along + doubled[2 * k - 2] * splat(turn.cosine());
      across = across + doubled[2 * k - 1] * splat(turn.sine());
    }
    y[g] = along - across;
    y[n - g] = along + across;
  }
}

void half_of_real_line(const ModeView& view, const Lanes* x, Complex* half, Complex* scratch) {
  const std::int64_t n = view.periods[2];
  const std::int64_t h = (n - 1) / 2;
  const Roots roots{view.roots[2], n, 1};
  if (n > 2 * kDirect && factor_of(n) != n) {
    Complex* whole = scratch + 5 * longest_period(view);
    Complex* result = scratch + 4 * longest_period(view);
    for (std::int64_t g = 0; g < n; ++g) whole[g] = {x[g], splat(0.0)};
    line(roots, n, -1.0, whole, 1, result, 1, scratch);
    for (std::int64_t k = 0; k <= n / 2; ++k) half[k] = result[k];
    return;
  }
  const bool even = n % 2 == 0 && n > 1;
  const Lanes x0 = x[0];
  const Lanes middle = even ? x[n / 2] : splat(0.0);
  Lanes* sums = reinterpret_cast<Lanes*>(scratch);
  Lanes total = x0 + middle;
  Lanes alternating = n / 2 % 2 != 0 ? x0 - middle : x0 + middle;
  for (std::int64_t g = 1; g <= h; ++g) {
    sums[2 * g - 2] = x[g] + x[n - g];
    sums[2 * g - 1] = x[n - g] - x[g];
    total = total + sums[2 * g - 2];
    alternating = g % 2 != 0 ? alternating - sums[2 * g - 2] : alternating + sums[2 * g - 2];
  }
  half[0] = {total, splat(0.0)};
  if (even) half[n / 2] = {alternating, splat(0.0)};
  for (std::int64_t k = 1; k <= h; ++k) {
    Lanes re = k % 2 != 0 ? x0 - middle : x0 + middle;
    Lanes im = splat(0.0);
    Turn turn(roots, k);
    for (std::int64_t g = 1; g <= h; ++g) {
      turn.advance();
      re = re + sums[2 * g - 2] * splat(turn.cosine());
      im = im + sums[2 * g - 1] * splat(turn.sine());
    }
    half[k] = {re, im};
  }
}

// Products with the blocks. Four rows, or columns, at a time keep their sums in registers.

template <int kRows>
BGW_INLINE void real_rows(const ModeBlock& b, std::int64_t row, const Lanes* y, Lanes (&sum)[kRows]) {
  for (int r = 0; r < kRows; ++r) sum[r] = splat(0.0);
  for (std::int64_t c = 0; c < b.columns; ++c) {
    const Lanes v = y[c];
    for (int r = 0; r < kRows; ++r) sum[r] = sum[r] + v * splat(b.numbers[(row + r) * b.columns + c]);
  }
}

template <int kRows>
BGW_INLINE void complex_rows(const ModeBlock& b, std::int64_t row, const Complex* y, Complex (&sum)[kRows]) {
  for (int r = 0; r < kRows; ++r) sum[r] = {splat(0.0), splat(0.0)};
  for (std::int64_t c = 0; c < b.columns; ++c) {
    const Complex v = y[c];
    for (int r = 0; r < kRows; ++r) {
      const Number* w = b.numbers + 2 * ((row + r) * b.columns + c);
      sum[r].re = sum[r].re + (v.re * splat(w[0]) - v.im * splat(w[1]));
      sum[r].im = sum[r].im + (v.re * splat(w[1]) + v.im * splat(w[0]));
    }
  }
}

template <int kColumns>
BGW_INLINE void real_columns(const ModeBlock& b, std::int64_t width, std::int64_t column, const Complex* x,
                             Lanes (&sum)[kColumns]) {
  for (int c = 0; c < kColumns; ++c) sum[c] = splat(0.0);
  for (std::int64_t r = 0; r < width; ++r) {
    const Lanes v = x[r].re;
    for (int c = 0; c < kColumns; ++c) sum[c] = sum[c] + v * splat(b.numbers[r * b.columns + column + c]);
  }
}

/// W^H x.
template <int kColumns>
BGW_INLINE void complex_columns(const ModeBlock& b, std::int64_t width, std::int64_t column, const Complex* x,
                                Complex (&sum)[kColumns]) {
  for (int c = 0; c < kColumns; ++c) sum[c] = {splat(0.0), splat(0.0)};
  for (std::int64_t r = 0; r < width; ++r) {
    const Complex v = x[r];
    for (int c = 0; c < kColumns; ++c) {
      const Number* w = b.numbers + 2 * (r * b.columns + column + c);
      sum[c].re = sum[c].re + (v.re * splat(w[0]) + v.im * splat(w[1]));
      sum[c].im = sum[c].im + (v.im * splat(w[0]) - v.re * splat(w[1]));
    }
  }
}

struct Factors {
  Number real, pair;  // cells^(-1/2) and, for a mode of a pair, half or twice the root of two of it
};

/// Spectrum [width][half] of the modes of one block.
template <int kRows>
BGW_INLINE void put_rows(const ModeBlock& b, std::int64_t half, const Factors& f, const Lanes* y, std::int64_t row,
                         Complex* spectrum) {
  if (b.real) {
    Lanes sum[kRows];
    real_rows<kRows>(b, row, y, sum);
    for (int r = 0; r < kRows; ++r) spectrum[(row + r) * half + b.place] = {sum[r] * splat(f.real), splat(0.0)};
    return;
  }
  Complex sum[kRows];
  complex_rows<kRows>(b, row, reinterpret_cast<const Complex*>(y), sum);
  for (int r = 0; r < kRows; ++r) {
    const Complex z = sum[r] * f.pair;
    spectrum[(row + r) * half + b.place] = z;
    if (b.partner >= 0) spectrum[(row + r) * half + b.partner] = {z.re, -z.im};
  }
}

template <int kColumns>
BGW_INLINE void take_columns(const ModeBlock& b, std::int64_t width, const Factors& f, const Complex* x,
                             std::int64_t column, Lanes* y) {
  if (b.real) {
    Lanes sum[kColumns];
    real_columns<kColumns>(b, width, column, x, sum);
    for (int c = 0; c < kColumns; ++c) y[column + c] = sum[c] * splat(f.real);
    return;
  }
  Complex sum[kColumns];
  complex_columns<kColumns>(b, width, column, x, sum);
  Complex* pairs = reinterpret_cast<Complex*>(y);
  for (int c = 0; c < kColumns; ++c) pairs[column + c] = sum[c] * f.pair;
}

Factors factors(const ModeView& view, double of_pair) {
  const double cells = static_cast<double>(view.periods[0] * view.periods[1] * view.periods[2]);
  const double real = 1.0 / __builtin_sqrt(cells);
  return {static_cast<Number>(real), static_cast<Number>(real * of_pair)};
}

void synthesise(const ModeView& view, const Number* modes, Number* field, Number* scratch) {
  const std::int64_t half = half_cells(view);
  const std::int64_t last = view.periods[2] / 2 + 1;
  Complex* spectrum = reinterpret_cast<Complex*>(scratch);
  Complex* rest = spectrum + view.width * half;
  const Factors f = factors(view, __builtin_sqrt(0.5));
  for (std::int64_t n = 0; n < view.block_count; ++n) {
    const ModeBlock& b = view.blocks[n];
    const Lanes* y = reinterpret_cast<const Lanes*>(modes + b.first_mode * kLanes);
    std::int64_t row = 0;
    for (; row + 3 <= view.width; row += 3) put_rows<3>(b, half, f, y, row, spectrum);
    for (; row < view.width; ++row) put_rows<1>(b, half, f, y, row, spectrum);
  }
  transform_axis(view, 0, 1.0, spectrum, view.width, view.periods[1] * last, rest);
  transform_axis(view, 1, 1.0, spectrum, view.width * view.periods[0], last, rest);
  Lanes* out = reinterpret_cast<Lanes*>(field);
  const std::int64_t lines = view.width * view.periods[0] * view.periods[1];
  for (std::int64_t l = 0; l < lines; ++l)
    real_line_from_half(view, spectrum + l * last, out + l * view.periods[2], rest);
}

void analyse(const ModeView& view, const Number* field, Number* modes, Number* scratch) {
  const std::int64_t half = half_cells(view);
  const std::int64_t last = view.periods[2] / 2 + 1;
  Complex* spectrum = reinterpret_cast<Complex*>(scratch);
  Complex* rest = spectrum + view.width * half;
  const Lanes* in = reinterpret_cast<const Lanes*>(field);
  const std::int64_t lines = view.width * view.periods[0] * view.periods[1];
  for (std::int64_t l = 0; l < lines; ++l)
    half_of_real_line(view, in + l * view.periods[2], spectrum + l * last, rest);
  transform_axis(view, 1, -1.0, spectrum, view.width * view.periods[0], last, rest);
  transform_axis(view, 0, -1.0, spectrum, view.width, view.periods[1] * last, rest);
  const Factors f = factors(view, __builtin_sqrt(2.0));
  Complex* x = rest;  // [width]
  for (std::int64_t n = 0; n < view.block_count; ++n) {
    const ModeBlock& b = view.blocks[n];
    Lanes* y = reinterpret_cast<Lanes*>(modes + b.first_mode * kLanes);
    for (std::int64_t r = 0; r < view.width; ++r) x[r] = spectrum[r * half + b.place];
    std::int64_t column = 0;
    for (; column + 3 <= b.columns; column += 3) take_columns<3>(b, view.width, f, x, column, y);
    for (; column < b.columns; ++column) take_columns<1>(b, view.width, f, x, column, y);
  }
}

}  // namespace
}  // namespace BGW_VARIANT
}  // namespace bgw::physics::kernels
