// Vectors of 128 bits with byte dot products (ARMv8.2 with FEAT_DotProd: Apple M1, Neoverse N1 and what came after them).
#pragma once
#include "arm.h"

#define FT_ADDS_PRODUCTS
FT_INLINE void FT_NAME(add_products)(int bits, const u32x16 weights[2], int k, const int8_t *x, int rows, bool split,
                                     i32x16 sums[][2]) {
  (void)bits; // Weights of every size are signed bytes here.
  FT_NAME(add_row_products)(weights, k, x, rows, split, sums);
}

#include "defaults.h"
