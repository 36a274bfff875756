#include "kernels.h"

#define FT_NAME(name) ft_neon_i8mm_##name
#if defined(__aarch64__)
#include <arm_neon.h>
#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)
#include "isa/neon_i8mm.h"
#include "kernels.inc"

const ft_kernels ft_kernels_neon_i8mm = FT_KERNELS;
#pragma clang attribute pop
#endif
