// As neon, with products of byte matrices (FEAT_I8MM: Apple M2, Neoverse N2 and V1 and what came after them): one
// instruction multiplies eight inputs of two outputs with those of two rows.
#pragma once
#include "arm.h"

// Rows 2p and 2p + 1 share two vectors of sums: outputs 0 ... 7, then 8 ... 15, in each of them lanes output by output,
// for each the two rows. The last row of an odd number of rows is taken twice.
#define FT_ROW_UNIT 2
#define FT_INTERLEAVE 8

FT_INLINE int FT_NAME(sum_vectors)(int rows) { return rows == 1 ? 1 : (rows + 1) / 2 * 2; }

FT_INLINE f32x16 FT_NAME(row_floats)(const float *values, int index, int v, int rows) {
  const float *place = values + index * rows + v / 2 * 2;
  FT_NAME(f32x2) pair;
  if (rows == 1 || v / 2 * 2 + 1 == rows) return (f32x16)(place[0]);
  memcpy(&pair, place, 8);
  return __builtin_shufflevector(pair, pair, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1);
}
FT_INLINE i32x16 FT_NAME(row_integers)(bool is_wanted, const int32_t *values, int index, int v, int rows) {
  if (!is_wanted) return (i32x16)(0);
  f32x16 bits = FT_NAME(row_floats)((const float *)values, index, v, rows);
  return *(i32x16 *)&bits;
}
FT_INLINE f32x16 FT_NAME(output_floats)(f32x16 values, int v, int rows) {
  if (rows == 1) return values;
  return v % 2 == 0 ? __builtin_shufflevector(values, values, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7)
                    : __builtin_shufflevector(values, values, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15);
}

FT_INLINE void FT_NAME(store_sums)(float *place, const f32x16 *sums, int rows) {
  if (rows == 1) return FT_NAME(store)(place, sums[0]);
  FT_UNROLL for (int r = 0; r < rows; r++) {
    f32x16 low = sums[r / 2 * 2], high = sums[r / 2 * 2 + 1], row;
    row.lo = r % 2 == 0 ? low.even : low.odd;
    row.hi = r % 2 == 0 ? high.even : high.odd;
    FT_NAME(store)(place + r * 32, row);
  }
}

#define FT_ADDS_PRODUCTS
FT_INLINE void FT_NAME(add_products)(int bits, const u32x16 weights[2], int k, const int8_t *x, int rows, bool split,
                                     i32x16 sums[][2]) {
  (void)bits; // Weights of every size are signed bytes here.
  // A row that is alone has no use for matrices.
  if (rows == 1) return FT_NAME(add_row_products)(weights, k, x, rows, split, sums);
  int8x16_t inputs[FT_TILE / 2];
  FT_UNROLL for (int r = 0; r < rows; r += 2) {
    const int8_t *place = x + 8 * (k * rows + r);
    inputs[r / 2] = r + 1 < rows ? vld1q_s8(place) : vcombine_s8(vld1_s8(place), vld1_s8(place));
  }
  int32x4_t even[4], odd[4];
  memcpy(even, &weights[0], 64);
  memcpy(odd, &weights[1], 64);
  // Eight inputs of outputs 2q and 2q + 1.
  FT_UNROLL for (int q = 0; q < 8; q++) {
    int8x16_t eight = vreinterpretq_s8_s32(q % 2 == 0 ? vzip1q_s32(even[q / 2], odd[q / 2]) : vzip2q_s32(even[q / 2], odd[q / 2]));
    FT_UNROLL for (int r = 0; r < rows; r += 2) {
      int32x4_t parts[8];
      memcpy(parts, &sums[r][0], 64);
      memcpy(parts + 4, &sums[r + 1][0], 64);
      parts[q] = vmmlaq_s32(parts[q], eight, inputs[r / 2]);
      __asm__ volatile("" : "+w"(parts[q]));
      memcpy(&sums[r][0], parts, 64);
      memcpy(&sums[r + 1][0], parts + 4, 64);
    }
  }
}

#define FT_PEAK_PRODUCTS 128
FT_INLINE i32x16 FT_NAME(dot_peak)(i32x16 sum, u32x16 weights, const int8_t *x) {
  int8x16_t inputs = vld1q_s8(x), eights[4];
  int32x4_t sums[4];
  memcpy(eights, &weights, 64);
  memcpy(sums, &sum, 64);
  for (int q = 0; q < 4; q++) sums[q] = vmmlaq_s32(sums[q], eights[q], inputs);
  memcpy(&sum, sums, 64);
  return sum;
}

#include "defaults.h"
