#include "kernels.h"

bool ft_is_available(ft_instruction_set set) {
#if defined(__x86_64__)
  switch (set) {
  case FT_PORTABLE: return true;
  case FT_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  case FT_AVX512:
    return ft_is_available(FT_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
  }
  return false;
#else
  return set == FT_PORTABLE;
#endif
}

static const ft_kernels *kernels(ft_instruction_set set) {
#if defined(__x86_64__)
  if (set == FT_AVX512) return &ft_kernels_avx512;
  if (set == FT_AVX2) return &ft_kernels_avx2;
#endif
  return &ft_kernels_portable;
}

void ft_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

void ft_quantize_rows(ft_instruction_set set, const float *x, size_t stride, size_t columns, size_t first, size_t count,
                      const ft_quantized_rows *output) {
  kernels(set)->quantize_rows(x, stride, columns, first, count, output);
}
void ft_linear(ft_instruction_set set, const ft_linear_task *task, size_t first, size_t count) {
  kernels(set)->linear(task, first, count);
}
void ft_rms_norm(ft_instruction_set set, const float *x, size_t columns, const float *weight, float epsilon, float *output) {
  kernels(set)->rms_norm(x, columns, weight, epsilon, output);
}
size_t ft_argmax(ft_instruction_set set, const float *values, size_t count) { return kernels(set)->argmax(values, count); }
void ft_norm_rotate(ft_instruction_set set, float *head, size_t head_size, const float *norm, float epsilon,
                    const float *cosines, const float *sines) {
  kernels(set)->norm_rotate(head, head_size, norm, epsilon, cosines, sines);
}
void ft_attention(ft_instruction_set set, const ft_attention_task *task, const float *query, size_t length, float *output,
                  float *scratch) {
  kernels(set)->attention(task, query, length, output, scratch);
}

uint32_t ft_read_memory(ft_instruction_set set, const void *memory, size_t bytes, size_t streams) {
  return kernels(set)->read_memory(memory, bytes, streams);
}
uint64_t ft_multiply(ft_instruction_set set, ft_arithmetic arithmetic, size_t iterations, uint32_t *result) {
  return arithmetic == FT_BYTES ? kernels(set)->multiply_bytes(iterations, result)
                                : kernels(set)->multiply_floats(iterations, result);
}
