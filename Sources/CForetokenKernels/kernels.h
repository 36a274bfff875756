// What each instruction set provides, and what all of them need.
#pragma once
#include "foretoken_kernels.h"
#include <math.h>
#include <string.h>

// A product and a sum are fused only where the text says so; otherwise sets would differ in the last bit.
#pragma STDC FP_CONTRACT OFF

// --- Panels of integer weights -------------------------------------------------------------------------------------
//
// Pairs of groups: their scales, then their offsets, then the planes of each group's bits; all parts are whole lines of
// 64 bytes. Where scales are codes, a line with the units of sixteen rows' scales and offsets comes before every
// FT_UNIT_PAIRS pairs. The panel ends with sixteen floats that the rows' sums are multiplied by: a row's only scale, or
// powers of two, by which halves reach as far as floats do.
//
// The planes of a group hold eight vectors, vector j being inputs 4j ... 4j + 3 of each row: of eight bits as they are,
// else their nibbles in 4 x 64 bytes (even vectors low, odd ones high), then a fifth bit (64 bytes, bit j of each byte
// is vector j's) or two more bits (2 x 64 bytes, vectors 0 ... 3 and 4 ... 7).

/// What makes up a format of integer weights.
/// What the nibbles of a format stand for.
typedef enum {
  FT_STEPS_EVEN = 0, ///< integers
  FT_STEPS_IQ4,      ///< sixteen integers of eight bits, which lie closer together around zero
  FT_STEPS_E2M1      ///< twice the floats of four bits; what is multiplied is twelve higher
} ft_steps;

typedef struct {
  int bits, run;                ///< bits of a weight, inputs that share a scale
  bool has_offsets, has_codes;
  int zero;                     ///< the stored integer that stands for zero, in formats without offsets
  ft_steps steps;               ///< what stored nibbles stand for
} ft_format_shape;

/// The integers that nibbles of a format stand for.
static inline __attribute__((always_inline)) const int8_t *ft_values_of(ft_steps steps) {
  static const int8_t iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  static const int8_t e2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  return steps == FT_STEPS_IQ4 ? iq4 : e2m1;
}

static inline __attribute__((always_inline)) ft_format_shape ft_shape_of(ft_weight_format format) {
  switch (format) {
  case FT_WEIGHT_INT4: return (ft_format_shape){4, 32, true, true, 0, FT_STEPS_EVEN};
  case FT_WEIGHT_Q4_0: return (ft_format_shape){4, 32, false, false, 8, FT_STEPS_EVEN};
  case FT_WEIGHT_Q4_1: return (ft_format_shape){4, 32, true, false, 0, FT_STEPS_EVEN};
  case FT_WEIGHT_Q5_0: return (ft_format_shape){5, 32, false, false, 16, FT_STEPS_EVEN};
  case FT_WEIGHT_Q5_1: return (ft_format_shape){5, 32, true, false, 0, FT_STEPS_EVEN};
  case FT_WEIGHT_Q5_K: return (ft_format_shape){5, 32, true, true, 0, FT_STEPS_EVEN};
  case FT_WEIGHT_Q6_K: return (ft_format_shape){6, 16, false, true, 32, FT_STEPS_EVEN};
  case FT_WEIGHT_Q3_K: return (ft_format_shape){4, 16, true, true, 0, FT_STEPS_EVEN};
  case FT_WEIGHT_IQ4_NL: return (ft_format_shape){4, 32, false, false, 0, FT_STEPS_IQ4};
  case FT_WEIGHT_MXFP4: return (ft_format_shape){4, 32, false, false, 12, FT_STEPS_E2M1};
  default: return (ft_format_shape){8, 32, false, false, 0, FT_STEPS_EVEN};
  }
}

/// Bits of the integers that are multiplied; those of eight have a sign.
static inline __attribute__((always_inline)) int ft_product_bits(ft_format_shape shape) {
  return shape.steps == FT_STEPS_IQ4 ? 8 : shape.steps == FT_STEPS_E2M1 ? 5 : shape.bits;
}

#define FT_UNIT_PAIRS 4
/// Bytes of one plane set: a group's bits.
static inline __attribute__((always_inline)) size_t ft_plane_bytes(ft_format_shape shape) { return 64 * (size_t)shape.bits; }
/// Bytes of a scale, or of an offset.
static inline __attribute__((always_inline)) size_t ft_factor_bytes(ft_format_shape shape) { return shape.has_codes ? 1 : 2; }
/// Bytes of the scales and offsets of a pair of groups.
static inline __attribute__((always_inline)) size_t ft_scale_bytes(ft_format_shape shape) {
  return 2 * (size_t)(FT_GROUP / shape.run) * FT_PANEL * ft_factor_bytes(shape) * (shape.has_offsets ? 2 : 1);
}
/// Where a pair of groups lies in its panel.
static inline __attribute__((always_inline)) size_t ft_pair_offset(ft_format_shape shape, size_t pair) {
  return pair * (ft_scale_bytes(shape) + 2 * ft_plane_bytes(shape)) + (shape.has_codes ? (pair / FT_UNIT_PAIRS + 1) * 64 : 0);
}
/// Where the units of a pair's codes lie: sixteen halves for scales, then sixteen for offsets.
static inline __attribute__((always_inline)) size_t ft_unit_offset(ft_format_shape shape, size_t pair) {
  return ft_pair_offset(shape, pair / FT_UNIT_PAIRS * FT_UNIT_PAIRS) - 64;
}

/// The second digits of one row.
typedef struct {
  uint32_t *groups;
  int8_t *digits;
  float *scales;
  void *sums;
} ft_second_digits;
static inline ft_second_digits ft_second_digits_of(const ft_prepared_rows *rows, size_t row) {
  const size_t groups = rows->stride / FT_GROUP;
  return (ft_second_digits){rows->second_groups + row * groups, rows->second_digits + row * rows->stride,
                            rows->second_scales + row * groups,
                            (uint8_t *)rows->second_sums + row * (rows->stride / FT_RUN) * 4};
}

typedef struct {
  void (*prepare_rows)(ft_weight_format, const float *, size_t, size_t, size_t, size_t, size_t,
                       const ft_prepared_rows *);
  void (*linear)(const ft_linear_task *, size_t, size_t);
  void (*rms_norm)(const float *, size_t, const float *, float, float *);
  size_t (*argmax)(const float *, size_t);
  float (*sum_exp)(const float *, size_t, float, float);
  void (*choose_experts)(float *, size_t, size_t, bool, uint32_t *, float *);
  void (*add_shares)(const float *const *, const float *, size_t, size_t, float *);
  void (*norm_rotate)(float *, size_t, const float *, float, const float *, const float *);
  void (*attention)(const ft_attention_task *, const ft_attention_query *, size_t, float *);
  uint32_t (*read_memory)(const uint8_t *, size_t, size_t);
  uint64_t (*multiply_bytes)(size_t, uint32_t *);
  uint64_t (*multiply_floats)(size_t, uint32_t *);
  void (*find_offset_scales)(const float *, int, int, bool, float *, float *);
  void (*find_scales)(const float *, int, int, float *);
  void (*store_key_value)(ft_cache_format, uint8_t *, uint8_t *, size_t, const float *, const float *, size_t);
  size_t (*draw_candidates)(const float *, size_t, size_t, uint64_t, uint64_t, float, float, uint32_t *);
  void (*soft_cap)(float *, size_t, float);
  void (*convolve)(const float *const *, size_t, const float *, size_t, size_t, float *);
  void (*normalise)(float *, size_t, float, float);
  void (*delta_gates)(const float *, const float *, const float *, const float *, size_t, float *, float *);
  void (*delta_step)(const float *, float *, const ft_delta_row *);
  void (*gated_norm)(float *, const float *, size_t, const float *, float);
  void (*gate)(float *, const float *, size_t);
  void (*add_gated)(const float *, const float *, const float *, size_t, float *);
} ft_kernels;

#define FT_KERNELS \
  { \
    FT_NAME(prepare_rows), FT_NAME(linear), FT_NAME(rms_norm), FT_NAME(argmax), FT_NAME(sum_exp), \
      FT_NAME(choose_experts), FT_NAME(add_shares), FT_NAME(norm_rotate), FT_NAME(attention), FT_NAME(read_memory), \
      FT_NAME(multiply_bytes), FT_NAME(multiply_floats), FT_NAME(find_offset_scales), FT_NAME(find_scales), \
      FT_NAME(store_key_value), FT_NAME(draw_candidates), FT_NAME(soft_cap), FT_NAME(convolve), FT_NAME(normalise), \
      FT_NAME(delta_gates), FT_NAME(delta_step), FT_NAME(gated_norm), FT_NAME(gate), FT_NAME(add_gated) \
  }

/// The kernels of an instruction set that this machine has.
const ft_kernels *ft_kernels_of(ft_instruction_set set);
static inline float ft_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
static inline uint32_t ft_to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}
/// The nearest half, ties to even; zero for a NaN. Saturates, so that no infinity is ever stored.
uint16_t ft_to_half(float value);
/// The float of a half.
float ft_from_half(uint16_t bits);
/// The nearest bfloat16, ties to even.
uint16_t ft_to_bfloat16(float value);
/// A block of a file: weight = unit * scale * integer, less offset_unit * offset where its format has offsets.
typedef struct {
  float unit, offset_unit;
  int scales[16], offsets[16];
  int8_t integers[256];
} ft_block;
void ft_read_block(ft_element element, const uint8_t *block, ft_block *output);
/// Neighbouring weights of a block that share a scale.
size_t ft_block_run(ft_element element);
/// Converts blocks of `count` weights in all.
void ft_decode_blocks(ft_element element, const void *source, size_t count, float *output);

extern const ft_kernels ft_kernels_portable;
#if defined(__x86_64__)
extern const ft_kernels ft_kernels_avx2;
extern const ft_kernels ft_kernels_avxvnni;
extern const ft_kernels ft_kernels_avx512;
extern const ft_kernels ft_kernels_amx;
#elif defined(__aarch64__)
extern const ft_kernels ft_kernels_neon;
extern const ft_kernels ft_kernels_neon_i8mm;
#endif
