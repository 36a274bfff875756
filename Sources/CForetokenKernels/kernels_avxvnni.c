#include "kernels.h"

#define FT_NAME(name) ft_avxvnni_##name
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,avxvnni,fma,f16c"))), apply_to = function)
#include "isa/avxvnni.h"
#include "kernels.inc"

const ft_kernels ft_kernels_avxvnni = FT_KERNELS;
#pragma clang attribute pop
#endif
