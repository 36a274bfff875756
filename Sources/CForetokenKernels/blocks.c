// The block formats of GGUF files: runs of 32 or 256 weights that share scales.
//
// Layouts and the order of operations are ggml's (ggml-common.h and dequantize_row_* in ggml-quants.c): the floats are
// the ones that ggml computes, bit for bit. Blocks lie one after the other, so nothing here is aligned.
#include "kernels.h"

static uint16_t half_at(const uint8_t *bytes) {
  uint16_t half;
  memcpy(&half, bytes, 2);
  return half;
}

static uint32_t word_at(const uint8_t *bytes) {
  uint32_t word;
  memcpy(&word, bytes, 4);
  return word;
}

// --- 32 weights: one scale, and one offset in the formats of type 1 ------------------------------------------------

/// The one scale of a block of 32, and what is taken away.
static void one_scale(ft_block *b, uint16_t scale, uint16_t offset) {
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
  one_scale(b, half_at(block), half_at(block + 2) ^ 0x8000);
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
  one_scale(b, half_at(block), half_at(block + 2) ^ 0x8000);
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
    [FT_Q6_K] = {256, 210, 16, false, q6_k},
};

size_t ft_block_weights(ft_element element) { return formats[element].weights; }
size_t ft_block_bytes(ft_element element) { return formats[element].bytes; }

void ft_read_block(ft_element element, const uint8_t *block, ft_block *output) { formats[element].read(block, output); }

void ft_decode_blocks(ft_element element, const void *source, size_t count, float *output) {
  const size_t weights = formats[element].weights, run = formats[element].run;
  const uint8_t *next = source;
  ft_block block;
  for (size_t i = 0; i < count; i += weights, next += formats[element].bytes) {
    formats[element].read(next, &block);
    const float unit = ft_from_half(block.unit), offset_unit = formats[element].has_offsets ? ft_from_half(block.offset_unit) : 0;
    for (size_t k = 0; k < weights; k += run) {
      const float scale = unit * (float)block.scales[k / run];
      if (!formats[element].has_offsets) {
        for (size_t j = k; j < k + run; j++) output[i + j] = scale * (float)block.integers[j];
        continue;
      }
      const float offset = offset_unit * (float)block.offsets[k / run];
      for (size_t j = k; j < k + run; j++) output[i + j] = scale * (float)block.integers[j] - offset;
    }
  }
}
