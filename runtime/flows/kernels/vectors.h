// One register of float32 numbers. Included only by graph_body.h, inside the namespace of one variant: nothing here may
// be shared between sources that are compiled for different processors.
//
// Products are fused with the sums they enter where the processor can: all that is done here is rounded the same in
// AVX2 and AVX-512, and a number never depends on its place in a register, so these two agree in all bits.

#if defined(__AVX512F__)
typedef float Vec __attribute__((vector_size(64)));
typedef int IntVec __attribute__((vector_size(64)));
BGW_INLINE Vec all(float x) { return _mm512_set1_ps(x); }
BGW_INLINE Vec fused(Vec a, Vec b, Vec c) { return reinterpret_cast<Vec>(_mm512_fmadd_ps(a, b, c)); }
BGW_INLINE Vec smaller(Vec a, Vec b) { return reinterpret_cast<Vec>(_mm512_maskz_min_ps(0xffff, a, b)); }
BGW_INLINE Vec larger(Vec a, Vec b) { return reinterpret_cast<Vec>(_mm512_maskz_max_ps(0xffff, a, b)); }
BGW_INLINE Vec gather(const float* p, std::int64_t stride) {
  const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i index = _mm512_mullo_epi32(steps, _mm512_set1_epi32(static_cast<int>(stride)));
  return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), 0xffff, index, p, 4);
}
#elif defined(__AVX2__) && defined(__FMA__)
typedef float Vec __attribute__((vector_size(32)));
typedef int IntVec __attribute__((vector_size(32)));
BGW_INLINE Vec all(float x) { return _mm256_set1_ps(x); }
BGW_INLINE Vec fused(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
BGW_INLINE Vec smaller(Vec a, Vec b) { return _mm256_min_ps(a, b); }
BGW_INLINE Vec larger(Vec a, Vec b) { return _mm256_max_ps(a, b); }
BGW_INLINE Vec gather(const float* p, std::int64_t stride) {
  const float* q = p + 4 * stride;
  return Vec{p[0], p[stride], p[2 * stride], p[3 * stride], q[0], q[stride], q[2 * stride], q[3 * stride]};
}
#else
typedef float Vec __attribute__((vector_size(16)));
typedef int IntVec __attribute__((vector_size(16)));
BGW_INLINE Vec all(float x) { return Vec{x, x, x, x}; }
BGW_INLINE Vec fused(Vec a, Vec b, Vec c) { return a * b + c; }
BGW_INLINE Vec smaller(Vec a, Vec b) { return a < b ? a : b; }
BGW_INLINE Vec larger(Vec a, Vec b) { return a > b ? a : b; }
BGW_INLINE Vec gather(const float* p, std::int64_t stride) {
  return Vec{p[0], p[stride], p[2 * stride], p[3 * stride]};
}
#endif

constexpr std::int64_t kWidth32 = static_cast<std::int64_t>(sizeof(Vec) / sizeof(float));

BGW_INLINE Vec read(const float* p) { return *reinterpret_cast<const Vec*>(p); }
BGW_INLINE void write(float* p, Vec x) { *reinterpret_cast<Vec*>(p) = x; }

/// Some registers that go through the same operations in turn: each operation waits for the one before it, so that
/// others must stand between them.
template <int V>
struct Vecs {
  Vec v[V];
};
#define BGW_EACH _Pragma("GCC unroll 16") for (int k = 0; k < V; ++k)

/// 2^t to 3e-7 for -126 <= t <= 62; what is beyond counts as the nearest of these. t = n + f with |f| <= 1/2, a
/// polynomial of degree 5 in f (through the zeros of a Chebyshev polynomial, off by 2e-7), and 2^n put together from
/// its bits.
template <int V>
BGW_INLINE Vecs<V> power_of_two(Vecs<V> t) {
  Vecs<V> shifted, p;
  BGW_EACH t.v[k] = larger(smaller(t.v[k], all(62.0F)), all(-126.0F));
  BGW_EACH shifted.v[k] = t.v[k] + all(0x1.8p23F);  // leaves the nearest integer in the low bits
  BGW_EACH t.v[k] = t.v[k] - (shifted.v[k] - all(0x1.8p23F));
  BGW_EACH p.v[k] = fused(t.v[k], all(0.0013381302537304018F), all(0.009666368515384533F));
  BGW_EACH p.v[k] = fused(p.v[k], t.v[k], all(0.055503810137964744F));
  BGW_EACH p.v[k] = fused(p.v[k], t.v[k], all(0.24022349038020385F));
  BGW_EACH p.v[k] = fused(p.v[k], t.v[k], all(0.6931471805599453F));
  BGW_EACH p.v[k] = fused(p.v[k], t.v[k], all(1.0F));
  BGW_EACH {
    // The exponent of p, which is nearly 1, goes up by n.
    const IntVec raised = reinterpret_cast<IntVec>(p.v[k]) + (reinterpret_cast<IntVec>(shifted.v[k]) << 23);
    p.v[k] = reinterpret_cast<Vec>(raised);
  }
  return p;
}

// gelu by tanh, x (1 + tanh(u)) / 2 = x / (1 + exp(-2 u)) with u = sqrt(2 / pi) (x + 0.044715 x^3).
constexpr float kGeluTwice = 1.5957691216057308F;  // 2 sqrt(2 / pi)
constexpr float kGeluCubic = 0.044715F * 1.5957691216057308F;
constexpr float kLogTwoE = 1.4426950408889634F;

/// 1 + exp(-2 u)
template <int V>
BGW_INLINE Vecs<V> gate_below(const Vecs<V>& x) {
  Vecs<V> t;
  BGW_EACH t.v[k] = x.v[k] * x.v[k];
  BGW_EACH t.v[k] = fused(t.v[k], all(-kGeluCubic * kLogTwoE), all(-kGeluTwice * kLogTwoE));
  BGW_EACH t.v[k] = t.v[k] * x.v[k];
  t = power_of_two(t);
  BGW_EACH t.v[k] = t.v[k] + all(1.0F);
  return t;
}

/// 1 / (1 + exp(-2 u)). Dividing is the slowest of all: where kPaired, one division serves the first half and the
/// second.
template <bool kPaired, int V>
BGW_INLINE Vecs<V> gate(const Vecs<V>& x) {
  const Vecs<V> d = gate_below(x);
  Vecs<V> g;
  if constexpr (kPaired) {
#pragma GCC unroll 8
    for (int k = 0; k < V / 2; ++k) g.v[k] = all(1.0F) / (d.v[k] * d.v[k + V / 2]);
#pragma GCC unroll 8
    for (int k = 0; k < V / 2; ++k) {
      g.v[k + V / 2] = g.v[k] * d.v[k];
      g.v[k] = g.v[k] * d.v[k + V / 2];
    }
  } else {
    BGW_EACH g.v[k] = all(1.0F) / d.v[k];
  }
  return g;
}

template <bool kPaired, int V>
BGW_INLINE Vecs<V> gelu(const Vecs<V>& x) {
  Vecs<V> g = gate<kPaired>(x);
  BGW_EACH g.v[k] = g.v[k] * x.v[k];
  return g;
}

template <bool kPaired, int V>
BGW_INLINE Vecs<V> gelu_slope(const Vecs<V>& x) {
  Vecs<V> g = gate<kPaired>(x), bend;
  BGW_EACH bend.v[k] = fused(x.v[k] * x.v[k], all(3.0F * kGeluCubic), all(kGeluTwice));
  BGW_EACH bend.v[k] = bend.v[k] * x.v[k];  // x d(2 u)/dx
  BGW_EACH g.v[k] = fused(g.v[k] * (all(1.0F) - g.v[k]), bend.v[k], g.v[k]);
  return g;
}

BGW_INLINE Vec gelu(Vec x) { return gelu<false>(Vecs<1>{{x}}).v[0]; }
BGW_INLINE Vec gelu_slope(Vec x) { return gelu_slope<false>(Vecs<1>{{x}}).v[0]; }

struct Wave {
  Vec cosine, sine;
};

/// cos(2 pi t) and sin(2 pi t) to 1e-7 for |t| <= 1/2: half turns are taken off, and what is left goes through
/// polynomials in t^2 (through the zeros of a Chebyshev polynomial, off by 7e-9).
BGW_INLINE Wave wave(Vec t) {
  const Vec shifted = fused(t, all(2.0F), all(0x1.8p23F));
  const Vec r = fused(shifted - all(0x1.8p23F), all(-0.5F), t);
  const IntVec sign = reinterpret_cast<IntVec>(shifted) << 31;
  const Vec u = r * r;
  Vec s = all(39.75982708575151F);
  s = fused(s, u, all(-76.58117264431282F));
  s = fused(s, u, all(81.60247636892599F));
  s = fused(s, u, all(-41.341680613346526F));
  s = fused(s, u, all(6.283185280154406F));
  Vec c = all(-25.218162255196304F);
  c = fused(c, u, all(60.17903828809716F));
  c = fused(c, u, all(-85.45535748475169F));
  c = fused(c, u, all(64.93938263493331F));
  c = fused(c, u, all(-19.73920878794793F));
  c = fused(c, u, all(1.0F));
  return {reinterpret_cast<Vec>(reinterpret_cast<IntVec>(c) ^ sign),
          reinterpret_cast<Vec>(reinterpret_cast<IntVec>(s * r) ^ sign)};
}
