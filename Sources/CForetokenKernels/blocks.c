// The block formats of GGUF files: runs of 32 or 256 weights that share scales.
//
// Layouts and the order of operations are ggml's (ggml-common.h and dequantize_row_* in ggml-quants.c): the floats are
// the ones that ggml computes, bit for bit. Blocks lie one after the other, so nothing here is aligned.
#include "grids.h"
#include "kernels.h"

static float half_at(const uint8_t *bytes) {
  uint16_t half;
  memcpy(&half, bytes, 2);
  return ft_from_half(half);
}

static uint32_t word_at(const uint8_t *bytes) {
  uint32_t word;
  memcpy(&word, bytes, 4);
  return word;
}

// --- 32 weights: one scale, and one offset in the formats of type 1 ------------------------------------------------

/// The one scale of a block of 32, and what is taken away.
static void one_scale(ft_block *b, float scale, float offset) {
  b->unit = scale, b->offset_unit = offset;
  b->scales[0] = b->offsets[0] = 1;
}

/// Scale, 32 nibbles: the low ones are the first half. Weight: scale * (nibble - 8).
static void q4_0(const uint8_t *block, ft_block *b) {
  one_scale(b, half_at(block), 0);
  for (int i = 0; i < 16; i++) {
    uint8_t pair = block[2 + i];
    b->integers[i] = (int8_t)((pair & 15) - 8);
    b->integers[i + 16] = (int8_t)((pair >> 4) - 8);
  }
}

/// Scale, offset, nibbles. Weight: scale * nibble + offset.
static void q4_1(const uint8_t *block, ft_block *b) {
  one_scale(b, half_at(block), -half_at(block + 2));
  for (int i = 0; i < 16; i++) {
    uint8_t pair = block[4 + i];
    b->integers[i] = pair & 15;
    b->integers[i + 16] = pair >> 4;
  }
}

/// Scale, 32 fifth bits, nibbles. Weight: scale * (five bits - 16).
static void q5_0(const uint8_t *block, ft_block *b) {
  one_scale(b, half_at(block), 0);
  uint32_t high = word_at(block + 2);
  for (int i = 0; i < 16; i++) {
    uint8_t pair = block[6 + i];
    b->integers[i] = (int8_t)(((pair & 15) | (high >> i & 1) << 4) - 16);
    b->integers[i + 16] = (int8_t)(((pair >> 4) | (high >> (i + 16) & 1) << 4) - 16);
  }
}

/// Scale, offset, 32 fifth bits, nibbles. Weight: scale * five bits + offset.
static void q5_1(const uint8_t *block, ft_block *b) {
  one_scale(b, half_at(block), -half_at(block + 2));
  uint32_t high = word_at(block + 4);
  for (int i = 0; i < 16; i++) {
    uint8_t pair = block[8 + i];
    b->integers[i] = (int8_t)((pair & 15) | (high >> i & 1) << 4);
    b->integers[i + 16] = (int8_t)((pair >> 4) | (high >> (i + 16) & 1) << 4);
  }
}

/// Scale, 32 signed bytes.
static void q8_0(const uint8_t *block, ft_block *b) {
  one_scale(b, half_at(block), 0);
  memcpy(b->integers, block + 2, 32);
}

/// 32 nibbles in 16 bytes, the low ones first, by what they stand for.
static void look_up(ft_steps steps, const uint8_t *pairs, int8_t *integers) {
  const int8_t *values = ft_values_of(steps);
  for (int i = 0; i < 16; i++) {
    integers[i] = values[pairs[i] & 15];
    integers[i + 16] = values[pairs[i] >> 4];
  }
}

/// As Q4_0, of unequal steps.
static void iq4_nl(const uint8_t *block, ft_block *b) {
  one_scale(b, half_at(block), 0);
  look_up(FT_STEPS_IQ4, block + 2, b->integers);
}

/// Half a power of two, 2^(exponent - 128); a NaN for the exponent that the format (OCP MX) has for it.
static float half_power(uint8_t exponent) {
  return exponent == 255 ? NAN : exponent < 2 ? ft_from_bits(0x00200000u << exponent) : ft_from_bits((uint32_t)(exponent - 1) << 23);
}

/// The scale's exponent, 32 nibbles.
static void mxfp4(const uint8_t *block, ft_block *b) {
  one_scale(b, half_power(block[0]), 0);
  look_up(FT_STEPS_E2M1, block + 1, b->integers);
}

/// None of ggml's: a scale in single precision, 32 signed bytes. What is made of matrices that files have in parts.
static void integers(const uint8_t *block, ft_block *b) {
  float scale;
  memcpy(&scale, block, 4);
  one_scale(b, scale, 0);
  memcpy(b->integers, block + 4, 32);
}

// --- 256 weights: a scale of scales, and a small integer scale for every 16 or 32 ---------------------------------

/// 16 bytes of scale and offset nibbles, 64 of two bits, the two floats that they multiply.
static void q2_k(const uint8_t *block, ft_block *b) {
  b->unit = half_at(block + 80), b->offset_unit = half_at(block + 82);
  for (int run = 0; run < 16; run++) {
    // Each byte of two bits serves four runs, 32 weights apart; bytes are used in stretches of 32.
    const uint8_t *bits = block + 16 + run / 8 * 32 + run % 2 * 16;
    int shift = run % 8 / 2 * 2;
    b->scales[run] = block[run] & 15, b->offsets[run] = block[run] >> 4;
    for (int i = 0; i < 16; i++) b->integers[run * 16 + i] = bits[i] >> shift & 3;
  }
}

/// 32 bytes of third bits, 64 of two bits, sixteen 6-bit scales in 12 bytes, and the float that they multiply.
static void q3_k(const uint8_t *block, ft_block *b) {
  const uint8_t *packed = block + 96;
  b->unit = half_at(block + 108);
  for (int run = 0; run < 16; run++) {
    int low = run < 8 ? packed[run] & 15 : packed[run - 8] >> 4;
    int high = packed[8 + run % 4] >> (run / 4 * 2) & 3;
    b->scales[run] = (low | high << 4) - 32;
    const uint8_t *bits = block + 32 + run / 8 * 32 + run % 2 * 16, *third = block + run % 2 * 16;
    int shift = run % 8 / 2 * 2, bit = run / 2;
    for (int i = 0; i < 16; i++)
      b->integers[run * 16 + i] = (int8_t)((bits[i] >> shift & 3) - (third[i] >> bit & 1 ? 0 : 4));
  }
}

/// The 6-bit scale and offset of the eight runs of Q4_K and Q5_K, in 12 bytes.
static void scale_and_offset(const uint8_t *packed, int run, ft_block *b) {
  if (run < 4) {
    b->scales[run] = packed[run] & 63;
    b->offsets[run] = packed[run + 4] & 63;
  } else {
    b->scales[run] = (packed[run + 4] & 15) | packed[run - 4] >> 6 << 4;
    b->offsets[run] = packed[run + 4] >> 4 | packed[run] >> 6 << 4;
  }
}

/// Two floats, 12 bytes of scales and offsets, 128 of nibbles: the low ones of 32 bytes are a run, the high ones the next.
static void q4_k(const uint8_t *block, ft_block *b) {
  b->unit = half_at(block), b->offset_unit = half_at(block + 2);
  for (int run = 0; run < 8; run++) {
    scale_and_offset(block + 4, run, b);
    const uint8_t *pairs = block + 16 + run / 2 * 32;
    for (int i = 0; i < 32; i++) b->integers[run * 32 + i] = pairs[i] >> run % 2 * 4 & 15;
  }
}

/// As Q4_K, with 32 bytes of fifth bits before the nibbles.
static void q5_k(const uint8_t *block, ft_block *b) {
  b->unit = half_at(block), b->offset_unit = half_at(block + 2);
  const uint8_t *fifth = block + 16;
  for (int run = 0; run < 8; run++) {
    scale_and_offset(block + 4, run, b);
    const uint8_t *pairs = block + 48 + run / 2 * 32;
    for (int i = 0; i < 32; i++)
      b->integers[run * 32 + i] = (int8_t)((pairs[i] >> run % 2 * 4 & 15) | (fifth[i] >> run & 1) << 4);
  }
}

/// 128 bytes of nibbles, 64 of two high bits, 16 signed scales, and the float that they multiply.
static void q6_k(const uint8_t *block, ft_block *b) {
  b->unit = half_at(block + 208);
  for (int run = 0; run < 16; run++) b->scales[run] = (int8_t)block[192 + run];
  for (int run = 0; run < 8; run++) {
    // Within 128 weights: two runs in the low nibbles of 64 bytes, two in the high ones.
    const uint8_t *pairs = block + run / 4 * 64 + run % 2 * 32, *high = block + 128 + run / 4 * 32;
    for (int i = 0; i < 32; i++) {
      int value = (pairs[i] >> run % 4 / 2 * 4 & 15) | (high[i] >> run % 4 * 2 & 3) << 4;
      b->integers[run * 32 + i] = (int8_t)(value - 32);
    }
  }
}

/// The scale, two high bits of eight runs' scales, their low nibbles, nibbles as in IQ4_NL.
static void iq4_xs(const uint8_t *block, ft_block *b) {
  const int high = block[2] | block[3] << 8;
  b->unit = half_at(block);
  for (int run = 0; run < 8; run++) {
    b->scales[run] = ((block[4 + run / 2] >> run % 2 * 4 & 15) | (high >> 2 * run & 3) << 4) - 32;
    look_up(FT_STEPS_IQ4, block + 8 + run * 16, b->integers + run * 32);
  }
}

// The values among which a codebook's entries choose.
static const int8_t iq1_values[3] = {-8, 0, 8}, iq2_values[3] = {8, 25, 43};
static const int8_t iq3_xxs_values[8] = {2, 6, 10, 14, 18, 22, 26, 31}, iq3_s_values[8] = {1, 3, 5, 7, 9, 11, 13, 15};

/// `count` weights of a codebook's entry, of `bits` each; bit i of `signs` turns weight i around.
static void put_entry(const int8_t *values, int bits, uint16_t entry, int count, int signs, int8_t *integers) {
  for (int i = 0; i < count; i++) {
    const int8_t value = values[entry >> i * bits & ((1 << bits) - 1)];
    integers[i] = (int8_t)(signs >> i & 1 ? -value : value);
  }
}

/// Eight signs of which an even number is set, by the first seven.
static int even_signs(uint32_t seven) { return (int)(seven | (uint32_t)__builtin_parity(seven) << 7); }

/// The scale, and for 32 weights four numbers of entries, four times seven signs and four bits of a scale.
static void iq2_xxs(const uint8_t *block, ft_block *b) {
  b->unit = half_at(block) * 0.125f;
  for (int run = 0; run < 8; run++) {
    const uint8_t *entries = block + 2 + run * 8;
    const uint32_t word = word_at(entries + 4);
    b->scales[run] = (int)(word >> 28) * 2 + 1;
    for (int i = 0; i < 4; i++)
      put_entry(iq2_values, 2, iq2_xxs_grid[entries[i]], 8, even_signs(word >> 7 * i & 127), b->integers + run * 32 + i * 8);
  }
}

/// The scale, 32 times nine bits of an entry's number and seven signs, nibbles of scales.
static void iq2_xs(const uint8_t *block, ft_block *b) {
  b->unit = half_at(block) * 0.125f;
  for (int run = 0; run < 16; run++) b->scales[run] = (block[66 + run / 2] >> run % 2 * 4 & 15) * 2 + 1;
  for (int i = 0; i < 32; i++) {
    const int word = block[2 + 2 * i] | block[3 + 2 * i] << 8;
    put_entry(iq2_values, 2, iq2_xs_grid[word & 511], 8, even_signs((uint32_t)word >> 9), b->integers + i * 8);
  }
}

/// The scale, low bytes of entries' numbers, signs, two high bits of numbers, nibbles of scales.
static void iq2_s(const uint8_t *block, ft_block *b) {
  b->unit = half_at(block) * 0.125f;
  for (int run = 0; run < 16; run++) b->scales[run] = (block[74 + run / 2] >> run % 2 * 4 & 15) * 2 + 1;
  for (int i = 0; i < 32; i++) {
    const int number = block[2 + i] | (block[66 + i / 4] >> i % 4 * 2 & 3) << 8;
    put_entry(iq2_values, 2, iq2_s_grid[number], 8, block[34 + i], b->integers + i * 8);
  }
}

/// The scale, 64 numbers of entries of four weights, and for 32 weights four times seven signs and four bits of a scale.
static void iq3_xxs(const uint8_t *block, ft_block *b) {
  b->unit = half_at(block) * 0.5f;
  for (int group = 0; group < 8; group++) {
    const uint32_t word = word_at(block + 66 + group * 4);
    b->scales[2 * group] = b->scales[2 * group + 1] = (int)(word >> 28) * 2 + 1;
    for (int i = 0; i < 8; i++) {
      const int signs = even_signs(word >> i / 2 * 7 & 127) >> i % 2 * 4;
      put_entry(iq3_xxs_values, 3, iq3_xxs_grid[block[2 + group * 8 + i]], 4, signs, b->integers + group * 32 + i * 4);
    }
  }
}

/// The scale, low bytes of 64 entries' numbers, their ninth bits, signs, nibbles of scales.
static void iq3_s(const uint8_t *block, ft_block *b) {
  b->unit = half_at(block);
  for (int run = 0; run < 8; run++) b->scales[run] = (block[106 + run / 2] >> run % 2 * 4 & 15) * 2 + 1;
  for (int i = 0; i < 64; i++) {
    const int number = block[2 + i] | (block[66 + i / 8] >> i % 8 & 1) << 8;
    put_entry(iq3_s_values, 3, iq3_s_grid[number], 4, block[74 + i / 2] >> i % 2 * 4, b->integers + i * 4);
  }
}

/// Adds an eighth of a step to eight weights, or takes it away.
static void shift_entry(bool is_down, int8_t *integers) {
  for (int i = 0; i < 8; i++) integers[i] = (int8_t)(integers[i] + (is_down ? -1 : 1));
}

/// The scale, low bytes of entries' numbers, and for 32 weights four times three bits of them, a scale and a direction.
static void iq1_s(const uint8_t *block, ft_block *b) {
  b->unit = half_at(block) * 0.125f;
  for (int run = 0; run < 8; run++) {
    const int word = block[34 + 2 * run] | block[35 + 2 * run] << 8;
    b->scales[run] = (word >> 12 & 7) * 2 + 1;
    for (int i = 0; i < 4; i++) {
      int8_t *integers = b->integers + run * 32 + i * 8;
      put_entry(iq1_values, 2, iq1_grid[block[2 + run * 4 + i] | (word >> 3 * i & 7) << 8], 8, 0, integers);
      shift_entry(word >> 15, integers);
    }
  }
}

/// Low bytes of entries' numbers, nibbles of three bits of them and a direction, four words of four scales, whose last
/// nibbles are the one scale.
static void iq1_m(const uint8_t *block, ft_block *b) {
  int words[4];
  for (int i = 0; i < 4; i++) words[i] = block[48 + 2 * i] | block[49 + 2 * i] << 8;
  b->unit = ft_from_half((uint16_t)(words[0] >> 12 | words[1] >> 12 << 4 | words[2] >> 12 << 8 | words[3] >> 12 << 12)) * 0.125f;
  for (int run = 0; run < 16; run++) b->scales[run] = (words[run / 4] >> run % 4 * 3 & 7) * 2 + 1;
  for (int i = 0; i < 32; i++) {
    const int nibble = block[32 + i / 2] >> i % 2 * 4 & 15;
    put_entry(iq1_values, 2, iq1_grid[block[i] | (nibble & 7) << 8], 8, 0, b->integers + i * 8);
    shift_entry(nibble & 8, b->integers + i * 8);
  }
}

/// One of three values as the digit `place` of a fraction to base 3.
static int8_t ternary(uint8_t fraction, int place) {
  static const uint8_t powers[] = {1, 3, 9, 27, 81};
  return (int8_t)(((uint8_t)(fraction * powers[place]) * 3 >> 8) - 1);
}

/// 52 bytes of five values (the last four of four), the one scale.
static void tq1_0(const uint8_t *block, ft_block *b) {
  b->unit = half_at(block + 52);
  for (int run = 0; run < 8; run++) b->scales[run] = 1;
  for (int i = 0; i < 160; i++) b->integers[i] = ternary(block[i % 32], i / 32);
  for (int i = 0; i < 80; i++) b->integers[160 + i] = ternary(block[32 + i % 16], i / 16);
  for (int i = 0; i < 16; i++) b->integers[240 + i] = ternary(block[48 + i % 4], i / 4);
}

/// 64 bytes of four values, the one scale.
static void tq2_0(const uint8_t *block, ft_block *b) {
  b->unit = half_at(block + 64);
  for (int run = 0; run < 8; run++) b->scales[run] = 1;
  for (int i = 0; i < 256; i++) b->integers[i] = (int8_t)((block[i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3) - 1);
}

// --------------------------------------------------------------------------------------------------------------------

static const struct {
  size_t weights, bytes, run;
  bool has_offsets;
  void (*read)(const uint8_t *, ft_block *);
} formats[] = {
    [FT_FLOAT32] = {1, 4, 1, 0, 0},          [FT_FLOAT16] = {1, 2, 1, 0, 0},          [FT_BFLOAT16] = {1, 2, 1, 0, 0},
    [FT_Q4_0] = {32, 18, 32, false, q4_0},   [FT_Q4_1] = {32, 20, 32, true, q4_1},    [FT_Q5_0] = {32, 22, 32, false, q5_0},
    [FT_Q5_1] = {32, 24, 32, true, q5_1},    [FT_Q8_0] = {32, 34, 32, false, q8_0},   [FT_Q2_K] = {256, 84, 16, true, q2_k},
    [FT_Q3_K] = {256, 110, 16, false, q3_k}, [FT_Q4_K] = {256, 144, 32, true, q4_k},  [FT_Q5_K] = {256, 176, 32, true, q5_k},
    [FT_Q6_K] = {256, 210, 16, false, q6_k}, [FT_IQ4_NL] = {32, 18, 32, false, iq4_nl},
    [FT_IQ4_XS] = {256, 136, 32, false, iq4_xs}, [FT_MXFP4] = {32, 17, 32, false, mxfp4},
    [FT_TQ1_0] = {256, 54, 32, false, tq1_0}, [FT_TQ2_0] = {256, 66, 32, false, tq2_0},
    [FT_IQ2_XXS] = {256, 66, 32, false, iq2_xxs}, [FT_IQ2_XS] = {256, 74, 16, false, iq2_xs},
    [FT_IQ2_S] = {256, 82, 16, false, iq2_s}, [FT_IQ3_XXS] = {256, 98, 16, false, iq3_xxs},
    [FT_IQ3_S] = {256, 110, 32, false, iq3_s}, [FT_IQ1_S] = {256, 50, 32, false, iq1_s},
    [FT_IQ1_M] = {256, 56, 16, false, iq1_m},
    [FT_INTEGERS] = {32, 36, 32, false, integers}, [FT_E4M3] = {1, 1, 1, 0, 0}, [FT_E5M2] = {1, 1, 1, 0, 0},
    [FT_E8M0] = {1, 1, 1, 0, 0},
};

size_t ft_block_weights(ft_element element) { return formats[element].weights; }
size_t ft_block_bytes(ft_element element) { return formats[element].bytes; }

size_t ft_block_run(ft_element element) { return formats[element].run; }

void ft_read_block(ft_element element, const uint8_t *block, ft_block *output) { formats[element].read(block, output); }

void ft_decode_blocks(ft_element element, const void *source, size_t count, float *output) {
  const size_t weights = formats[element].weights, run = formats[element].run;
  const uint8_t *next = source;
  ft_block block;
  for (size_t i = 0; i < count; i += weights, next += formats[element].bytes) {
    formats[element].read(next, &block);
    for (size_t k = 0; k < weights; k += run) {
      const float scale = block.unit * (float)block.scales[k / run];
      if (!formats[element].has_offsets) {
        for (size_t j = k; j < k + run; j++) output[i + j] = scale * (float)block.integers[j];
        continue;
      }
      const float offset = block.offset_unit * (float)block.offsets[k / run];
      for (size_t j = k; j < k + run; j++) output[i + j] = scale * (float)block.integers[j] - offset;
    }
  }
}
