#include "kernels.h"

#define FT_NAME(name) ft_portable_##name
#include "isa/portable.h"
#include "kernels.inc"

const ft_kernels ft_kernels_portable = FT_KERNELS;
