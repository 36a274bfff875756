// As avx512, with products of byte matrices (AMX: Intel since Sapphire Rapids): one instruction multiplies up to sixteen rows
// with a group of a panel. A thread's tile registers are set up for a tile of rows and given back by `end_matrices`.
#pragma once

#define FT_TILE 16
#define FT_CASES(X) \
  X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16)
#define FT_BYTE_TILE FT_TILE
#define FT_FLOAT_TILE 12
#define FT_FLOAT_CASES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
// A row's inputs of a group are a row of a matrix.
#define FT_INTERLEAVE FT_GROUP
/// From so many rows on matrices are faster than dot products: what has to be unpacked to memory first pays late.
#define FT_MATRIX_ROWS(bits) ((bits) == 8 ? 6 : 13)

#include "avx512.h"

/// How large the tile registers are, as the processor reads it.
typedef struct {
  uint8_t palette, start, reserved[14];
  uint16_t bytes[16]; ///< of a row of each register
  uint8_t rows[16];
} __attribute__((aligned(64))) FT_NAME(tile_shape);

/// Sets the tile registers up for sums of `rows` rows and runs of `run` inputs.
FT_INLINE void FT_NAME(begin_matrices)(int rows, int run) {
  FT_NAME(tile_shape) shape = {.palette = 1};
  // Two sets of a register each for sums, inputs and weights.
  for (int i = 0; i < 6; i += 3) {
    shape.bytes[i] = 64, shape.rows[i] = (uint8_t)rows;
    shape.bytes[i + 1] = (uint16_t)run, shape.rows[i + 1] = (uint8_t)rows;
    shape.bytes[i + 2] = 64, shape.rows[i + 2] = (uint8_t)(run / 4);
  }
  _tile_loadconfig(&shape);
}
FT_INLINE void FT_NAME(end_matrices)(void) { _tile_release(); }

/// Products of `rows` rows of inputs, FT_GROUP bytes from row to row, with the weights of a run in register set `set`,
/// which is a constant: [rows, 16].
FT_INLINE void FT_NAME(multiply_matrices)(int set, const int8_t *x, const uint8_t *weights, int32_t *products) {
  if (set == 0) {
    _tile_zero(0);
    _tile_loadd(1, x, FT_GROUP);
    _tile_loadd(2, weights, 64);
    _tile_dpbssd(0, 1, 2);
    _tile_stored(0, products, 64);
  } else {
    _tile_zero(3);
    _tile_loadd(4, x, FT_GROUP);
    _tile_loadd(5, weights, 64);
    _tile_dpbssd(3, 4, 5);
    _tile_stored(3, products, 64);
  }
}

#define FT_MULTIPLIES_MATRICES
/// Products of whole tiles of bytes, as for the ceiling; returns their number.
static uint64_t FT_NAME(multiply_bytes)(size_t iterations, uint32_t *result) {
  FT_NAME(tile_shape) shape = {.palette = 1};
  for (int i = 0; i < 8; i++) shape.bytes[i] = 64, shape.rows[i] = 16;
  int32_t sums[16][16];
  _tile_loadconfig(&shape);
  _tile_zero(0), _tile_zero(1), _tile_zero(2), _tile_zero(3);
  memset(sums, 3, sizeof sums);
  _tile_loadd(4, sums, 64), _tile_loadd(5, sums, 64);
  for (size_t i = 0; i < iterations; i++) {
    _tile_dpbssd(0, 4, 5);
    _tile_dpbssd(1, 4, 5);
    _tile_dpbssd(2, 4, 5);
    _tile_dpbssd(3, 4, 5);
  }
  _tile_stored(0, sums, 64);
  _tile_release();
  *result = (uint32_t)sums[0][0];
  return (uint64_t)iterations * 4 * 16 * 16 * 64;
}
