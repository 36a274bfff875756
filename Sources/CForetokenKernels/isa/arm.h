// What the instruction sets of AArch64 share: 32 registers of four floats, taken in pairs, and dot products of bytes.
#pragma once

#define FT_LANES 8
#define FT_EXPONENTIALS 2
#include "../vectors.h"

#define FT_TILE 6
#define FT_BYTE_TILE FT_TILE
#define FT_CASES(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define FT_FLOAT_TILE FT_TILE
#define FT_FLOAT_CASES(X) FT_CASES(X)
#define FT_FLOAT_WIDTH(rows) ((rows) > 2 ? 1 : 2)
#define FT_SPLIT 1

#define FT_QUERIES 6
#define FT_QUERY_CASES(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define FT_PASS_CHAINS(count) ((count) == 1 ? 4 : (count) == 2 ? 2 : 1)
#define FT_PASS_CHANNELS(count) ((count) == 1 ? 64 : (count) == 2 ? 32 : 16)

#define FT_CHAINS 6
#define FT_OPAQUE_FLOATS(v) __asm__ volatile("" : "+m"(v))
#define FT_OPAQUE_BYTES(weights, x) __asm__ volatile("" : "+m"(x))

/// The sum of sixteen integers.
FT_INLINE int32_t FT_NAME(sum_of_run)(const int8_t *values) { return vaddlvq_s8(vld1q_s8(values)); }

/// Eight halves as floats, exactly.
FT_INLINE lanes FT_NAME(load_half_lanes)(const uint16_t *p) {
  float16x8_t halves = vreinterpretq_f16_u16(vld1q_u16(p));
  float32x4_t parts[2] = {vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)};
  lanes result;
  memcpy(&result, parts, 32);
  return result;
}
/// Sixteen halves as floats, exactly.
FT_INLINE f32x16 FT_NAME(load_half)(const uint16_t *p) {
  f32x16 result;
  result.lo = FT_NAME(load_half_lanes)(p);
  result.hi = FT_NAME(load_half_lanes)(p + 8);
  return result;
}

/// The nearest halves, ties to even, of numbers that halves reach.
FT_INLINE u16x16 FT_NAME(nearest_half)(f32x16 v) {
  float32x4_t parts[4];
  memcpy(parts, &v, 64);
  float16x8_t halves[2];
  for (int i = 0; i < 2; i++) halves[i] = vcvt_high_f16_f32(vcvt_f16_f32(parts[2 * i]), parts[2 * i + 1]);
  u16x16 result;
  memcpy(&result, halves, 32);
  return result;
}

/// The bytes of `table`, of sixteen, at the places that nibbles in bytes name.
FT_INLINE u32x16 FT_NAME(look_up)(const uint8_t *table, u32x16 nibbles) {
  const uint8x16_t values = vld1q_u8(table);
  uint8x16_t parts[4];
  memcpy(parts, &nibbles, 64);
  for (int i = 0; i < 4; i++) parts[i] = vqtbl1q_u8(values, parts[i]);
  memcpy(&nibbles, parts, 64);
  return nibbles;
}

#define FT_SHIFTS_BYTES
/// The high nibbles of bytes.
FT_INLINE u32x16 FT_NAME(high_nibbles)(u32x16 words) {
  uint8x16_t parts[4];
  memcpy(parts, &words, 64);
  for (int i = 0; i < 4; i++) parts[i] = vshrq_n_u8(parts[i], 4);
  memcpy(&words, parts, 64);
  return words;
}

/// Four products of bytes added to each lane: `weights` holds four bytes a lane, `x` the same four for all.
FT_INLINE i32x16 FT_NAME(dot_small)(i32x16 sum, u32x16 weights, const int8_t *x) {
  int32_t four;
  memcpy(&four, x, 4);
  int8x16_t broadcast = vreinterpretq_s8_s32(vdupq_n_s32(four)), parts[4];
  int32x4_t sums[4];
  memcpy(parts, &weights, 64);
  memcpy(sums, &sum, 64);
  for (int i = 0; i < 4; i++) sums[i] = vdotq_s32(sums[i], parts[i], broadcast);
  memcpy(&sum, sums, 64);
  return sum;
}

/// `dot_small` with the four bytes at `index` of `x`.
FT_INLINE int32x4_t FT_NAME(dot_lane)(int32x4_t sum, int8x16_t weights, int8x16_t x, int index) {
  switch (index) {
  case 0: return vdotq_laneq_s32(sum, weights, x, 0);
  case 1: return vdotq_laneq_s32(sum, weights, x, 1);
  case 2: return vdotq_laneq_s32(sum, weights, x, 2);
  default: return vdotq_laneq_s32(sum, weights, x, 3);
  }
}

/// Keeps the compiler from working on the products of several pairs of vectors at once, which asks for more registers than
/// there are.
#define FT_SETTLE(sums) \
  FT_UNROLL for (int q = 0; q < 4; q++) __asm__ volatile("" : "+w"((sums)[q]))

/// `add_products` of a set whose rows are single: four bytes of each row, sixteen bytes a register.
FT_INLINE void FT_NAME(add_row_products)(const u32x16 weights[2], int k, const int8_t *x, int rows, bool split,
                                         i32x16 sums[][2]) {
  int8x16_t inputs[(2 * FT_TILE + 3) / 4], parts[2][4];
  FT_UNROLL for (int i = 0; i < 2 * rows; i += 4) {
    const int8_t *place = x + 8 * k * rows + 4 * i;
    inputs[i / 4] = 2 * rows - i >= 4 ? vld1q_s8(place) : vcombine_s8(vld1_s8(place), vdup_n_s8(0));
  }
  memcpy(parts, weights, 128);
  FT_UNROLL for (int i = 0; i < 2; i++)
    FT_UNROLL for (int r = 0; r < rows; r++) {
      i32x16 *sum = &sums[r][split ? i : 0];
      int32x4_t part[4];
      memcpy(part, sum, 64);
      FT_UNROLL for (int q = 0; q < 4; q++)
        part[q] = FT_NAME(dot_lane)(part[q], parts[i][q], inputs[(i * rows + r) / 4], (i * rows + r) % 4);
      if (i == 1) FT_SETTLE(part);
      memcpy(sum, part, 64);
    }
}
