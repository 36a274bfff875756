// Conversion of checkpoint rows into panels. Runs once per weight.
#include "kernels.h"

static float from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
static uint32_t to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

float ft_from_half(uint16_t bits) {
  uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3FF;
  if (exponent == 0) return from_bits(sign | to_bits((float)fraction * 0x1p-24f));
  if (exponent == 31) return from_bits(sign | 0x7F800000u | fraction << 13);
  return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

/// Nearest half, ties to even; saturates, so that no infinity is ever stored.
uint16_t ft_to_half(float value) {
  uint32_t bits = to_bits(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000u) return 0;                          // NaN has no place in a cache: zero
  if (magnitude >= 0x477FF000u) return (uint16_t)(sign | 0x7BFF); // above 65504
  if (magnitude < 0x38800000u) {
    // A subnormal half: adding 0.5 lets the addition round at the right bit.
    return (uint16_t)(sign | (to_bits(from_bits(magnitude) + 0.5f) - 0x3F000000u));
  }
  uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
  return (uint16_t)(sign | (rounded - 0x38000000u) >> 13);
}

/// Nearest brain float, ties to even.
static uint16_t to_bfloat16(float value) {
  uint32_t bits = to_bits(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000u) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

void ft_to_float(ft_element element, const void *source, size_t count, float *output) {
  const uint8_t *bytes = source;
  uint16_t half;
  switch (element) {
  case FT_FLOAT32: memcpy(output, bytes, 4 * count); break;
  case FT_FLOAT16:
    for (size_t i = 0; i < count; i++) memcpy(&half, bytes + 2 * i, 2), output[i] = ft_from_half(half);
    break;
  case FT_BFLOAT16:
    for (size_t i = 0; i < count; i++) memcpy(&half, bytes + 2 * i, 2), output[i] = from_bits((uint32_t)half << 16);
    break;
  default: ft_decode_blocks(element, source, count, output);
  }
}

size_t ft_packed_columns(ft_weight_format format, size_t columns) {
  size_t unit = format == FT_WEIGHT_BFLOAT16 ? 2 : format == FT_WEIGHT_INT8 ? 4 : 2 * FT_GROUP;
  return (columns + unit - 1) / unit * unit;
}

size_t ft_panel_bytes(ft_weight_format format, size_t columns) {
  size_t packed = ft_packed_columns(format, columns);
  switch (format) {
  case FT_WEIGHT_BFLOAT16: return packed * FT_PANEL * 2;
  case FT_WEIGHT_INT8: return packed * FT_PANEL + FT_PANEL * (sizeof(float) + sizeof(int32_t));
  case FT_WEIGHT_INT4: return packed / (2 * FT_GROUP) * FT_PAIR_BYTES;
  }
  return 0;
}

static float largest_magnitude(const float *values, size_t count) {
  float peak = 0;
  for (size_t i = 0; i < count; i++) peak = fabsf(values[i]) > peak ? fabsf(values[i]) : peak;
  return peak;
}

static int nearest(float value, int low, int high) {
  float rounded = rintf(value);
  return rounded < (float)low ? low : rounded > (float)high ? high : (int)rounded;
}

static void pack_int8(const float *rows, size_t columns, uint8_t *panel) {
  for (size_t r = 0; r < FT_PANEL; r++) {
    const float *row = rows + r * columns;
    float scale = largest_magnitude(row, columns) / 127.0f;
    int32_t sum = 0;
    for (size_t k = 0; k < columns; k++) {
      int value = scale > 0 ? nearest(row[k] / scale, -127, 127) : 0;
      panel[k / 4 * 64 + r * 4 + k % 4] = (uint8_t)(int8_t)value;
      sum += value;
    }
    memcpy(panel + columns * FT_PANEL + r * sizeof(float), &scale, sizeof(float));
    memcpy(panel + columns * FT_PANEL + FT_PANEL * sizeof(float) + r * sizeof(int32_t), &sum, sizeof(int32_t));
  }
}

void ft_pack_panel(ft_instruction_set set, ft_weight_format format, const ft_element elements[FT_PANEL],
                   const void *const rows[FT_PANEL], size_t columns, float *scratch, uint8_t *panel) {
  size_t packed = ft_packed_columns(format, columns);
  memset(scratch, 0, FT_PANEL * packed * sizeof(float));
  const uint8_t *q4_rows[FT_PANEL];
  for (size_t r = 0; r < FT_PANEL; r++) {
    q4_rows[r] = rows[r] && elements[r] == FT_Q4_0 ? rows[r] : NULL;
    if (rows[r]) ft_to_float(elements[r], rows[r], columns, scratch + r * packed);
  }
  switch (format) {
  case FT_WEIGHT_BFLOAT16:
    for (size_t r = 0; r < FT_PANEL; r++)
      for (size_t k = 0; k < packed; k++) {
        uint16_t value = to_bfloat16(scratch[r * packed + k]);
        memcpy(panel + (k / 2 * 32 + r * 2 + k % 2) * 2, &value, 2);
      }
    break;
  case FT_WEIGHT_INT8: pack_int8(scratch, packed, panel); break;
  case FT_WEIGHT_INT4: ft_kernels_of(set)->pack_int4(scratch, packed, q4_rows, columns / FT_GROUP, panel); break;
  }
}

uint64_t ft_checksum(const void *bytes, size_t count) {
  // Fletcher's two sums, in sixteen lanes of 64 bits.
  uint64_t sums[16] = {0}, sums_of_sums[16] = {0}, words[16];
  const uint8_t *next = bytes;
  for (size_t left = count; left > 0; next += sizeof words) {
    size_t here = left < sizeof words ? left : sizeof words;
    if (here < sizeof words) memset(words, 0, sizeof words);
    memcpy(words, next, here);
    for (int i = 0; i < 16; i++) sums[i] += words[i], sums_of_sums[i] += sums[i];
    left -= here;
  }
  uint64_t result = count;
  for (int i = 0; i < 16; i++) {
    result = (result ^ sums[i]) * 0x9E3779B97F4A7C15u;
    result = (result ^ sums_of_sums[i] ^ result >> 32) * 0xBF58476D1CE4E5B9u;
  }
  return result ^ result >> 31;
}

/// The next number of a sequence that starts at any seed (Steele, Lea, Flood, "SplitMix", 2014).
static uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

static void fill_random(uint8_t *output, size_t count, uint64_t *state) {
  for (size_t i = 0; i < count; i += 8) {
    uint64_t bits = next_random(state);
    memcpy(output + i, &bits, count - i < 8 ? count - i : 8);
  }
}

void ft_fill_random_panel(ft_weight_format format, size_t columns, uint64_t seed, uint8_t *panel) {
  size_t packed = ft_packed_columns(format, columns);
  float deviation = 1.0f / sqrtf((float)columns);
  switch (format) {
  case FT_WEIGHT_BFLOAT16:
    fill_random(panel, packed * FT_PANEL * 2, &seed);
    for (size_t i = 0; i < packed * FT_PANEL; i++) {
      // Sign and fraction are random; the exponent is that of the deviation.
      uint16_t bits;
      memcpy(&bits, panel + 2 * i, 2);
      bits = (uint16_t)((bits & 0x807F) | (to_bits(deviation) >> 16 & 0x7F80));
      memcpy(panel + 2 * i, &bits, 2);
    }
    break;
  case FT_WEIGHT_INT8: {
    fill_random(panel, packed * FT_PANEL, &seed);
    int32_t sums[FT_PANEL] = {0};
    for (size_t i = 0; i < packed * FT_PANEL; i++) {
      if (panel[i] == 0x80) panel[i] = 0x81;
      sums[i / 4 % FT_PANEL] += (int8_t)panel[i];
    }
    float scale = deviation / 73.0f;
    for (size_t r = 0; r < FT_PANEL; r++) memcpy(panel + packed * FT_PANEL + r * sizeof(float), &scale, sizeof(float));
    memcpy(panel + packed * FT_PANEL + FT_PANEL * sizeof(float), sums, sizeof(sums));
    break;
  }
  case FT_WEIGHT_INT4:
    for (size_t g = 0; g < packed / FT_GROUP; g++) {
      uint16_t half = ft_to_half(deviation / 4.6f);
      for (size_t r = 0; r < FT_PANEL; r++) memcpy(panel + FT_SCALE_OFFSET(g) + r * 2, &half, 2);
      fill_random(panel + FT_GROUP_OFFSET(g), FT_PANEL * FT_GROUP / 2, &seed);
    }
    break;
  }
}

void ft_fill_random_halves(uint64_t seed, size_t count, uint16_t *output) {
  fill_random((uint8_t *)output, count * 2, &seed);
  for (size_t i = 0; i < count; i++) output[i] = (uint16_t)((output[i] & 0x83FF) | 0x3400);
}
