// Packing of rows of every format of files into every format of memory.
#include "check.h"

static const ft_element elements[] = {FT_FLOAT32, FT_FLOAT16, FT_BFLOAT16, FT_Q4_0, FT_Q4_1, FT_Q5_0, FT_Q5_1,
                                      FT_Q8_0,    FT_Q2_K,    FT_Q3_K,     FT_Q4_K, FT_Q5_K, FT_Q6_K,
                                      FT_IQ4_NL,  FT_IQ4_XS,  FT_MXFP4,    FT_TQ1_0, FT_TQ2_0, FT_INTEGERS,
                                      FT_IQ2_XXS, FT_IQ2_XS,  FT_IQ2_S,    FT_IQ3_XXS, FT_IQ3_S, FT_IQ1_S, FT_IQ1_M};

/// Where the halves of a block that scale its integers lie, -1 for none.
static void scale_places(ft_element element, int places[2]) {
  places[0] = 0, places[1] = -1;
  switch (element) {
  case FT_Q4_1:
  case FT_Q5_1:
  case FT_Q4_K:
  case FT_Q5_K: places[1] = 2; break;
  case FT_Q2_K: places[0] = 80, places[1] = 82; break;
  case FT_Q3_K: places[0] = 108; break;
  case FT_Q6_K: places[0] = 208; break;
  case FT_TQ1_0: places[0] = 52; break;
  case FT_TQ2_0: places[0] = 64; break;
  case FT_MXFP4:
  case FT_IQ1_M:
  case FT_INTEGERS: places[0] = -1; break;
  default: break;
  }
}

/// A row of numbers, or of blocks with bits of any kind and scales from 2^-11 to 2^-8.
static void fill_row(ft_element element, uint8_t *row, size_t columns) {
  const size_t blocks = columns / ft_block_weights(element), bytes = ft_block_bytes(element);
  for (size_t i = 0; i < blocks; i++, row += bytes) {
    const float value = random_float(-1, 1) * random_float(0, 1);
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if (element == FT_FLOAT32) memcpy(row, &bits, 4);
    else if (element == FT_BFLOAT16) memcpy(row, (uint8_t *)&bits + 2, 2);
    else {
      for (size_t j = 0; j < bytes; j++) row[j] = (uint8_t)random_word();
      int places[2];
      scale_places(element, places);
      for (int p = 0; p < 2 && places[p] >= 0; p++) {
        const uint16_t half = (uint16_t)((random_word() & 0x83FF) | (4 + random_word() % 4) << 10);
        memcpy(row + places[p], &half, 2);
      }
      // The four nibbles of the scale.
      if (element == FT_IQ1_M) row[55] &= 0xBF;
      if (element == FT_MXFP4) row[0] = (uint8_t)(100 + random_word() % 30);
      if (element == FT_INTEGERS) {
        // Some rows have but one scale, and integers of four bits.
        const float scale = columns % 3 == 0 ? 0.37f : random_float(-1, 1);
        memcpy(row, &scale, 4);
        for (size_t j = 4; j < bytes && columns % 3 == 0; j++) row[j] = (uint8_t)((int8_t)row[j] >> 4);
      }
    }
  }
}

static void check_panel(ft_weight_format format, ft_element element, size_t columns, bool has_exponents, int missing) {
  context("packing of element %d as format %d, %zu columns, exponents %d, row %d missing", (int)element, (int)format,
          columns, (int)has_exponents, missing);
  const size_t bytes = columns / ft_block_weights(element) * ft_block_bytes(element);
  const size_t panel_bytes = ft_panel_bytes(format, columns);
  ft_element kinds[FT_PANEL];
  const void *rows[FT_PANEL];
  int8_t *exponents = guarded((columns + 3) / 4 * 4), row_exponents[FT_PANEL];
  for (size_t k = 0; k < columns; k++) exponents[k] = (int8_t)(random_word() % 7) - 3;
  for (int r = 0; r < FT_PANEL; r++) {
    kinds[r] = element;
    row_exponents[r] = (int8_t)(random_word() % 21) - 10;
    uint8_t *row = guarded((bytes + 3) / 4 * 4);
    fill_row(element, row, columns);
    // Rows of zeros, of equal weights and of positive ones have grids of their own.
    if (element == FT_FLOAT32 && r % 5 == 1)
      for (size_t k = 0; k < columns; k++) ((float *)row)[k] = r == 1 ? 0 : r == 6 ? 0.3f : fabsf(((float *)row)[k]);
    rows[r] = r == missing ? NULL : row;
  }
  float *scratch = guarded(ft_packing_scratch(columns) * sizeof(float));
  for (int s = 0; s < set_count; s++) {
    uint8_t *panel = guarded(panel_bytes);
    double errors[2] = {0, 0};
    memset(scratch, 0xA5, ft_packing_scratch(columns) * sizeof(float));
    ft_packing_result result = ft_pack_panel(sets[s]->set, format, kinds, rows, columns, has_exponents ? exponents : NULL,
                                             has_exponents ? row_exponents : NULL, scratch, panel, errors);
    demand(result == FT_PACKED, sets[s], "the panel was not packed");
    compare(sets[s], "panel", panel, panel_bytes);
    compare(sets[s], "errors", errors, sizeof errors);
  }
  release_all();
}

void check_packing(void) {
  static const size_t columns[] = {1, 31, 64, 100, 257};
  for (int format = FT_WEIGHT_BFLOAT16; format <= FT_WEIGHT_MXFP4; format++)
    for (size_t e = 0; e < sizeof elements / sizeof elements[0]; e++) {
      const size_t weights = ft_block_weights(elements[e]);
      for (int has_exponents = 0; has_exponents < 2; has_exponents++) {
        if (weights > 1) check_panel(format, elements[e], weights == 32 ? 96 : 512, has_exponents, 3);
        else
          for (int i = 0; i < (elements[e] == FT_FLOAT32 ? 5 : 2); i++)
            check_panel(format, elements[e], columns[i + (elements[e] != FT_FLOAT32)], has_exponents, i - 1);
      }
    }
}
