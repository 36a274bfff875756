// The inner loops of matrix products as llvm-mca takes them: without branches, between marks. Scripts/kernels-cost compiles
// this for an instruction set: FT_HEADER is its header, FT_TARGET its target attribute.
#include "kernels.h"
#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <arm_neon.h>
#endif

#define FT_NAME(name) ft_cost_##name
#pragma clang attribute push(__attribute__((target(FT_TARGET))), apply_to = function)
#include FT_HEADER
#undef FT_ROLLED
#define FT_ROLLED FT_UNROLL
#include "kernels.inc"

#define FT_BEGIN(name) __asm__ volatile("# LLVM-MCA-BEGIN " name)
#define FT_END __asm__ volatile("# LLVM-MCA-END")

/// A pair of groups of one panel, as `tile_integers` adds it to the sums of a tile of `rows` rows.
#define FT_INTEGERS(format, rows) \
  void cost_##format##_##rows(const uint8_t *panel, const int8_t *x, const float *scales, const uint8_t *sums, \
                              size_t pairs, float *output) { \
    const ft_format_shape shape = ft_shape_of(FT_WEIGHT_##format); \
    const size_t runs = FT_GROUP / (size_t)shape.run; \
    f32x16 totals[FT_TILE], unit = (f32x16)(1.0f), offset_unit = (f32x16)(1.0f); \
    if (shape.has_codes) FT_NAME(load_units)(shape, panel, 0, &unit, &offset_unit); \
    FT_UNROLL for (int v = 0; v < FT_NAME(sum_vectors)(rows); v++) totals[v] = (f32x16)(0.0f); \
    for (size_t pair = 0; pair < pairs; pair++) { \
      FT_BEGIN(#format " " #rows); \
      const uint8_t *place = panel + ft_pair_offset(shape, 0) + pair * (ft_scale_bytes(shape) + 2 * ft_plane_bytes(shape)); \
      FT_UNROLL for (size_t line = 0; line < ft_scale_bytes(shape); line += 64) \
        __builtin_prefetch(place + line + FT_AHEAD, 0, 3); \
      FT_UNROLL for (size_t odd = 0; odd < 2; odd++) { \
        const size_t g = 2 * pair + odd; \
        FT_NAME(add_group)(shape, place, odd, unit, offset_unit, x + g * FT_GROUP * rows, scales + g * rows, \
                           sums + g * runs * 4 * rows, rows, rows <= FT_SPLIT, true, totals); \
      } \
      FT_END; \
    } \
    FT_NAME(store_sums)(output, totals, rows); \
  }

/// A step of `add_bfloat16`.
#define FT_FLOATS(rows) \
  void cost_BFLOAT16_##rows(const uint8_t *panel, const float *x, size_t steps, float *output) { \
    const int width = FT_FLOAT_WIDTH(rows), vectors = rows > 1 ? 1 : FT_VECTORS; \
    const uint8_t *places[2] = {panel, panel + 64 * steps}; \
    const uint8_t *upcoming[2] = {panel + FT_AHEAD, panel + 64 * steps + FT_AHEAD}; \
    lanes sums[2][FT_FLOAT_TILE][2][FT_VECTORS]; \
    memset(sums, 0, sizeof sums); \
    for (size_t k = 0; k < steps; k++, x += 2 * rows) { \
      FT_BEGIN("BFLOAT16 " #rows); \
      FT_NAME(add_bfloat16)(places, upcoming, x, 1, rows, width, vectors, sums); \
      FT_UNROLL for (int c = 0; c < 2; c++) places[c] += 64, upcoming[c] += 64 * vectors / FT_VECTORS; \
      FT_END; \
    } \
    FT_UNROLL for (int r = 0; r < rows; r++) \
      FT_UNROLL for (int c = 0; c < width; c++) \
        FT_UNROLL for (int v = 0; v < vectors; v++) \
          *(FT_NAME(lanes_at) *)(output + r * 32 + c * 16 + v * FT_LANES) = sums[0][r][c][v] + sums[1][r][c][v]; \
  }

#define FT_COST(format) FT_INTEGERS(format, 1) FT_INTEGERS(format, 2) FT_INTEGERS(format, 4) FT_INTEGERS(format, 6)
FT_COST(INT4)
FT_COST(INT8)
FT_COST(Q4_0)
FT_COST(Q4_1)
FT_COST(Q5_0)
FT_COST(Q5_1)
FT_COST(Q5_K)
FT_COST(Q6_K)
FT_COST(Q3_K)
FT_FLOATS(1)
FT_FLOATS(2)
FT_FLOATS(4)
FT_FLOATS(5)
#pragma clang attribute pop
