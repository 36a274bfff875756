// Conversion of checkpoint rows into panels. Runs once per weight.
#include "panels.h"

// --- Rows that come as blocks ----------------------------------------------------------------------------------------

bool ft_holds(ft_weight_format format, ft_element element) {
  switch (format) {
  case FT_WEIGHT_BFLOAT16: return element == FT_BFLOAT16;
  case FT_WEIGHT_INT8: return element == FT_Q8_0 || element == FT_IQ2_XXS || element == FT_INTEGERS;
  case FT_WEIGHT_INT4: return element == FT_Q4_K;
  case FT_WEIGHT_Q4_0:
    return element == FT_Q4_0 || element == FT_TQ1_0 || element == FT_TQ2_0 || element == FT_INTEGERS;
  case FT_WEIGHT_Q4_1: return element == FT_Q4_1;
  case FT_WEIGHT_Q5_0:
    return element == FT_Q5_0 || element == FT_IQ3_S || element == FT_IQ1_S || element == FT_INTEGERS;
  case FT_WEIGHT_Q5_1: return element == FT_Q5_1;
  case FT_WEIGHT_Q5_K: return element == FT_Q5_K;
  case FT_WEIGHT_Q6_K: return element == FT_Q6_K || element == FT_IQ3_XXS || element == FT_IQ1_M;
  case FT_WEIGHT_Q3_K: return element == FT_Q2_K || element == FT_Q3_K;
  case FT_WEIGHT_IQ4_NL: return element == FT_IQ4_NL || element == FT_IQ4_XS;
  case FT_WEIGHT_MXFP4: return element == FT_MXFP4;
  }
  return false;
}

/// The power of two in [2^-126, 2^126] by which values of at most `peak` become at most 2^15.
static float multiplier_for(float peak) {
  int exponent = 0;
  if (peak > 0) frexpf(peak, &exponent);
  exponent -= 15;
  return ldexpf(1.0f, exponent < -126 ? -126 : exponent > 126 ? 126 : exponent);
}

/// What a row's scales are divided by, so that halves hold them: the one scale of a row that has no other, or a power of
/// two; 1 where they are halves already.
static float multiplier_of_blocks(ft_element element, const uint8_t *row, size_t columns) {
  switch (element) {
  // Their units are parts of halves.
  case FT_IQ3_XXS: return 0.5f;
  case FT_IQ1_M: return 0.125f;
  case FT_MXFP4:
  case FT_INTEGERS:
  case FT_IQ4_XS:
  case FT_IQ2_XXS:
  case FT_IQ3_S:
  case FT_IQ1_S: break;
  default: return 1;
  }
  const size_t weights = ft_block_weights(element), runs = weights / ft_block_run(element);
  float first = 0, peak = 0;
  bool is_one = true;
  ft_block block = {0};
  for (size_t k = 0; k < columns; k += weights, row += ft_block_bytes(element)) {
    ft_read_block(element, row, &block);
    for (size_t run = 0; run < runs; run++) {
      const float scale = block.unit * (float)block.scales[run];
      if (k == 0 && run == 0) first = scale;
      is_one = is_one && scale == first;
      peak = fmaxf(peak, fabsf(scale));
    }
  }
  if (is_one && peak >= 0x1p-120f && peak <= 0x1p120f) return first;
  return isfinite(peak) ? multiplier_for(peak) : 1;
}

/// Whether a row's integers are among those of `format`; those of ggml's blocks always are.
static bool fits(ft_weight_format format, ft_element element, const uint8_t *row, size_t columns) {
  const ft_format_shape shape = ft_shape_of(format);
  if (element != FT_INTEGERS || shape.bits == 8) return true;
  for (size_t k = 0; k < columns; k += FT_GROUP, row += ft_block_bytes(element))
    for (size_t i = 0; i < FT_GROUP; i++) {
      const int stored = (int8_t)row[4 + i] + shape.zero;
      if (stored < 0 || stored >> shape.bits) return false;
    }
  return true;
}

/// One run of a block as `format` stores it: integers from zero up, a factor and an offset, halves or codes.
typedef struct {
  uint16_t factor, offset;
  uint8_t integers[FT_GROUP];
} stored_run;

/// The run of `block` that begins at integer `first`. The offset of Q3_K is what its integers begin at: for a negative
/// scale they are turned around.
static stored_run stored_run_of(ft_element element, ft_format_shape shape, const ft_block *block, size_t first, float inverse) {
  const size_t run = first / (size_t)shape.run;
  stored_run result = {0};
  int zero = shape.zero, sign = 1;
  if (element == FT_Q3_K) {
    sign = block->scales[run] < 0 ? -1 : 1;
    zero = sign < 0 ? 3 : 4;
  }
  for (size_t i = 0; i < (size_t)shape.run; i++) {
    const int integer = block->integers[first + i];
    result.integers[i] = shape.steps == FT_STEPS_EVEN ? (uint8_t)(sign * integer + zero) : ft_nearest_step(shape.steps, (float)integer);
  }
  if (shape.has_codes) {
    result.factor = (uint8_t)(sign * block->scales[run]);
    result.offset = (uint8_t)(element == FT_Q3_K ? sign * zero * block->scales[run] : block->offsets[run]);
  } else {
    result.factor = ft_to_half(block->unit * (float)block->scales[run] * inverse);
    result.offset = ft_to_half(-block->offset_unit);
  }
  return result;
}

/// Takes over row `r`, its scales divided by `multiplier`; returns whether they are numbers.
static bool pack_blocks(ft_weight_format format, ft_element element, const uint8_t *row, size_t columns, size_t r,
                        float multiplier, uint8_t *panel) {
  const ft_format_shape shape = ft_shape_of(format);
  const size_t weights = ft_block_weights(element), length = (size_t)shape.run;
  const float inverse = 1.0f / multiplier;
  ft_block block = {0};
  for (size_t k = 0; k < columns; k += weights, row += ft_block_bytes(element)) {
    ft_read_block(element, row, &block);
    if (!isfinite(block.unit) || !isfinite(block.offset_unit)) return false;
    if (shape.has_codes) {
      // Offsets are taken away; those of Q3_K have the scales' unit.
      ft_put_unit(shape, panel, k / length, r, false, ft_to_half(block.unit * inverse));
      if (shape.has_offsets)
        ft_put_unit(shape, panel, k / length, r, true, ft_to_half(-(element == FT_Q3_K ? block.unit : block.offset_unit)));
    }
    uint8_t group[FT_GROUP];
    for (size_t first = 0; first < weights; first += length) {
      const stored_run stored = stored_run_of(element, shape, &block, first, inverse);
      ft_put_factor(shape, panel, (k + first) / length, r, false, stored.factor);
      if (shape.has_offsets) ft_put_factor(shape, panel, (k + first) / length, r, true, stored.offset);
      memcpy(group + first % FT_GROUP, stored.integers, length);
      if ((first + length) % FT_GROUP == 0) ft_put_group(shape, panel, (k + first) / FT_GROUP, r, group);
    }
  }
  return true;
}

// --- Rows that are rounded ---------------------------------------------------------------------------------------------

static int nearest(float value, int low, int high) {
  float rounded = rintf(value);
  return !(rounded > (float)low) ? low : rounded > (float)high ? high : (int)rounded;
}

/// Scales by which the largest of sixteen rows' values become the largest of a format's in either direction.
static void find_step_scales(ft_steps steps, const float *columns, int run, float *scales, float *offsets) {
  const float most = steps == FT_STEPS_IQ4 ? 113.0f : 12.0f;
  for (size_t r = 0; r < FT_PANEL; r++) {
    float peak = 0;
    for (int i = 0; i < run; i++) peak = fmaxf(peak, fabsf(columns[i * FT_PANEL + (int)r]));
    scales[r] = peak / most, offsets[r] = 0;
  }
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
    if (shape.steps != FT_STEPS_EVEN) find_step_scales(shape.steps, columns, shape.run, scale, offset);
    else if (shape.has_offsets) kernels->find_offset_scales(columns, shape.run, levels, shape.has_codes, scale, offset);
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
        for (int i = 0; i < 1 + shape.has_offsets; i++) ft_put_unit(shape, panel, run, r, i == 1, halves[i]);
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
      ft_put_factor(shape, panel, run, r, false, factor);
      if (shape.has_offsets) ft_put_factor(shape, panel, run, r, true, shift);
      for (size_t i = 0; i < length; i++) {
        float value = values[r * packed + run * length + i] * inverse;
        if (shape.steps != FT_STEPS_EVEN) {
          group[run * length % FT_GROUP + i] = ft_nearest_step(shape.steps, scale != 0 ? value / scale : 0);
          continue;
        }
        int integer = scale != 0 ? nearest((value - offset) / scale, shape.bits == 8 ? -127 : -shape.zero, levels - zero) : 0;
        group[run * length % FT_GROUP + i] = (uint8_t)(shape.bits == 8 ? integer : integer + shape.zero);
      }
      if ((run + 1) * length % FT_GROUP == 0) ft_put_group(shape, panel, run * length / FT_GROUP, r, group);
    }
  }
}

static void pack_bfloat16(const float *values, size_t packed, uint8_t *panel) {
  for (size_t r = 0; r < FT_PANEL; r++)
    for (size_t k = 0; k < packed; k++) {
      uint16_t value = ft_to_bfloat16(values[r * packed + k]);
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
    const bool is_taken = rows[r] && format != FT_WEIGHT_BFLOAT16 && !exponents && ft_holds(format, elements[r]) &&
                          fits(format, elements[r], rows[r], columns);
    is_rounded[r] = rows[r] && !is_taken;
    any_rounded = any_rounded || is_rounded[r];
    float *row = values + r * packed;
    if (is_rounded[r] || (rows[r] && errors)) ft_to_float(elements[r], rows[r], columns, row);
    const int own = rows[r] && row_exponents ? row_exponents[r] : 0;
    if (exponents || own)
      for (size_t k = 0; k < columns; k++) row[k] = ldexpf(row[k], own + (exponents ? exponents[k] : 0));
    if (is_rounded[r])
      for (size_t k = 0; k < columns; k++)
        if ((ft_to_bits(row[k]) & 0x7F800000u) == 0x7F800000u) return FT_NOT_FINITE;
    if (format == FT_WEIGHT_BFLOAT16) continue;
    const float shared = is_taken ? multiplier_of_blocks(elements[r], rows[r], columns) : 1;
    const float multiplier = ldexpf(shared, own);
    memcpy(panel + ft_panel_bytes(format, columns) - FT_PANEL * sizeof(float) + r * sizeof(float), &multiplier, sizeof(float));
    if (is_taken && !pack_blocks(format, elements[r], rows[r], columns, r, shared, panel)) return FT_NOT_FINITE;
  }
  if (format == FT_WEIGHT_BFLOAT16) pack_bfloat16(values, packed, panel);
  else if (any_rounded)
    pack_rounded(ft_kernels_of(set), format, values, packed, is_rounded, rest, panel);
  if (errors) add_errors(format, values, packed, panel, rest, errors);
  return FT_PACKED;
}
