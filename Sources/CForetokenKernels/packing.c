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

/// Nearest bfloat16, ties to even.
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

// --- Places in a panel -----------------------------------------------------------------------------------------------

/// Where a run's scale, or offset, of row `r` lies.
static uint8_t *factor_place(ft_format_shape shape, uint8_t *panel, size_t run, size_t r, bool is_offset) {
  const size_t runs = 2 * FT_GROUP / (size_t)shape.run;
  return panel + ft_pair_offset(shape, run / runs) + (is_offset ? ft_scale_bytes(shape) / 2 : 0) +
         (run % runs * FT_PANEL + r) * ft_factor_bytes(shape);
}

static void put_factor(ft_format_shape shape, uint8_t *panel, size_t run, size_t r, bool is_offset, uint16_t value) {
  memcpy(factor_place(shape, panel, run, r, is_offset), &value, ft_factor_bytes(shape));
}

static void put_unit(ft_format_shape shape, uint8_t *panel, size_t run, size_t r, bool is_offset, uint16_t half) {
  const size_t pair = run * (size_t)shape.run / (2 * FT_GROUP);
  memcpy(panel + ft_unit_offset(shape, pair) + (is_offset ? 2 * FT_PANEL : 0) + 2 * r, &half, 2);
}

static uint8_t *planes_of(ft_format_shape shape, uint8_t *panel, size_t group) {
  return panel + ft_pair_offset(shape, group / 2) + ft_scale_bytes(shape) + group % 2 * ft_plane_bytes(shape);
}

/// Writes the stored integers of one group of row `r` into planes of zeros.
static void put_group(ft_format_shape shape, uint8_t *panel, size_t group, size_t r, const uint8_t integers[FT_GROUP]) {
  uint8_t *planes = planes_of(shape, panel, group);
  for (size_t i = 0; i < FT_GROUP; i++) {
    const size_t vector = i / 4, place = r * 4 + i % 4;
    if (shape.bits == 8) {
      planes[vector * 64 + place] = integers[i];
      continue;
    }
    planes[vector / 2 * 64 + place] |= (uint8_t)((integers[i] & 15) << (vector % 2 * 4));
    if (shape.bits == 5) planes[256 + place] |= (uint8_t)((integers[i] >> 4) << vector);
    if (shape.bits == 6) planes[256 + vector / 4 * 64 + place] |= (uint8_t)((integers[i] >> 4) << (vector % 4 * 2));
  }
}

static int integer_at(ft_format_shape shape, const uint8_t *planes, size_t r, size_t i) {
  const size_t vector = i / 4, place = r * 4 + i % 4;
  if (shape.bits == 8) return (int8_t)planes[vector * 64 + place];
  int value = planes[vector / 2 * 64 + place] >> (vector % 2 * 4) & 15;
  if (shape.bits == 5) value |= (planes[256 + place] >> vector & 1) << 4;
  if (shape.bits == 6) value |= (planes[256 + vector / 4 * 64 + place] >> (vector % 4 * 2) & 3) << 4;
  return value - shape.zero;
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
      output[i / 2 % FT_PANEL * packed + i / 32 * 2 + i % 2] = from_bits((uint32_t)bits << 16);
    }
    return;
  }
  const ft_format_shape shape = ft_shape_of(format);
  for (size_t r = 0; r < FT_PANEL; r++) {
    const float multiplier = multiplier_at(format, columns, panel, r);
    for (size_t k = 0; k < packed; k += (size_t)shape.run) {
      const size_t run = k / (size_t)shape.run;
      const uint8_t *planes = planes_of(shape, (uint8_t *)panel, k / FT_GROUP);
      float factors[2] = {0, 0};
      for (int i = 0; i < 1 + shape.has_offsets; i++) {
        uint16_t factor = 0, unit = 0;
        memcpy(&factor, factor_place(shape, (uint8_t *)panel, run, r, i == 1), ft_factor_bytes(shape));
        if (!shape.has_codes) factors[i] = ft_from_half(factor);
        else {
          memcpy(&unit, panel + ft_unit_offset(shape, k / (2 * FT_GROUP)) + i * 2 * FT_PANEL + 2 * r, 2);
          factors[i] = ft_from_half(unit) * (shape.has_offsets ? (float)factor : (float)(int8_t)factor);
        }
      }
      for (size_t j = k; j < k + (size_t)shape.run; j++)
        output[r * packed + j] =
          (factors[0] * (float)integer_at(shape, planes, r, j % FT_GROUP) + factors[1]) * multiplier;
    }
  }
}

// --- Rows that come as blocks ----------------------------------------------------------------------------------------

bool ft_holds(ft_weight_format format, ft_element element) {
  switch (format) {
  case FT_WEIGHT_BFLOAT16: return element == FT_BFLOAT16;
  case FT_WEIGHT_INT8: return element == FT_Q8_0;
  case FT_WEIGHT_INT4: return element == FT_Q4_K;
  case FT_WEIGHT_Q4_0: return element == FT_Q4_0;
  case FT_WEIGHT_Q4_1: return element == FT_Q4_1;
  case FT_WEIGHT_Q5_0: return element == FT_Q5_0;
  case FT_WEIGHT_Q5_1: return element == FT_Q5_1;
  case FT_WEIGHT_Q5_K: return element == FT_Q5_K;
  case FT_WEIGHT_Q6_K: return element == FT_Q6_K;
  case FT_WEIGHT_Q3_K: return element == FT_Q2_K || element == FT_Q3_K;
  }
  return false;
}

static bool is_finite_half(uint16_t half) { return (half & 0x7C00) != 0x7C00; }

/// One run of a block as `format` stores it: integers from zero up, a factor and an offset, halves or codes.
typedef struct {
  uint16_t factor, offset;
  uint8_t integers[FT_GROUP];
} stored_run;

/// The run of `block` that begins at integer `first`. The offset of Q3_K is what its integers begin at: for a negative
/// scale they are turned around.
static stored_run stored_run_of(ft_element element, ft_format_shape shape, const ft_block *block, size_t first) {
  const size_t run = first / (size_t)shape.run;
  stored_run result = {0};
  int zero = shape.zero, sign = 1;
  if (element == FT_Q3_K) {
    sign = block->scales[run] < 0 ? -1 : 1;
    zero = sign < 0 ? 3 : 4;
  }
  for (size_t i = 0; i < (size_t)shape.run; i++) result.integers[i] = (uint8_t)(sign * block->integers[first + i] + zero);
  if (shape.has_codes) {
    result.factor = (uint8_t)(sign * block->scales[run]);
    result.offset = (uint8_t)(element == FT_Q3_K ? sign * zero * block->scales[run] : block->offsets[run]);
  } else {
    result.factor = block->unit;
    result.offset = block->offset_unit ^ 0x8000;
  }
  return result;
}

/// Takes over row `r`; returns whether its scales are numbers.
static bool pack_blocks(ft_weight_format format, ft_element element, const uint8_t *row, size_t columns, size_t r,
                        uint8_t *panel) {
  const ft_format_shape shape = ft_shape_of(format);
  const size_t weights = ft_block_weights(element), length = (size_t)shape.run;
  ft_block block = {0};
  for (size_t k = 0; k < columns; k += weights, row += ft_block_bytes(element)) {
    ft_read_block(element, row, &block);
    if (!is_finite_half(block.unit) || !is_finite_half(block.offset_unit)) return false;
    if (shape.has_codes) {
      // Offsets are taken away; those of Q3_K have the scales' unit.
      put_unit(shape, panel, k / length, r, false, block.unit);
      if (shape.has_offsets)
        put_unit(shape, panel, k / length, r, true, (element == FT_Q3_K ? block.unit : block.offset_unit) ^ 0x8000);
    }
    uint8_t group[FT_GROUP];
    for (size_t first = 0; first < weights; first += length) {
      const stored_run stored = stored_run_of(element, shape, &block, first);
      put_factor(shape, panel, (k + first) / length, r, false, stored.factor);
      if (shape.has_offsets) put_factor(shape, panel, (k + first) / length, r, true, stored.offset);
      memcpy(group + first % FT_GROUP, stored.integers, length);
      if ((first + length) % FT_GROUP == 0) put_group(shape, panel, (k + first) / FT_GROUP, r, group);
    }
  }
  return true;
}

// --- Rows that are rounded ---------------------------------------------------------------------------------------------

static int nearest(float value, int low, int high) {
  float rounded = rintf(value);
  return !(rounded > (float)low) ? low : rounded > (float)high ? high : (int)rounded;
}

/// The power of two in [2^-126, 2^126] by which values of at most `peak` become at most 2^15.
static float multiplier_for(float peak) {
  int exponent = 0;
  if (peak > 0) frexpf(peak, &exponent);
  exponent -= 15;
  return ldexpf(1.0f, exponent < -126 ? -126 : exponent > 126 ? 126 : exponent);
}

/// Rounds the rows of `values`, [FT_PANEL, packed columns], that `wanted` names.
static void pack_rounded(const ft_kernels *kernels, ft_weight_format format, const float *values, size_t packed,
                         const bool wanted[FT_PANEL], float *scratch, uint8_t *panel) {
  const ft_format_shape shape = ft_shape_of(format);
  const size_t length = (size_t)shape.run, runs = packed / length;
  const int levels = (1 << shape.bits) - 1, zero = shape.bits == 8 ? 128 : shape.zero;
  // Scales and offsets of all runs, [runs, FT_PANEL] each.
  float *scales = scratch, *offsets = scratch + runs * FT_PANEL, columns[FT_GROUP * FT_PANEL];
  float peaks[FT_PANEL] = {0};
  for (size_t run = 0; run < runs; run++) {
    for (size_t r = 0; r < FT_PANEL; r++)
      for (size_t i = 0; i < length; i++) columns[i * FT_PANEL + r] = values[r * packed + run * length + i];
    float *scale = scales + run * FT_PANEL, *offset = offsets + run * FT_PANEL;
    if (shape.has_offsets) kernels->find_offset_scales(columns, shape.run, levels, shape.has_codes, scale, offset);
    else {
      kernels->find_scales(columns, shape.run, zero, scale);
      memset(offset, 0, FT_PANEL * sizeof(float));
    }
    for (size_t r = 0; r < FT_PANEL; r++) {
      peaks[r] = fmaxf(peaks[r], fmaxf(fabsf(scale[r]), fabsf(offset[r])));
    }
  }
  for (size_t r = 0; r < FT_PANEL; r++) {
    if (!wanted[r]) continue;
    const float multiplier = multiplier_for(peaks[r]), inverse = 1.0f / multiplier;
    memcpy(panel + ft_panel_bytes(format, packed) - FT_PANEL * sizeof(float) + r * sizeof(float), &multiplier, sizeof(float));
    float unit = 0, offset_unit = 0;
    uint8_t group[FT_GROUP];
    for (size_t run = 0; run < runs; run++) {
      float scale = scales[run * FT_PANEL + r] * inverse, offset = offsets[run * FT_PANEL + r] * inverse;
      const size_t shared = FT_UNIT_PAIRS * 2 * FT_GROUP / length;
      if (shape.has_codes && run % shared == 0) {
        // The units of 256 inputs: the largest scale and the lowest offset get the last code.
        float peak = 0, lowest = 0;
        for (size_t i = run; i < run + shared && i < runs; i++) {
          peak = fmaxf(peak, fabsf(scales[i * FT_PANEL + r] * inverse));
          lowest = fminf(lowest, offsets[i * FT_PANEL + r] * inverse);
        }
        const uint16_t halves[2] = {ft_to_half(peak / (shape.has_offsets ? 255.0f : 127.0f)), ft_to_half(lowest / 255.0f)};
        for (int i = 0; i < 1 + shape.has_offsets; i++) put_unit(shape, panel, run, r, i == 1, halves[i]);
        unit = ft_from_half(halves[0]), offset_unit = ft_from_half(halves[1]);
      }
      uint16_t factor, shift = 0;
      if (shape.has_codes) {
        int code = unit > 0 ? nearest(scale / unit, shape.has_offsets ? 0 : -127, shape.has_offsets ? 255 : 127) : 0;
        int below = offset_unit < 0 ? nearest(offset / offset_unit, 0, 255) : 0;
        factor = (uint8_t)code, shift = (uint8_t)below;
        scale = unit * (float)code, offset = offset_unit * (float)below;
      } else {
        factor = ft_to_half(scale), shift = ft_to_half(offset);
        scale = ft_from_half(factor), offset = ft_from_half(shift);
      }
      put_factor(shape, panel, run, r, false, factor);
      if (shape.has_offsets) put_factor(shape, panel, run, r, true, shift);
      for (size_t i = 0; i < length; i++) {
        float value = values[r * packed + run * length + i] * inverse;
        int integer = scale != 0 ? nearest((value - offset) / scale, shape.bits == 8 ? -127 : -shape.zero, levels - zero) : 0;
        group[run * length % FT_GROUP + i] = (uint8_t)(shape.bits == 8 ? integer : integer + shape.zero);
      }
      if ((run + 1) * length % FT_GROUP == 0) put_group(shape, panel, run * length / FT_GROUP, r, group);
    }
  }
}

static void pack_bfloat16(const float *values, size_t packed, uint8_t *panel) {
  for (size_t r = 0; r < FT_PANEL; r++)
    for (size_t k = 0; k < packed; k++) {
      uint16_t value = to_bfloat16(values[r * packed + k]);
      memcpy(panel + (k / 2 * 32 + r * 2 + k % 2) * 2, &value, 2);
    }
}

static void add_errors(ft_weight_format format, const float *values, size_t packed, const uint8_t *panel, float *scratch,
                       double errors[2]) {
  ft_unpack_panel(format, packed, panel, scratch);
  for (size_t i = 0; i < FT_PANEL * packed; i++) {
    const double difference = (double)values[i] - (double)scratch[i];
    errors[0] += difference * difference, errors[1] += (double)values[i] * (double)values[i];
  }
}

size_t ft_packing_scratch(size_t columns) { return 2 * FT_PANEL * ft_packed_columns(FT_WEIGHT_INT8, columns); }

ft_packing_result ft_pack_panel(ft_instruction_set set, ft_weight_format format, const ft_element elements[FT_PANEL],
                                const void *const rows[FT_PANEL], size_t columns, const int8_t *exponents,
                                const int8_t *row_exponents, float *scratch, uint8_t *panel, double errors[2]) {
  const size_t packed = ft_packed_columns(format, columns);
  float *values = scratch, *rest = scratch + FT_PANEL * packed;
  memset(values, 0, FT_PANEL * packed * sizeof(float));
  memset(panel, 0, ft_panel_bytes(format, columns));
  bool is_rounded[FT_PANEL], any_rounded = false;
  for (size_t r = 0; r < FT_PANEL; r++) {
    const bool is_taken = rows[r] && format != FT_WEIGHT_BFLOAT16 && !exponents && ft_holds(format, elements[r]);
    is_rounded[r] = rows[r] && !is_taken;
    any_rounded = any_rounded || is_rounded[r];
    float *row = values + r * packed;
    if (is_rounded[r] || (rows[r] && errors)) ft_to_float(elements[r], rows[r], columns, row);
    const int own = rows[r] && row_exponents ? row_exponents[r] : 0;
    if (exponents || own)
      for (size_t k = 0; k < columns; k++) row[k] = ldexpf(row[k], own + (exponents ? exponents[k] : 0));
    if (is_rounded[r])
      for (size_t k = 0; k < columns; k++)
        if ((to_bits(row[k]) & 0x7F800000u) == 0x7F800000u) return FT_NOT_FINITE;
    if (format == FT_WEIGHT_BFLOAT16) continue;
    const float multiplier = ldexpf(1.0f, own);
    memcpy(panel + ft_panel_bytes(format, columns) - FT_PANEL * sizeof(float) + r * sizeof(float), &multiplier, sizeof(float));
    if (is_taken && !pack_blocks(format, elements[r], rows[r], columns, r, panel)) return FT_NOT_FINITE;
  }
  if (format == FT_WEIGHT_BFLOAT16) pack_bfloat16(values, packed, panel);
  else if (any_rounded)
    pack_rounded(ft_kernels_of(set), format, values, packed, is_rounded, rest, panel);
  if (errors) add_errors(format, values, packed, panel, rest, errors);
  return FT_PACKED;
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
  default: {
    // Integers of all values alike, so that only their size decides the scale; all scales are equal.
    const ft_format_shape shape = ft_shape_of(format);
    const float scale = deviation * 3.46f / (float)(1 << shape.bits), middle = 0.5f * (float)((1 << shape.bits) - 1);
    fill_random(panel, ft_panel_bytes(format, columns), &seed);
    for (size_t run = 0; run < packed / (size_t)shape.run; run++)
      for (size_t r = 0; r < FT_PANEL; r++)
        for (int i = 0; i < 1 + shape.has_offsets; i++) {
          const float factor = i == 0 ? scale : -scale * middle;
          if (shape.has_codes) put_unit(shape, panel, run, r, i == 1, ft_to_half(factor / 100.0f));
          put_factor(shape, panel, run, r, i == 1, shape.has_codes ? 100 : ft_to_half(factor));
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
