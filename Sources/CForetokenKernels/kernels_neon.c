#include "kernels.h"

#define FT_NAME(name) ft_neon_##name
#if defined(__aarch64__)
#include <arm_neon.h>
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#include "isa/neon.h"
#include "kernels.inc"

const ft_kernels ft_kernels_neon = FT_KERNELS;
#pragma clang attribute pop
#endif
