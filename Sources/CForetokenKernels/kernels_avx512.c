#include "kernels.h"

#define FT_NAME(name) ft_avx512_##name
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), apply_to = function)
#include "isa/avx512.h"
#include "kernels.inc"

const ft_kernels ft_kernels_avx512 = FT_KERNELS;
#pragma clang attribute pop
#endif
