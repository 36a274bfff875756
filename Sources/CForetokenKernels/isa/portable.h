// Plain C: there to be right and small, and what every other set must equal.
#pragma once

#define FT_LANES 16
#define FT_EXPONENTIALS 2
#include "../vectors.h"

// The most rows of a tile of integers, of bytes and of bfloat16: as many as their sums have registers.
#define FT_TILE 2
#define FT_CASES(X) X(1) X(2)
#define FT_BYTE_TILE FT_TILE
#define FT_FLOAT_TILE 5
#define FT_FLOAT_CASES(X) X(1) X(2) X(3) X(4) X(5)
// Up to how many rows even and odd vectors of integers have sums of their own.
#define FT_SPLIT 0

// Queries that read a block of the KV cache together, and what of their sums is in registers at a time: of the four
// chains that a score has FT_PASS_CHAINS(count), and the weighted values of FT_PASS_CHANNELS(count) channels.
#define FT_QUERIES 2
#define FT_QUERY_CASES(X) X(1) X(2)
#define FT_PASS_CHAINS(count) 4
#define FT_PASS_CHANNELS(count) 64

// For ceilings: independent chains, enough to hide the latency, few enough to stay in registers; and what hides where a
// value comes from, so that loops over constants are not computed ahead of time.
#define FT_CHAINS 4
#define FT_OPAQUE_FLOATS(v) __asm__ volatile("" : "+m"(v))
#define FT_OPAQUE_BYTES(weights, x) __asm__ volatile("" : "+m"(x))

/// Sixteen halves as floats, exactly; no infinities among them.
FT_INLINE f32x16 FT_NAME(load_half)(const uint16_t *p) {
  u32x16 bits = __builtin_convertvector(*(const FT_NAME(u16x16_at) *)p, u32x16);
  // Moving the exponent field up by 13 bits leaves it 112 too low; the product sets that right, subnormals included.
  u32x16 magnitude = (bits & 0x7FFFu) << 13;
  f32x16 value = *(f32x16 *)&magnitude * 0x1p112f;
  u32x16 result = *(u32x16 *)&value | (bits & 0x8000u) << 16;
  return *(f32x16 *)&result;
}
FT_INLINE lanes FT_NAME(load_half_lanes)(const uint16_t *p) { return FT_NAME(load_half)(p); }

/// The nearest halves, ties to even, of numbers that halves reach.
FT_INLINE u16x16 FT_NAME(nearest_half)(f32x16 v) {
  u16x16 result;
  for (int i = 0; i < 16; i++) result[i] = ft_to_half(v[i]);
  return result;
}

/// The sum of sixteen integers.
FT_INLINE int32_t FT_NAME(sum_of_run)(const int8_t *values) {
  int32_t sum = 0;
  for (int i = 0; i < 16; i++) sum += values[i];
  return sum;
}

/// The bytes of `table`, of sixteen, at the places that nibbles in bytes name.
FT_INLINE u32x16 FT_NAME(look_up)(const uint8_t *table, u32x16 nibbles) {
  u32x16 result = (u32x16)(0);
  for (int lane = 0; lane < 16; lane++)
    for (int j = 0; j < 4; j++) result[lane] |= (uint32_t)table[nibbles[lane] >> 8 * j & 15] << 8 * j;
  return result;
}

/// Four products of bytes added to each lane: `weights` holds four bytes a lane, of at most 63, `x` the same four for all.
FT_INLINE i32x16 FT_NAME(dot_small)(i32x16 sum, u32x16 weights, const int8_t *x) {
  for (int lane = 0; lane < 16; lane++) {
    uint32_t word = weights[lane];
    for (int j = 0; j < 4; j++) sum[lane] += (int32_t)((word >> (8 * j)) & 0xFF) * x[j];
  }
  return sum;
}

/// The same for weights of eight bits, as `shifted` leaves them.
FT_INLINE i32x16 FT_NAME(dot_shifted)(i32x16 sum, u32x16 weights, const int8_t *x) {
  for (int lane = 0; lane < 16; lane++) {
    uint32_t word = weights[lane];
    for (int j = 0; j < 4; j++) sum[lane] += (int32_t)(int8_t)(word >> (8 * j)) * x[j];
  }
  return sum;
}

#include "defaults.h"
