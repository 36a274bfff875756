// What most instruction sets have alike. The header of each set includes this last; a set that differs has defined the
// macro that is asked for here, and the functions under it.
#pragma once

#ifndef FT_HALF_SUMS
/// Whether `dot_small` adds up 16 bits, which `widen` makes 32.
#define FT_HALF_SUMS 0
#define FT_ROOM(bits) 4
FT_INLINE i32x16 FT_NAME(widen)(i32x16 sum) { return sum; }
#endif

#ifndef FT_WEIGHT_SHIFT
/// Weights of eight bits are signed. A set that wants them unsigned multiplies w + 128, and its sums start at what that
/// adds too much: -128 times the sum of the inputs. Inputs never hold -128.
#define FT_WEIGHT_SHIFT 0
FT_INLINE u32x16 FT_NAME(shifted)(u32x16 weights) { return weights; }
#endif

#ifndef FT_SHIFTS_BYTES
/// The high nibbles of bytes.
FT_INLINE u32x16 FT_NAME(high_nibbles)(u32x16 words) { return (words >> 4) & 0x0F0F0F0Fu; }
#endif

#ifndef FT_FLOAT_WIDTH
/// How many of two panels of bfloat16 are computed side by side.
#define FT_FLOAT_WIDTH(rows) (2 * (rows) > FT_FLOAT_TILE ? 1 : 2)
#endif

#ifndef FT_INTERLEAVE
/// Inputs of a row that lie side by side in an interleaved tile.
#define FT_INTERLEAVE 4
#endif

#ifndef FT_ROW_UNIT
/// Rows whose sums share vectors, and whose inputs lie side by side: tiles begin at multiples of it.
#define FT_ROW_UNIT 1

/// Vectors of sums of a tile.
FT_INLINE int FT_NAME(sum_vectors)(int rows) { return rows; }
/// What each lane of sum vector `v` takes of values that a tile has for each of its rows ([.., rows], those at `index`;
/// integers only if wanted, else zeros), or that a panel has for each of its outputs.
FT_INLINE f32x16 FT_NAME(row_floats)(const float *values, int index, int v, int rows) {
  return (f32x16)(values[index * rows + v]);
}
FT_INLINE i32x16 FT_NAME(row_integers)(bool is_wanted, const int32_t *values, int index, int v, int rows) {
  return (i32x16)(is_wanted ? values[index * rows + v] : 0);
}
FT_INLINE f32x16 FT_NAME(output_floats)(f32x16 values, int v, int rows) { return (void)v, (void)rows, values; }

/// Stores a tile's sums, those of a row in sixteen floats, 32 floats from row to row.
FT_INLINE void FT_NAME(store_sums)(float *place, const f32x16 *sums, int rows) {
  FT_UNROLL for (int r = 0; r < rows; r++) FT_NAME(store)(place + r * 32, sums[r]);
}
#endif

#ifndef FT_ADDS_PRODUCTS
/// Adds the products of vectors 2k and 2k + 1 of a group, of four inputs each, and the group's inputs at `x`. Sums of the
/// odd vector are apart if `split`.
FT_INLINE void FT_NAME(add_products)(int bits, const u32x16 weights[2], int k, const int8_t *x, int rows, bool split,
                                     i32x16 sums[][2]) {
  FT_UNROLL for (int i = 0; i < 2; i++)
    FT_UNROLL for (int r = 0; r < rows; r++) {
      i32x16 *sum = &sums[r][split ? i : 0];
      const int vector = 2 * k + i, together = FT_INTERLEAVE / 4;
      const int8_t *four = x + FT_INTERLEAVE * (vector / together * rows + r) + 4 * (vector % together);
      *sum = bits == 8 ? FT_NAME(dot_shifted)(*sum, weights[i], four) : FT_NAME(dot_small)(*sum, weights[i], four);
    }
}
#endif

#ifndef FT_PEAK_PRODUCTS
/// The products that `dot_peak`, the fastest of the set's dot products, adds up.
#define FT_PEAK_PRODUCTS 64
FT_INLINE i32x16 FT_NAME(dot_peak)(i32x16 sum, u32x16 weights, const int8_t *x) { return FT_NAME(dot_small)(sum, weights, x); }
#endif
