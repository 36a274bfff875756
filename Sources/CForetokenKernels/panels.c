// Panels: their sizes, their weights as floats, their checksum, and panels of random weights.
#include "panels.h"

size_t ft_packed_columns(ft_weight_format format, size_t columns) {
  size_t unit = format == FT_WEIGHT_BFLOAT16 ? 2 : 2 * FT_GROUP;
  return (columns + unit - 1) / unit * unit;
}

size_t ft_panel_bytes(ft_weight_format format, size_t columns) {
  size_t packed = ft_packed_columns(format, columns);
  if (format == FT_WEIGHT_BFLOAT16) return packed * FT_PANEL * 2;
  const ft_format_shape shape = ft_shape_of(format);
  const size_t pairs = packed / (2 * FT_GROUP), lines = shape.has_codes ? (pairs + FT_UNIT_PAIRS - 1) / FT_UNIT_PAIRS : 0;
  return pairs * (ft_scale_bytes(shape) + 2 * ft_plane_bytes(shape)) + lines * 64 + FT_PANEL * sizeof(float);
}

static float multiplier_at(ft_weight_format format, size_t columns, const uint8_t *panel, size_t r) {
  float multiplier;
  memcpy(&multiplier, panel + ft_panel_bytes(format, columns) - FT_PANEL * sizeof(float) + r * sizeof(float), sizeof(float));
  return multiplier;
}

void ft_unpack_panel(ft_weight_format format, size_t columns, const uint8_t *panel, float *output) {
  const size_t packed = ft_packed_columns(format, columns);
  if (format == FT_WEIGHT_BFLOAT16) {
    for (size_t i = 0; i < packed * FT_PANEL; i++) {
      uint16_t bits;
      memcpy(&bits, panel + 2 * i, 2);
      output[i / 2 % FT_PANEL * packed + i / 32 * 2 + i % 2] = ft_from_bits((uint32_t)bits << 16);
    }
    return;
  }
  const ft_format_shape shape = ft_shape_of(format);
  for (size_t r = 0; r < FT_PANEL; r++) {
    const float multiplier = multiplier_at(format, columns, panel, r);
    for (size_t k = 0; k < packed; k += (size_t)shape.run) {
      const size_t run = k / (size_t)shape.run;
      const uint8_t *planes = ft_planes_of(shape, (uint8_t *)panel, k / FT_GROUP);
      float factors[2] = {0, 0};
      for (int i = 0; i < 1 + shape.has_offsets; i++) {
        uint16_t factor = 0, unit = 0;
        memcpy(&factor, ft_factor_place(shape, (uint8_t *)panel, run, r, i == 1), ft_factor_bytes(shape));
        if (!shape.has_codes) factors[i] = ft_from_half(factor);
        else {
          memcpy(&unit, panel + ft_unit_offset(shape, k / (2 * FT_GROUP)) + i * 2 * FT_PANEL + 2 * r, 2);
          factors[i] = ft_from_half(unit) * (shape.has_offsets ? (float)factor : (float)(int8_t)factor);
        }
      }
      for (size_t j = k; j < k + (size_t)shape.run; j++)
        output[r * packed + j] =
          (factors[0] * (float)ft_integer_at(shape, planes, r, j % FT_GROUP) + factors[1]) * multiplier;
    }
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

// --- Random panels ----------------------------------------------------------------------------------------------------

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
      bits = (uint16_t)((bits & 0x807F) | (ft_to_bits(deviation) >> 16 & 0x7F80));
      memcpy(panel + 2 * i, &bits, 2);
    }
    break;
  default: {
    // Integers of all values alike, so that only their size decides the scale; all scales are equal.
    const ft_format_shape shape = ft_shape_of(format);
    // A nibble's usual value, of those in unequal steps.
    const float usual = shape.steps == FT_STEPS_IQ4 ? 70.0f : 5.5f;
    const float scale = shape.steps == FT_STEPS_EVEN ? deviation * 3.46f / (float)(1 << shape.bits) : deviation / usual, middle = 0.5f * (float)((1 << shape.bits) - 1);
    fill_random(panel, ft_panel_bytes(format, columns), &seed);
    for (size_t run = 0; run < packed / (size_t)shape.run; run++)
      for (size_t r = 0; r < FT_PANEL; r++)
        for (int i = 0; i < 1 + shape.has_offsets; i++) {
          const float factor = i == 0 ? scale : -scale * middle;
          if (shape.has_codes) ft_put_unit(shape, panel, run, r, i == 1, ft_to_half(factor / 100.0f));
          ft_put_factor(shape, panel, run, r, i == 1, shape.has_codes ? 100 : ft_to_half(factor));
        }
    for (size_t r = 0; r < FT_PANEL; r++) {
      const float one = 1;
      memcpy(panel + ft_panel_bytes(format, columns) - FT_PANEL * sizeof(float) + r * sizeof(float), &one, sizeof(float));
    }
  }
  }
}

void ft_fill_random_halves(uint64_t seed, size_t count, uint16_t *output) {
  fill_random((uint8_t *)output, count * 2, &seed);
  for (size_t i = 0; i < count; i++) output[i] = (uint16_t)((output[i] & 0x83FF) | 0x3400);
}
