// What the instruction sets of x86-64 share, and for those of 256 bits the sizes: sixteen registers of eight floats.
#pragma once

/// The sum of sixteen integers.
FT_INLINE int32_t FT_NAME(sum_of_run)(const int8_t *values) {
  // Sums of v + 128, which is unsigned, by eights.
  __m128i bytes = _mm_xor_si128(_mm_loadu_si128((const __m128i *)values), _mm_set1_epi8((char)0x80));
  __m128i eights = _mm_sad_epu8(bytes, _mm_setzero_si128());
  return _mm_cvtsi128_si32(_mm_add_epi32(eights, _mm_unpackhi_epi64(eights, eights))) - 128 * 16;
}

#if FT_LANES == 8
#define FT_TILE 6
#define FT_CASES(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define FT_FLOAT_TILE 5
#define FT_FLOAT_CASES(X) X(1) X(2) X(3) X(4) X(5)
#define FT_SPLIT 0

#define FT_QUERIES 6
#define FT_QUERY_CASES(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define FT_PASS_CHAINS(count) ((count) == 1 ? 4 : (count) == 2 ? 2 : 1)
#define FT_PASS_CHANNELS(count) ((count) == 1 ? 64 : (count) == 2 ? 32 : 16)

#define FT_OPAQUE_FLOATS(v) __asm__ volatile("" : "+m"(v))
#define FT_OPAQUE_BYTES(weights, x) __asm__ volatile("" : "+m"(x))

/// Eight halves as floats, exactly.
FT_INLINE lanes FT_NAME(load_half_lanes)(const uint16_t *p) {
  return (lanes)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
/// Sixteen halves as floats, exactly.
FT_INLINE f32x16 FT_NAME(load_half)(const uint16_t *p) {
  f32x16 result;
  result.lo = FT_NAME(load_half_lanes)(p);
  result.hi = FT_NAME(load_half_lanes)(p + 8);
  return result;
}

/// The bytes of `table`, of sixteen, at the places that nibbles in bytes name.
FT_INLINE u32x16 FT_NAME(look_up)(const uint8_t *table, u32x16 nibbles) {
  const __m256i values = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
  __m256i halves[2];
  memcpy(halves, &nibbles, 64);
  for (int h = 0; h < 2; h++) halves[h] = _mm256_shuffle_epi8(values, halves[h]);
  memcpy(&nibbles, halves, 64);
  return nibbles;
}

/// The nearest halves, ties to even, of numbers that halves reach.
FT_INLINE u16x16 FT_NAME(nearest_half)(f32x16 v) {
  u16x16 result;
  __m256 parts[2];
  memcpy(parts, &v, 64);
  __m128i halves[2] = {_mm256_cvtps_ph(parts[0], _MM_FROUND_TO_NEAREST_INT),
                       _mm256_cvtps_ph(parts[1], _MM_FROUND_TO_NEAREST_INT)};
  memcpy(&result, halves, 32);
  return result;
}
#endif
