#include "kernels.h"

#define FT_NAME(name) ft_amx_##name
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("amx-tile,amx-int8,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), apply_to = function)
#include "isa/amx.h"
#include "kernels.inc"

const ft_kernels ft_kernels_amx = FT_KERNELS;
#pragma clang attribute pop
#endif
