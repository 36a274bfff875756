// Where the integers, scales and offsets of a row lie in a panel of integer weights.
#pragma once
#include "kernels.h"

/// Where a run's scale, or offset, of row `r` lies.
static inline uint8_t *ft_factor_place(ft_format_shape shape, uint8_t *panel, size_t run, size_t r, bool is_offset) {
  const size_t runs = 2 * FT_GROUP / (size_t)shape.run;
  return panel + ft_pair_offset(shape, run / runs) + (is_offset ? ft_scale_bytes(shape) / 2 : 0) +
         (run % runs * FT_PANEL + r) * ft_factor_bytes(shape);
}

static inline void ft_put_factor(ft_format_shape shape, uint8_t *panel, size_t run, size_t r, bool is_offset, uint16_t value) {
  memcpy(ft_factor_place(shape, panel, run, r, is_offset), &value, ft_factor_bytes(shape));
}

static inline void ft_put_unit(ft_format_shape shape, uint8_t *panel, size_t run, size_t r, bool is_offset, uint16_t half) {
  const size_t pair = run * (size_t)shape.run / (2 * FT_GROUP);
  memcpy(panel + ft_unit_offset(shape, pair) + (is_offset ? 2 * FT_PANEL : 0) + 2 * r, &half, 2);
}

static inline uint8_t *ft_planes_of(ft_format_shape shape, uint8_t *panel, size_t group) {
  return panel + ft_pair_offset(shape, group / 2) + ft_scale_bytes(shape) + group % 2 * ft_plane_bytes(shape);
}

/// Writes the stored integers of one group of row `r` into planes of zeros.
static inline void ft_put_group(ft_format_shape shape, uint8_t *panel, size_t group, size_t r, const uint8_t integers[FT_GROUP]) {
  uint8_t *planes = ft_planes_of(shape, panel, group);
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

/// What is stored for the value nearest to `value`, the first of two as near.
static inline uint8_t ft_nearest_step(ft_steps steps, float value) {
  const int8_t *values = ft_values_of(steps);
  uint8_t best = 0;
  for (uint8_t i = 1; i < 16; i++)
    if (fabsf((float)values[i] - value) < fabsf((float)values[best] - value)) best = i;
  return best;
}

static inline int ft_integer_at(ft_format_shape shape, const uint8_t *planes, size_t r, size_t i) {
  const size_t vector = i / 4, place = r * 4 + i % 4;
  if (shape.bits == 8) return (int8_t)planes[vector * 64 + place];
  int value = planes[vector / 2 * 64 + place] >> (vector % 2 * 4) & 15;
  if (shape.bits == 5) value |= (planes[256 + place] >> vector & 1) << 4;
  if (shape.bits == 6) value |= (planes[256 + vector / 4 * 64 + place] >> (vector % 4 * 2) & 3) << 4;
  return shape.steps == FT_STEPS_EVEN ? value - shape.zero : ft_values_of(shape.steps)[value];
}
