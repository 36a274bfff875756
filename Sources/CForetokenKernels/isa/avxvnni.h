// Vectors of 256 bits with byte dot products, for processors that have no vectors of 512.
#pragma once

#define FT_LANES 8
#define FT_EXPONENTIALS 2
#include "../vectors.h"
#include "x86.h"

#define FT_BYTE_TILE FT_TILE
#define FT_CHAINS 6

/// Four products of bytes added to each lane; weights are unsigned.
FT_INLINE i32x16 FT_NAME(dot_small)(i32x16 sum, u32x16 weights, const int8_t *x) {
  int32_t four;
  memcpy(&four, x, 4);
  __m256i broadcast = _mm256_set1_epi32(four);
  __m256i halves[2], sums[2];
  memcpy(halves, &weights, 64);
  memcpy(sums, &sum, 64);
  for (int h = 0; h < 2; h++) sums[h] = _mm256_dpbusd_avx_epi32(sums[h], halves[h], broadcast);
  memcpy(&sum, sums, 64);
  return sum;
}

#define FT_WEIGHT_SHIFT 128
FT_INLINE u32x16 FT_NAME(shifted)(u32x16 weights) { return weights ^ 0x80808080u; }
FT_INLINE i32x16 FT_NAME(dot_shifted)(i32x16 sum, u32x16 weights, const int8_t *x) {
  return FT_NAME(dot_small)(sum, weights, x);
}

#include "defaults.h"
