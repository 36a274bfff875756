#if defined(__x86_64__) && defined(__linux__)
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "kernels.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

// --- Instruction sets --------------------------------------------------------------------------------------------------

static bool has_portable(void) { return true; }

#if defined(__x86_64__)
static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
static bool has_avxvnni(void) { return has_avx2() && __builtin_cpu_supports("avxvnni"); }
static bool has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
}
/// Linux gives tile registers to processes that ask for them (arch/x86/include/uapi/asm/prctl.h).
static bool has_amx(void) {
#if defined(__linux__)
  const long request_permission = 0x1023, tile_data = 18;
  unsigned a, b, c, d;
  return has_avx512() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 24 & 1) && (d >> 25 & 1) &&
         syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}
#elif defined(__aarch64__) && defined(__linux__)
// Bits of the auxiliary vector (Linux, arch/arm64/include/uapi/asm/hwcap.h), which older headers lack.
static bool has_neon(void) { return getauxval(AT_HWCAP) >> 20 & 1; }
static bool has_neon_i8mm(void) { return has_neon() && getauxval(AT_HWCAP2) >> 13 & 1; }
#elif defined(__aarch64__) && defined(__APPLE__)
static bool has_feature(const char *name) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, NULL, 0) == 0 && value != 0;
}
static bool has_neon(void) { return has_feature("hw.optional.arm.FEAT_DotProd"); }
static bool has_neon_i8mm(void) { return has_neon() && has_feature("hw.optional.arm.FEAT_I8MM"); }
#elif defined(__aarch64__)
static bool has_neon(void) { return false; }
static bool has_neon_i8mm(void) { return false; }
#endif

/// The sets that are compiled for this architecture.
static const struct {
  const ft_kernels *kernels;
  bool (*is_available)(void);
} sets[] = {
    [FT_PORTABLE] = {&ft_kernels_portable, has_portable},
#if defined(__x86_64__)
    [FT_AVX2] = {&ft_kernels_avx2, has_avx2},
    [FT_AVX_VNNI] = {&ft_kernels_avxvnni, has_avxvnni},
    [FT_AVX512] = {&ft_kernels_avx512, has_avx512},
    [FT_AMX] = {&ft_kernels_amx, has_amx},
#elif defined(__aarch64__)
    [FT_NEON] = {&ft_kernels_neon, has_neon},
    [FT_NEON_I8MM] = {&ft_kernels_neon_i8mm, has_neon_i8mm},
#endif
};

bool ft_is_available(ft_instruction_set set) {
  return set < sizeof sets / sizeof sets[0] && sets[set].kernels && sets[set].is_available();
}

const ft_kernels *ft_kernels_of(ft_instruction_set set) { return sets[set].kernels; }

// --- Calls ---------------------------------------------------------------------------------------------------------------

void ft_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  // `yield` takes no time on most processors.
  __asm__ volatile("isb");
#endif
}

void ft_prefetch(const void *memory, size_t count) {
  for (size_t i = 0; i < count; i++) __builtin_prefetch((const char *)memory + i * 64, 0, 2);
}

void ft_prepare_rows(ft_instruction_set set, ft_weight_format format, const float *x, size_t x_stride, size_t columns,
                     size_t rows, size_t first, size_t count, const ft_prepared_rows *output) {
  ft_kernels_of(set)->prepare_rows(format, x, x_stride, columns, rows, first, count, output);
}
void ft_linear(ft_instruction_set set, const ft_linear_task *task, size_t first, size_t count) {
  ft_kernels_of(set)->linear(task, first, count);
}
void ft_rms_norm(ft_instruction_set set, const float *x, size_t columns, const float *weight, float epsilon, float *output) {
  ft_kernels_of(set)->rms_norm(x, columns, weight, epsilon, output);
}
void ft_soft_cap(ft_instruction_set set, float *values, size_t count, float cap) {
  ft_kernels_of(set)->soft_cap(values, count, cap);
}
size_t ft_argmax(ft_instruction_set set, const float *values, size_t count) { return ft_kernels_of(set)->argmax(values, count); }
size_t ft_draw_candidates(ft_instruction_set set, const float *logits, size_t first, size_t count, uint64_t key,
                          uint64_t position, float scale, float limit, uint32_t *candidates) {
  return ft_kernels_of(set)->draw_candidates(logits, first, count, key, position, scale, limit, candidates);
}
float ft_sum_exp(ft_instruction_set set, const float *values, size_t count, float peak, float scale) {
  return ft_kernels_of(set)->sum_exp(values, count, peak, scale);
}
void ft_choose_experts(ft_instruction_set set, float *scores, size_t count, size_t chosen, bool is_share_of_all,
                       uint32_t *experts, float *shares) {
  ft_kernels_of(set)->choose_experts(scores, count, chosen, is_share_of_all, experts, shares);
}
void ft_add_shares(ft_instruction_set set, const float *const *rows, const float *shares, size_t count, size_t columns,
                   float *output) {
  ft_kernels_of(set)->add_shares(rows, shares, count, columns, output);
}
void ft_norm_rotate(ft_instruction_set set, float *head, size_t head_size, const float *norm, float epsilon,
                    const float *cosines, const float *sines) {
  ft_kernels_of(set)->norm_rotate(head, head_size, norm, epsilon, cosines, sines);
}
void ft_attention(ft_instruction_set set, const ft_attention_task *task, const ft_attention_query *queries, size_t count,
                  float *scratch) {
  ft_kernels_of(set)->attention(task, queries, count, scratch);
}

void ft_convolve(ft_instruction_set set, const float *const *rows, size_t taps, const float *weights, size_t stride,
                 size_t channels, float *output) {
  ft_kernels_of(set)->convolve(rows, taps, weights, stride, channels, output);
}
void ft_normalise(ft_instruction_set set, float *x, size_t columns, float epsilon, float length) {
  ft_kernels_of(set)->normalise(x, columns, epsilon, length);
}
void ft_delta_gates(ft_instruction_set set, const float *alphas, const float *betas, const float *rates, const float *biases,
                    size_t heads, float *decays, float *strengths) {
  ft_kernels_of(set)->delta_gates(alphas, betas, rates, biases, heads, decays, strengths);
}
void ft_delta_step(ft_instruction_set set, const float *before, float *after, const ft_delta_row *row) {
  ft_kernels_of(set)->delta_step(before, after, row);
}
void ft_gated_norm(ft_instruction_set set, float *x, const float *gate, size_t columns, const float *weight, float epsilon) {
  ft_kernels_of(set)->gated_norm(x, gate, columns, weight, epsilon);
}
void ft_gate(ft_instruction_set set, float *x, const float *gate, size_t count) { ft_kernels_of(set)->gate(x, gate, count); }
void ft_add_gated(ft_instruction_set set, const float *x, const float *weight, const float *input, size_t columns,
                  float *output) {
  ft_kernels_of(set)->add_gated(x, weight, input, columns, output);
}

uint32_t ft_read_memory(ft_instruction_set set, const void *memory, size_t bytes, size_t streams) {
  return ft_kernels_of(set)->read_memory(memory, bytes, streams);
}
uint64_t ft_multiply(ft_instruction_set set, ft_arithmetic arithmetic, size_t iterations, uint32_t *result) {
  return arithmetic == FT_BYTES ? ft_kernels_of(set)->multiply_bytes(iterations, result)
                                : ft_kernels_of(set)->multiply_floats(iterations, result);
}
size_t ft_cache_block_bytes(ft_cache_format format, size_t head_size) {
  size_t elements = head_size * FT_BLOCK;
  size_t groups = (head_size + FT_GROUP - 1) / FT_GROUP;
  return format == FT_CACHE_INT8 ? elements + groups * FT_BLOCK * sizeof(float) : elements * sizeof(uint16_t);
}
void ft_store_key_value(ft_instruction_set set, ft_cache_format format, uint8_t *key_block, uint8_t *value_block,
                        size_t slot, const float *key, const float *value, size_t head_size) {
  ft_kernels_of(set)->store_key_value(format, key_block, value_block, slot, key, value, head_size);
}
