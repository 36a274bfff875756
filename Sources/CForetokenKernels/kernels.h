// What each instruction set provides, and what all of them need.
#pragma once
#include "foretoken_kernels.h"
#include <math.h>
#include <string.h>

// A product and a sum are fused only where the text says so; otherwise sets would differ in the last bit.
#pragma STDC FP_CONTRACT OFF

typedef struct {
  void (*quantize_rows)(const float *, size_t, size_t, size_t, size_t, const ft_quantized_rows *);
  void (*linear)(const ft_linear_task *, size_t, size_t);
  void (*rms_norm)(const float *, size_t, const float *, float, float *);
  size_t (*argmax)(const float *, size_t);
  void (*norm_rotate)(float *, size_t, const float *, float, const float *, const float *);
  void (*attention)(const ft_attention_task *, const float *, size_t, float *, float *);
  uint32_t (*read_memory)(const uint8_t *, size_t, size_t);
  uint64_t (*multiply_bytes)(size_t, uint32_t *);
  uint64_t (*multiply_floats)(size_t, uint32_t *);
} ft_kernels;

#define FT_KERNELS \
  { \
    FT_NAME(quantize_rows), FT_NAME(linear), FT_NAME(rms_norm), FT_NAME(argmax), FT_NAME(norm_rotate), \
      FT_NAME(attention), FT_NAME(read_memory), FT_NAME(multiply_bytes), FT_NAME(multiply_floats) \
  }

extern const ft_kernels ft_kernels_portable;
#if defined(__x86_64__)
extern const ft_kernels ft_kernels_avx2;
extern const ft_kernels ft_kernels_avx512;
#endif
