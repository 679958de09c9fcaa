// Eight configurations at once. Included only by kernel_body.h, inside the namespace of one variant: nothing here may
// be shared between sources that are compiled for different processors.

#define BGW_INLINE static inline __attribute__((always_inline))
#define BGW_INLINE_MEMBER inline __attribute__((always_inline))

// The three families differ only in how many lanes one register holds: arithmetic, square root and comparison are exact
// or correctly rounded in all of them, so the bits agree. GCC keeps a vector that is wider than a register in memory;
// so the narrower families hold their eight lanes as several registers. `below` is false for not-a-number;
// `exponent_of` moves the low bits of its argument, plus 1023, into the exponent of a double.
#if defined(__AVX512F__)
typedef double Lanes __attribute__((vector_size(64)));
typedef long long Mask __attribute__((vector_size(64)));
BGW_INLINE Lanes splat(double x) { return Lanes{x, x, x, x, x, x, x, x}; }
BGW_INLINE Lanes load(const double* p) { return *reinterpret_cast<const Lanes*>(p); }
BGW_INLINE void store(double* p, Lanes x) { *reinterpret_cast<Lanes*>(p) = x; }
BGW_INLINE Lanes square_root(Lanes x) {
  return reinterpret_cast<Lanes>(_mm512_maskz_sqrt_pd(0xff, reinterpret_cast<__m512d>(x)));
}
BGW_INLINE bool any(Mask m) {
  return _mm512_test_epi64_mask(reinterpret_cast<__m512i>(m), reinterpret_cast<__m512i>(m)) != 0;
}
BGW_INLINE Mask below(Lanes a, Lanes b) { return a < b; }
BGW_INLINE Mask inverse(Mask m) { return ~m; }
BGW_INLINE Lanes select(Mask m, Lanes yes, Lanes no) {
  return reinterpret_cast<Lanes>((m & reinterpret_cast<Mask>(yes)) | (~m & reinterpret_cast<Mask>(no)));
}
BGW_INLINE Lanes exponent_of(Lanes x) { return reinterpret_cast<Lanes>((reinterpret_cast<Mask>(x) + 1023) << 52); }
#else
#if defined(__AVX2__)
typedef __m256d Part;
BGW_INLINE Part part_root(Part x) { return _mm256_sqrt_pd(x); }
BGW_INLINE Part part_below(Part a, Part b) { return _mm256_cmp_pd(a, b, _CMP_LT_OQ); }
BGW_INLINE int part_signs(Part x) { return _mm256_movemask_pd(x); }
BGW_INLINE Part part_select(Part m, Part yes, Part no) { return _mm256_blendv_pd(no, yes, m); }
BGW_INLINE Part part_inverse(Part m) { return _mm256_xor_pd(m, _mm256_castsi256_pd(_mm256_set1_epi64x(-1))); }
BGW_INLINE Part part_exponent(Part x) {
  return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_add_epi64(_mm256_castpd_si256(x), _mm256_set1_epi64x(1023)), 52));
}
#elif defined(__SSE2__)
typedef __m128d Part;
BGW_INLINE Part part_root(Part x) { return _mm_sqrt_pd(x); }
BGW_INLINE Part part_below(Part a, Part b) { return _mm_cmplt_pd(a, b); }
BGW_INLINE int part_signs(Part x) { return _mm_movemask_pd(x); }
BGW_INLINE Part part_select(Part m, Part yes, Part no) { return _mm_or_pd(_mm_and_pd(m, yes), _mm_andnot_pd(m, no)); }
BGW_INLINE Part part_inverse(Part m) { return _mm_xor_pd(m, _mm_castsi128_pd(_mm_set1_epi64x(-1))); }
BGW_INLINE Part part_exponent(Part x) {
  return _mm_castsi128_pd(_mm_slli_epi64(_mm_add_epi64(_mm_castpd_si128(x), _mm_set1_epi64x(1023)), 52));
}
#else
typedef double Part __attribute__((vector_size(8)));
BGW_INLINE Part part_root(Part x) { return Part{__builtin_sqrt(x[0])}; }
BGW_INLINE Part part_below(Part a, Part b) { return reinterpret_cast<Part>(a < b); }
typedef long long PartMask __attribute__((vector_size(8)));
BGW_INLINE int part_signs(Part x) { return __builtin_signbit(x[0]) ? 1 : 0; }
BGW_INLINE Part part_select(Part m, Part yes, Part no) {
  const PartMask k = reinterpret_cast<PartMask>(m);
  return reinterpret_cast<Part>((k & reinterpret_cast<PartMask>(yes)) | (~k & reinterpret_cast<PartMask>(no)));
}
BGW_INLINE Part part_inverse(Part m) { return reinterpret_cast<Part>(~reinterpret_cast<PartMask>(m)); }
BGW_INLINE Part part_exponent(Part x) { return reinterpret_cast<Part>((reinterpret_cast<PartMask>(x) + 1023) << 52); }
#endif
constexpr int kWidth = static_cast<int>(sizeof(Part) / sizeof(double));
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
  BGW_PARTS y.part[p] = Part{} + x;
  return y;
}
BGW_INLINE Lanes load(const double* from) {
  Lanes y;
  BGW_PARTS y.part[p] = *reinterpret_cast<const Part*>(from + p * kWidth);
  return y;
}
BGW_INLINE void store(double* to, Lanes x) { BGW_PARTS* reinterpret_cast<Part*>(to + p * kWidth) = x.part[p]; }
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
