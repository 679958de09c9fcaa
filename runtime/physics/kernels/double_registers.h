// Registers of float64 numbers for lanes.h.

typedef double Number;

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
#endif
