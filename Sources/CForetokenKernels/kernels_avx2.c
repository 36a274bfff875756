#include "kernels.h"

#define FT_NAME(name) ft_avx2_##name
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "isa/avx2.h"
#include "kernels.inc"

const ft_kernels ft_kernels_avx2 = FT_KERNELS;
#pragma clang attribute pop
#endif
