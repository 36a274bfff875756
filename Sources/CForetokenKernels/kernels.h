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
  float (*sum_exp)(const float *, size_t, float, float);
  void (*norm_rotate)(float *, size_t, const float *, float, const float *, const float *);
  void (*attention)(const ft_attention_task *, const float *, size_t, float *, float *);
} ft_kernels;

#define FT_KERNELS \
  { FT_NAME(quantize_rows), FT_NAME(linear),      FT_NAME(rms_norm), FT_NAME(argmax), \
    FT_NAME(sum_exp),       FT_NAME(norm_rotate), FT_NAME(attention) }

extern const ft_kernels ft_kernels_portable;
#if defined(__x86_64__)
extern const ft_kernels ft_kernels_avx2;
extern const ft_kernels ft_kernels_avx512;
#endif
