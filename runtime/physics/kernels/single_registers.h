// Registers of float32 numbers for lanes.h.

typedef float Number;

#if defined(__AVX512F__)
typedef float Lanes __attribute__((vector_size(64)));
typedef int Mask __attribute__((vector_size(64)));
BGW_INLINE Lanes splat(double number) {
  const float x = static_cast<float>(number);
  return Lanes{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}
BGW_INLINE Lanes load(const float* p) { return *reinterpret_cast<const Lanes*>(p); }
BGW_INLINE void store(float* p, Lanes x) { *reinterpret_cast<Lanes*>(p) = x; }
BGW_INLINE Lanes square_root(Lanes x) {
  return reinterpret_cast<Lanes>(_mm512_maskz_sqrt_ps(0xffff, reinterpret_cast<__m512>(x)));
}
BGW_INLINE bool any(Mask m) {
  return _mm512_test_epi32_mask(reinterpret_cast<__m512i>(m), reinterpret_cast<__m512i>(m)) != 0;
}
BGW_INLINE Mask below(Lanes a, Lanes b) { return a < b; }
BGW_INLINE Mask inverse(Mask m) { return ~m; }
BGW_INLINE Lanes select(Mask m, Lanes yes, Lanes no) {
  return reinterpret_cast<Lanes>((m & reinterpret_cast<Mask>(yes)) | (~m & reinterpret_cast<Mask>(no)));
}
BGW_INLINE Lanes exponent_of(Lanes x) { return reinterpret_cast<Lanes>((reinterpret_cast<Mask>(x) + 127) << 23); }
#else
#if defined(__AVX2__)
typedef __m256 Part;
BGW_INLINE Part part_root(Part x) { return _mm256_sqrt_ps(x); }
BGW_INLINE Part part_below(Part a, Part b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
BGW_INLINE int part_signs(Part x) { return _mm256_movemask_ps(x); }
BGW_INLINE Part part_select(Part m, Part yes, Part no) { return _mm256_blendv_ps(no, yes, m); }
BGW_INLINE Part part_inverse(Part m) { return _mm256_xor_ps(m, _mm256_castsi256_ps(_mm256_set1_epi32(-1))); }
BGW_INLINE Part part_exponent(Part x) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_castps_si256(x), _mm256_set1_epi32(127)), 23));
}
#elif defined(__SSE2__)
typedef __m128 Part;
BGW_INLINE Part part_root(Part x) { return _mm_sqrt_ps(x); }
BGW_INLINE Part part_below(Part a, Part b) { return _mm_cmplt_ps(a, b); }
BGW_INLINE int part_signs(Part x) { return _mm_movemask_ps(x); }
BGW_INLINE Part part_select(Part m, Part yes, Part no) { return _mm_or_ps(_mm_and_ps(m, yes), _mm_andnot_ps(m, no)); }
BGW_INLINE Part part_inverse(Part m) { return _mm_xor_ps(m, _mm_castsi128_ps(_mm_set1_epi32(-1))); }
BGW_INLINE Part part_exponent(Part x) {
  return _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(_mm_castps_si128(x), _mm_set1_epi32(127)), 23));
}
#else
typedef float Part __attribute__((vector_size(4)));
BGW_INLINE Part part_root(Part x) { return Part{__builtin_sqrtf(x[0])}; }
BGW_INLINE Part part_below(Part a, Part b) { return reinterpret_cast<Part>(a < b); }
typedef int PartMask __attribute__((vector_size(4)));
BGW_INLINE int part_signs(Part x) { return __builtin_signbit(x[0]) ? 1 : 0; }
BGW_INLINE Part part_select(Part m, Part yes, Part no) {
  const PartMask k = reinterpret_cast<PartMask>(m);
  return reinterpret_cast<Part>((k & reinterpret_cast<PartMask>(yes)) | (~k & reinterpret_cast<PartMask>(no)));
}
BGW_INLINE Part part_inverse(Part m) { return reinterpret_cast<Part>(~reinterpret_cast<PartMask>(m)); }
BGW_INLINE Part part_exponent(Part x) { return reinterpret_cast<Part>((reinterpret_cast<PartMask>(x) + 127) << 23); }
#endif
#endif
