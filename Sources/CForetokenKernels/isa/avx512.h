// Vectors of 512 bits with byte dot products: 32 registers of sixteen floats.
#pragma once

#define FT_LANES 16
#define FT_EXPONENTIALS 6
#include "../vectors.h"
#include "x86.h"

#ifndef FT_TILE
#define FT_TILE 12
#define FT_CASES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#define FT_BYTE_TILE FT_TILE
#define FT_FLOAT_TILE FT_TILE
#define FT_FLOAT_CASES(X) FT_CASES(X)
#endif
#define FT_SPLIT 9

#define FT_QUERIES 6
#define FT_QUERY_CASES(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define FT_PASS_CHAINS(count) 4
#define FT_PASS_CHANNELS(count) 64

#define FT_CHAINS 16
#define FT_OPAQUE_FLOATS(v) __asm__ volatile("" : "+v"(v))
#define FT_OPAQUE_BYTES(weights, x) __asm__ volatile("" : "+v"(weights))

/// Sixteen halves as floats, exactly.
FT_INLINE f32x16 FT_NAME(load_half)(const uint16_t *p) {
  return (f32x16)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
FT_INLINE lanes FT_NAME(load_half_lanes)(const uint16_t *p) { return FT_NAME(load_half)(p); }

/// The nearest halves, ties to even, of numbers that halves reach.
FT_INLINE u16x16 FT_NAME(nearest_half)(f32x16 v) {
  u16x16 result;
  __m256i halves = _mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  memcpy(&result, &halves, 32);
  return result;
}

/// The bytes of `table`, of sixteen, at the places that nibbles in bytes name.
FT_INLINE u32x16 FT_NAME(look_up)(const uint8_t *table, u32x16 nibbles) {
  const __m512i values = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
  return (u32x16)_mm512_shuffle_epi8(values, (__m512i)nibbles);
}

/// Four products of bytes added to each lane; weights are unsigned.
FT_INLINE i32x16 FT_NAME(dot_small)(i32x16 sum, u32x16 weights, const int8_t *x) {
  int32_t four;
  memcpy(&four, x, 4);
  return (i32x16)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)weights, _mm512_set1_epi32(four));
}

#define FT_WEIGHT_SHIFT 128
FT_INLINE u32x16 FT_NAME(shifted)(u32x16 weights) { return weights ^ 0x80808080u; }
FT_INLINE i32x16 FT_NAME(dot_shifted)(i32x16 sum, u32x16 weights, const int8_t *x) {
  return FT_NAME(dot_small)(sum, weights, x);
}

#include "defaults.h"
