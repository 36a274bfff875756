// Vectors of 256 bits with fused multiply-add.
#pragma once

#define FT_LANES 8
#define FT_EXPONENTIALS 2
#include "../vectors.h"
#include "x86.h"

// Products of bytes with a sign need more registers.
#define FT_BYTE_TILE 4
#define FT_CHAINS 4

/// Four products of bytes for each lane, of weights of at most 63. Lanes hold two sums of 16 bits each, which have room
/// for FT_ROOM pairs of vectors.
FT_INLINE i32x16 FT_NAME(dot_small)(i32x16 sum, u32x16 weights, const int8_t *x) {
  int32_t four;
  memcpy(&four, x, 4);
  __m256i broadcast = _mm256_set1_epi32(four);
  __m256i halves[2], sums[2];
  memcpy(halves, &weights, 64);
  memcpy(sums, &sum, 64);
  for (int h = 0; h < 2; h++) sums[h] = _mm256_add_epi16(sums[h], _mm256_maddubs_epi16(halves[h], broadcast));
  memcpy(&sum, sums, 64);
  return sum;
}

#define FT_HALF_SUMS 1
#define FT_ROOM(bits) ((bits) == 4 ? 4 : (bits) == 5 ? 2 : 1)
/// The 16-bit sums of `dot_small`, in 32 bits.
FT_INLINE i32x16 FT_NAME(widen)(i32x16 sum) {
  __m256i sums[2];
  memcpy(sums, &sum, 64);
  for (int h = 0; h < 2; h++) sums[h] = _mm256_madd_epi16(sums[h], _mm256_set1_epi16(1));
  memcpy(&sum, sums, 64);
  return sum;
}

/// Four products for each lane, of weights of eight bits; in sums of 32 bits.
FT_INLINE i32x16 FT_NAME(dot_shifted)(i32x16 sum, u32x16 weights, const int8_t *x) {
  int32_t four;
  memcpy(&four, x, 4);
  __m256i broadcast = _mm256_set1_epi32(four), ones = _mm256_set1_epi16(1);
  __m256i halves[2], sums[2];
  memcpy(halves, &weights, 64);
  memcpy(sums, &sum, 64);
  for (int h = 0; h < 2; h++) {
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(halves[h]), _mm256_sign_epi8(broadcast, halves[h]));
    sums[h] = _mm256_add_epi32(sums[h], _mm256_madd_epi16(pairs, ones));
  }
  memcpy(&sum, sums, 64);
  return sum;
}

#include "defaults.h"
