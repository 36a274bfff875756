#include "kernels.h"

#define FT_SET 0
#define FT_VNNI 0
#define FT_NAME(name) ft_portable_##name
#include "vectors.h"

#include "tiles.inc"
#include "integers.inc"
#include "linear.inc"
#include "activations.inc"
#include "attention.inc"
#include "packing.inc"
#include "roofline.inc"
#include "rows.inc"
#include "sampling.inc"

const ft_kernels ft_kernels_portable = FT_KERNELS;
