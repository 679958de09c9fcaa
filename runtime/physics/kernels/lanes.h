// Configurations side by side, one in each lane, as many as fill 64 bytes. Included only by kernel_body.h and mode_body.h,
// inside the namespace of one variant: nothing here may be shared between sources that are compiled for different
// processors. BGW_SINGLE chooses float32 numbers.

#define BGW_INLINE static inline __attribute__((always_inline))
#define BGW_INLINE_MEMBER inline __attribute__((always_inline))

// The three families differ only in how many lanes one register holds: arithmetic, square root and comparison are exact
// or correctly rounded in all of them, so the bits agree. GCC keeps a vector that is wider than a register in memory;
// so the narrower families hold their lanes as several registers. `below` is false for not-a-number; `exponent_of` moves
// the low bits of its argument, plus the bias, into the exponent of a number.
#if BGW_SINGLE
#include "runtime/physics/kernels/single_registers.h"
#else
#include "runtime/physics/kernels/double_registers.h"
#endif
constexpr int kLanes = kernels::kLanesOf<Number>;

#if !defined(__AVX512F__)
constexpr int kWidth = static_cast<int>(sizeof(Part) / sizeof(Number));
constexpr int kParts = kLanes / kWidth;
struct Lanes {
  Part part[kParts];
};
struct Mask {
  Part part[kParts];
};
#define BGW_PARTS _Pragma("GCC unroll 8") for (int p = 0; p < kParts; ++p)
BGW_INLINE Lanes splat(double x) {
  Lanes y;
  BGW_PARTS y.part[p] = Part{} + static_cast<Number>(x);
  return y;
}
BGW_INLINE Lanes load(const Number* from) {
  Lanes y;
  BGW_PARTS y.part[p] = *reinterpret_cast<const Part*>(from + p * kWidth);
  return y;
}
BGW_INLINE void store(Number* to, Lanes x) { BGW_PARTS* reinterpret_cast<Part*>(to + p * kWidth) = x.part[p]; }
BGW_INLINE Lanes operator+(Lanes a, Lanes b) {
  BGW_PARTS a.part[p] = a.part[p] + b.part[p];
  return a;
}
BGW_INLINE Lanes operator-(Lanes a, Lanes b) {
  BGW_PARTS a.part[p] = a.part[p] - b.part[p];
  return a;
}
BGW_INLINE Lanes operator*(Lanes a, Lanes b) {
  BGW_PARTS a.part[p] = a.part[p] * b.part[p];
  return a;
}
BGW_INLINE Lanes operator/(Lanes a, Lanes b) {
  BGW_PARTS a.part[p] = a.part[p] / b.part[p];
  return a;
}
BGW_INLINE Lanes operator-(Lanes a) {
  BGW_PARTS a.part[p] = -a.part[p];
  return a;
}
BGW_INLINE void operator+=(Lanes& a, Lanes b) { a = a + b; }
BGW_INLINE Lanes square_root(Lanes x) {
  BGW_PARTS x.part[p] = part_root(x.part[p]);
  return x;
}
BGW_INLINE Mask below(Lanes a, Lanes b) {
  Mask m;
  BGW_PARTS m.part[p] = part_below(a.part[p], b.part[p]);
  return m;
}
BGW_INLINE Mask inverse(Mask m) {
  BGW_PARTS m.part[p] = part_inverse(m.part[p]);
  return m;
}
BGW_INLINE bool any(Mask m) {
  int signs = 0;
  BGW_PARTS signs |= part_signs(m.part[p]);
  return signs != 0;
}
BGW_INLINE Lanes select(Mask m, Lanes yes, Lanes no) {
  BGW_PARTS yes.part[p] = part_select(m.part[p], yes.part[p], no.part[p]);
  return yes;
}
BGW_INLINE Lanes exponent_of(Lanes x) {
  BGW_PARTS x.part[p] = part_exponent(x.part[p]);
  return x;
}
#undef BGW_PARTS
#endif

#if BGW_SINGLE
// Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits of the sum.
BGW_INLINE Lanes round_to_integer(Lanes x) {
  const Lanes magic = splat(0x1.8p23);
  return (x + magic) - magic;
}

/// exp(x) for x <= 0 to about one unit in the last place; 0 below -87, where the result would be subnormal. As for
/// float64, with the Taylor polynomial of degree 7 (remainder below 6e-9).
BGW_INLINE Lanes exponential(Lanes x) {
  const Lanes magic = splat(0x1.8p23);
  const Lanes shifted = x * splat(0x1.715476p0) + magic;
  const Lanes n = shifted - magic;
  const Lanes r = (x - n * splat(0x1.63p-1)) - n * splat(-0x1.bd0106p-13);
  const Lanes r2 = r * r;
  // q = 1/2! + r/3! + ... + r^5/7!
  const Lanes q0 = splat(1.0 / 2.0) + r * splat(1.0 / 6.0);
  const Lanes q1 = splat(1.0 / 24.0) + r * splat(1.0 / 120.0);
  const Lanes q2 = splat(1.0 / 720.0) + r * splat(1.0 / 5040.0);
  const Lanes q = (q0 + r2 * q1) + (r2 * r2) * q2;
  const Lanes y = splat(1.0) + (r + r2 * q);
  return select(below(x, splat(-87.0)), splat(0.0), y * exponent_of(shifted));
}
#else
// Adding 1.5 * 2^52 rounds to the nearest integer and leaves it in the low bits of the sum.
BGW_INLINE Lanes round_to_integer(Lanes x) {
  const Lanes magic = splat(0x1.8p52);
  return (x + magic) - magic;
}

/// exp(x) for x <= 0 to about one unit in the last place; 0 below -708, where the result would be subnormal.
/// x = n ln 2 + r with |r| <= ln 2 / 2, the Taylor polynomial of degree 13 in r (remainder below 5e-18), and 2^n put
/// together from its bits. Estrin's scheme keeps the chain of operations short.
BGW_INLINE Lanes exponential(Lanes x) {
  const Lanes magic = splat(0x1.8p52);
  const Lanes shifted = x * splat(0x1.71547652b82fep0) + magic;
  const Lanes n = shifted - magic;
  const Lanes r = (x - n * splat(0x1.62e42fefa0000p-1)) - n * splat(0x1.cf79abc9e3b3ap-40);
  const Lanes r2 = r * r;
  const Lanes r4 = r2 * r2;
  // q = 1/2! + r/3! + ... + r^11/13!
  const Lanes q0 = splat(1.0 / 2.0) + r * splat(1.0 / 6.0);
  const Lanes q1 = splat(1.0 / 24.0) + r * splat(1.0 / 120.0);
  const Lanes q2 = splat(1.0 / 720.0) + r * splat(1.0 / 5040.0);
  const Lanes q3 = splat(1.0 / 40320.0) + r * splat(1.0 / 362880.0);
  const Lanes q4 = splat(1.0 / 3628800.0) + r * splat(1.0 / 39916800.0);
  const Lanes q5 = splat(1.0 / 479001600.0) + r * splat(1.0 / 6227020800.0);
  const Lanes q = (q0 + r2 * q1) + r4 * ((q2 + r2 * q3) + r4 * (q4 + r2 * q5));
  const Lanes y = splat(1.0) + (r + r2 * q);
  return select(below(x, splat(-708.0)), splat(0.0), y * exponent_of(shifted));
}
#endif

/// A value and its derivative along a direction.
struct Dual {
  Lanes value, slope;
};

BGW_INLINE Dual operator+(Dual a, Dual b) { return {a.value + b.value, a.slope + b.slope}; }
BGW_INLINE Dual operator-(Dual a, Dual b) { return {a.value - b.value, a.slope - b.slope}; }
BGW_INLINE Dual operator*(Dual a, Dual b) { return {a.value * b.value, a.slope * b.value + a.value * b.slope}; }
BGW_INLINE Dual operator+(Dual a, Lanes b) { return {a.value + b, a.slope}; }
BGW_INLINE Dual operator-(Dual a, Lanes b) { return {a.value - b, a.slope}; }
BGW_INLINE Dual operator*(Dual a, Lanes b) { return {a.value * b, a.slope * b}; }
BGW_INLINE Dual operator-(Dual a) { return {-a.value, -a.slope}; }
BGW_INLINE void operator+=(Dual& a, Dual b) { a = a + b; }

BGW_INLINE Lanes value_of(Lanes x) { return x; }
BGW_INLINE Lanes value_of(Dual x) { return x.value; }

BGW_INLINE Lanes reciprocal(Lanes x) { return splat(1.0) / x; }
BGW_INLINE Dual reciprocal(Dual x) {
  const Lanes y = splat(1.0) / x.value;
  return {y, -(y * y) * x.slope};
}

BGW_INLINE Lanes reciprocal_root(Lanes x) { return splat(1.0) / square_root(x); }
BGW_INLINE Dual reciprocal_root(Dual x) {
  const Lanes y = splat(1.0) / square_root(x.value);
  return {y, splat(-0.5) * (y * y) * y * x.slope};
}

BGW_INLINE Dual exponential(Dual x) {
  const Lanes y = exponential(x.value);
  return {y, y * x.slope};
}

/// Lanes outside the mask get the constant `no`.
BGW_INLINE Dual select(Mask m, Dual yes, Lanes no) {
  return {select(m, yes.value, no), select(m, yes.slope, splat(0.0))};
}

BGW_INLINE Lanes zero_of(Lanes*) { return splat(0.0); }
BGW_INLINE Dual zero_of(Dual*) { return {splat(0.0), splat(0.0)}; }
template <class S>
BGW_INLINE S zero() {
  return zero_of(static_cast<S*>(nullptr));
}

BGW_INLINE Dual select(Mask m, Dual yes, Dual no) {
  return {select(m, yes.value, no.value), select(m, yes.slope, no.slope)};
}

/// x^n for n >= 0.
template <class S>
BGW_INLINE S integer_power(S x, int n) {
  S result = zero<S>() + splat(1.0);
  for (S base = x; n > 0; n >>= 1) {
    if (n & 1) result = result * base;
    if (n > 1) base = base * base;
  }
  return result;
}
