// What each instruction set provides, and what all of them need.
#pragma once
#include "foretoken_kernels.h"
#include <math.h>
#include <string.h>

// A product and a sum are fused only where the text says so; otherwise sets would differ in the last bit.
#pragma STDC FP_CONTRACT OFF

// Four-bit panels: pairs of groups, 16 scales of each and then the weights of each, so that every part is aligned.
#define FT_PAIR_BYTES (2 * (FT_PANEL * 2 + FT_PANEL * FT_GROUP / 2))
#define FT_SCALE_OFFSET(g) ((g) / 2 * FT_PAIR_BYTES + (g) % 2 * FT_PANEL * 2)
#define FT_GROUP_OFFSET(g) ((g) / 2 * FT_PAIR_BYTES + 2 * FT_PANEL * 2 + (g) % 2 * (FT_PANEL * FT_GROUP / 2))

typedef struct {
  void (*prepare_rows)(ft_weight_format, const float *, size_t, size_t, size_t, size_t, size_t,
                       const ft_prepared_rows *);
  void (*linear)(const ft_linear_task *, size_t, size_t);
  void (*rms_norm)(const float *, size_t, const float *, float, float *);
  size_t (*argmax)(const float *, size_t);
  float (*sum_exp)(const float *, size_t, float, float);
  void (*norm_rotate)(float *, size_t, const float *, float, const float *, const float *);
  void (*attention)(const ft_attention_task *, const ft_attention_query *, size_t, float *);
  uint32_t (*read_memory)(const uint8_t *, size_t, size_t);
  uint64_t (*multiply_bytes)(size_t, uint32_t *);
  uint64_t (*multiply_floats)(size_t, uint32_t *);
  void (*pack_int4)(const float *, size_t, const uint8_t *const *, size_t, uint8_t *);
  void (*store_key_value)(ft_cache_format, uint8_t *, uint8_t *, size_t, const float *, const float *, size_t);
  size_t (*draw_candidates)(const float *, size_t, size_t, uint64_t, uint64_t, float, float, uint32_t *);
} ft_kernels;

#define FT_KERNELS \
  { \
    FT_NAME(prepare_rows), FT_NAME(linear), FT_NAME(rms_norm), FT_NAME(argmax), FT_NAME(sum_exp), \
      FT_NAME(norm_rotate), FT_NAME(attention), FT_NAME(read_memory), FT_NAME(multiply_bytes), FT_NAME(multiply_floats), \
      FT_NAME(pack_int4), FT_NAME(store_key_value), FT_NAME(draw_candidates) \
  }

/// The kernels of an instruction set that this machine has.
const ft_kernels *ft_kernels_of(ft_instruction_set set);
/// The nearest half, ties to even, saturated; zero for a NaN.
uint16_t ft_to_half(float value);
/// The float of a half.
float ft_from_half(uint16_t bits);
/// Bytes of a Q4_0 block: a half and FT_GROUP nibbles.
#define FT_Q4_0_BYTES (2 + FT_GROUP / 2)
/// Converts blocks of `count` weights in all.
void ft_decode_blocks(ft_element element, const void *source, size_t count, float *output);

extern const ft_kernels ft_kernels_portable;
#if defined(__x86_64__)
extern const ft_kernels ft_kernels_avx2;
extern const ft_kernels ft_kernels_avxvnni;
extern const ft_kernels ft_kernels_avx512;
#endif
