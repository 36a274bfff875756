// The block formats of GGUF files: runs of 32 or 256 weights that share scales.
//
// Layouts and the order of operations are ggml's (ggml-common.h and dequantize_row_* in ggml-quants.c): the floats are
// the ones that ggml computes, bit for bit. Blocks lie one after the other, so nothing here is aligned.
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

/// Scale, 32 nibbles: the low ones are the first half. Weight: scale * (nibble - 8).
static void q4_0(const uint8_t *block, float *y) {
  float scale = half_at(block);
  for (int i = 0; i < 16; i++) {
    uint8_t pair = block[2 + i];
    y[i] = (float)((pair & 15) - 8) * scale;
    y[i + 16] = (float)((pair >> 4) - 8) * scale;
  }
}

/// Scale, offset, nibbles. Weight: scale * nibble + offset.
static void q4_1(const uint8_t *block, float *y) {
  float scale = half_at(block), offset = half_at(block + 2);
  for (int i = 0; i < 16; i++) {
    uint8_t pair = block[4 + i];
    y[i] = (float)(pair & 15) * scale + offset;
    y[i + 16] = (float)(pair >> 4) * scale + offset;
  }
}

/// Scale, 32 fifth bits, nibbles. Weight: scale * (five bits - 16).
static void q5_0(const uint8_t *block, float *y) {
  float scale = half_at(block);
  uint32_t high = word_at(block + 2);
  for (int i = 0; i < 16; i++) {
    uint8_t pair = block[6 + i];
    y[i] = (float)((int)((pair & 15) | (high >> i & 1) << 4) - 16) * scale;
    y[i + 16] = (float)((int)((pair >> 4) | (high >> (i + 16) & 1) << 4) - 16) * scale;
  }
}

/// Scale, offset, 32 fifth bits, nibbles. Weight: scale * five bits + offset.
static void q5_1(const uint8_t *block, float *y) {
  float scale = half_at(block), offset = half_at(block + 2);
  uint32_t high = word_at(block + 4);
  for (int i = 0; i < 16; i++) {
    uint8_t pair = block[8 + i];
    y[i] = (float)((pair & 15) | (high >> i & 1) << 4) * scale + offset;
    y[i + 16] = (float)((pair >> 4) | (high >> (i + 16) & 1) << 4) * scale + offset;
  }
}

/// Scale, 32 signed bytes.
static void q8_0(const uint8_t *block, float *y) {
  float scale = half_at(block);
  for (int i = 0; i < 32; i++) y[i] = (float)(int8_t)block[2 + i] * scale;
}

// --- 256 weights: a scale of scales, and a small integer scale for every 16 or 32 ---------------------------------

/// 16 bytes of scale and offset nibbles, 64 of two bits, the two floats that they multiply.
static void q2_k(const uint8_t *block, float *y) {
  float scale = half_at(block + 80), offset = half_at(block + 82);
  for (int run = 0; run < 16; run++) {
    // Each byte of two bits serves four runs, 32 weights apart; bytes are used in stretches of 32.
    const uint8_t *bits = block + 16 + run / 8 * 32 + run % 2 * 16;
    int shift = run % 8 / 2 * 2;
    float d = scale * (float)(block[run] & 15), m = offset * (float)(block[run] >> 4);
    for (int i = 0; i < 16; i++) y[run * 16 + i] = d * (float)(bits[i] >> shift & 3) - m;
  }
}

/// 32 bytes of third bits, 64 of two bits, sixteen 6-bit scales in 12 bytes, and the float that they multiply.
static void q3_k(const uint8_t *block, float *y) {
  const uint8_t *packed = block + 96;
  float scale = half_at(block + 108);
  for (int run = 0; run < 16; run++) {
    int low = run < 8 ? packed[run] & 15 : packed[run - 8] >> 4;
    int high = packed[8 + run % 4] >> (run / 4 * 2) & 3;
    float d = scale * (float)((low | high << 4) - 32);
    const uint8_t *bits = block + 32 + run / 8 * 32 + run % 2 * 16, *third = block + run % 2 * 16;
    int shift = run % 8 / 2 * 2, bit = run / 2;
    for (int i = 0; i < 16; i++)
      y[run * 16 + i] = d * (float)((bits[i] >> shift & 3) - (third[i] >> bit & 1 ? 0 : 4));
  }
}

/// The 6-bit scale and offset of the eight runs of Q4_K and Q5_K, in 12 bytes.
static void scale_and_offset(const uint8_t *packed, int run, int *scale, int *offset) {
  if (run < 4) {
    *scale = packed[run] & 63;
    *offset = packed[run + 4] & 63;
  } else {
    *scale = (packed[run + 4] & 15) | packed[run - 4] >> 6 << 4;
    *offset = packed[run + 4] >> 4 | packed[run] >> 6 << 4;
  }
}

/// Two floats, 12 bytes of scales and offsets, 128 of nibbles: the low ones of 32 bytes are a run, the high ones the next.
static void q4_k(const uint8_t *block, float *y) {
  float scale = half_at(block), offset = half_at(block + 2);
  for (int run = 0; run < 8; run++) {
    int s, o;
    scale_and_offset(block + 4, run, &s, &o);
    float d = scale * (float)s, m = offset * (float)o;
    const uint8_t *pairs = block + 16 + run / 2 * 32;
    for (int i = 0; i < 32; i++) y[run * 32 + i] = d * (float)(pairs[i] >> run % 2 * 4 & 15) - m;
  }
}

/// As Q4_K, with 32 bytes of fifth bits before the nibbles.
static void q5_k(const uint8_t *block, float *y) {
  float scale = half_at(block), offset = half_at(block + 2);
  const uint8_t *fifth = block + 16;
  for (int run = 0; run < 8; run++) {
    int s, o;
    scale_and_offset(block + 4, run, &s, &o);
    float d = scale * (float)s, m = offset * (float)o;
    const uint8_t *pairs = block + 48 + run / 2 * 32;
    for (int i = 0; i < 32; i++)
      y[run * 32 + i] = d * (float)((pairs[i] >> run % 2 * 4 & 15) | (fifth[i] >> run & 1) << 4) - m;
  }
}

/// 128 bytes of nibbles, 64 of two high bits, 16 signed scales, and the float that they multiply.
static void q6_k(const uint8_t *block, float *y) {
  const int8_t *scales = (const int8_t *)(block + 192);
  float scale = half_at(block + 208);
  for (int run = 0; run < 8; run++) {
    // Within 128 weights: two runs in the low nibbles of 64 bytes, two in the high ones.
    const uint8_t *pairs = block + run / 4 * 64 + run % 2 * 32, *high = block + 128 + run / 4 * 32;
    for (int i = 0; i < 32; i++) {
      int value = (pairs[i] >> run % 4 / 2 * 4 & 15) | (high[i] >> run % 4 * 2 & 3) << 4;
      y[run * 32 + i] = scale * (float)scales[run * 2 + i / 16] * (float)(value - 32);
    }
  }
}

// --------------------------------------------------------------------------------------------------------------------

static const struct {
  size_t weights, bytes;
  void (*decode)(const uint8_t *, float *);
} formats[] = {
    [FT_FLOAT32] = {1, 4, 0},       [FT_FLOAT16] = {1, 2, 0},       [FT_BFLOAT16] = {1, 2, 0},
    [FT_Q4_0] = {32, 18, q4_0},     [FT_Q4_1] = {32, 20, q4_1},     [FT_Q5_0] = {32, 22, q5_0},
    [FT_Q5_1] = {32, 24, q5_1},     [FT_Q8_0] = {32, 34, q8_0},     [FT_Q2_K] = {256, 84, q2_k},
    [FT_Q3_K] = {256, 110, q3_k},   [FT_Q4_K] = {256, 144, q4_k},   [FT_Q5_K] = {256, 176, q5_k},
    [FT_Q6_K] = {256, 210, q6_k},
};

size_t ft_block_weights(ft_element element) { return formats[element].weights; }
size_t ft_block_bytes(ft_element element) { return formats[element].bytes; }

void ft_decode_blocks(ft_element element, const void *source, size_t count, float *output) {
  const uint8_t *block = source;
  for (size_t i = 0; i < count; i += formats[element].weights, block += formats[element].bytes)
    formats[element].decode(block, output + i);
}
