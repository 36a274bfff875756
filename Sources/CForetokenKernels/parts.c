// Matrices that safetensors files have in parts: integers of a few bits, or eight-bit floats, beside what scales them.
//
// Layouts: compressed-tensors (pack-quantized), AutoGPTQ, AutoAWQ, DeepSeek's and vLLM's FP8, OCP's MX as gpt-oss has it.
#include "kernels.h"

/// The integer at `packed` along the dimension whose integers share words, and at `other` along the other one.
static inline uint32_t integer_at(const ft_packed_integers *integers, size_t packed, size_t other) {
  // AWQ puts the integers of even places into the low half of a word.
  if (integers->is_awq) packed = packed / 8 * 8 + packed % 2 * 4 + packed % 8 / 2;
  const size_t bit = packed * (size_t)integers->bits, shift = bit % 32;
  const uint8_t *place = integers->words + 4 * (bit / 32 * integers->word_stride + other * integers->stride);
  uint32_t word, next = 0;
  memcpy(&word, place, 4);
  if (shift + (size_t)integers->bits > 32) memcpy(&next, place + 4 * integers->word_stride, 4);
  return (uint32_t)((word | (uint64_t)next << 32) >> shift) & ((1u << integers->bits) - 1);
}

static inline uint32_t element_at(const ft_packed_integers *integers, size_t row, size_t column) {
  return integers->along_rows ? integer_at(integers, row, column) : integer_at(integers, column, row);
}

static float scale_at(ft_element element, const void *scales, size_t index) {
  float scale;
  ft_to_float(element, (const uint8_t *)scales + index * ft_block_bytes(element), 1, &scale);
  return scale;
}

/// Scale and zero of the inputs of a group.
static float group_scale(const ft_grouped_matrix *m, size_t row, size_t group, int *zero) {
  *zero = m->zero;
  if (m->zeros.words) {
    *zero = (int)element_at(&m->zeros, row, group) + m->zero;
    // What AutoGPTQ stores is one less than meant, and wraps.
    if (m->zero) *zero &= (1 << m->zeros.bits) - 1;
  }
  return scale_at(m->scale_element, m->scales, row * m->scale_row_stride + group * m->scale_group_stride);
}

static inline int integer_of(const ft_grouped_matrix *m, size_t row, size_t column, int zero) {
  const uint32_t value = element_at(&m->integers, row, column);
  return m->is_signed ? (int)(int8_t)value - zero : (int)value - zero;
}

void ft_read_grouped(const ft_grouped_matrix *m, size_t row, size_t columns, uint8_t *blocks) {
  for (size_t k = 0; k < columns; k += FT_GROUP, blocks += 4 + FT_GROUP) {
    int zero;
    const float scale = group_scale(m, row, k / m->group_size, &zero);
    memcpy(blocks, &scale, 4);
    for (size_t i = 0; i < FT_GROUP; i++) blocks[4 + i] = (uint8_t)integer_of(m, row, k + i, zero);
  }
}

void ft_read_grouped_floats(const ft_grouped_matrix *m, size_t row, size_t columns, float *output) {
  size_t known = SIZE_MAX;
  float scale = 0;
  int zero = 0;
  for (size_t k = 0; k < columns; k++) {
    size_t group = k / m->group_size;
    if (m->groups) {
      uint32_t number;
      memcpy(&number, m->groups + 4 * k, 4);
      // Checked when the file was opened, but it may have been written to since.
      group = number < m->group_count ? number : 0;
    }
    if (group != known) scale = group_scale(m, row, known = group, &zero);
    output[k] = scale * (float)integer_of(m, row, k, zero);
  }
}

void ft_read_float8(const ft_float8_matrix *m, size_t row, size_t columns, float *output) {
  ft_to_float(m->element, m->values + row * columns, columns, output);
  const size_t first = row / m->block_rows * m->scale_stride;
  for (size_t k = 0; k < columns; k += m->block_columns) {
    const float scale = scale_at(m->scale_element, m->scales, first + k / m->block_columns);
    for (size_t i = k; i < columns && i < k + m->block_columns; i++) output[i] *= scale;
  }
}

void ft_read_mxfp4(const uint8_t *nibbles, const uint8_t *exponents, size_t row, size_t columns, uint8_t *blocks) {
  const size_t groups = columns / FT_GROUP;
  nibbles += row * groups * (FT_GROUP / 2), exponents += row * groups;
  for (size_t g = 0; g < groups; g++, nibbles += FT_GROUP / 2, blocks += 1 + FT_GROUP / 2) {
    blocks[0] = exponents[g];
    // Neighbours share a byte here, and what lies half a block apart there.
    for (size_t i = 0; i < FT_GROUP / 2; i++) {
      const size_t shift = i % 2 * 4;
      blocks[1 + i] = (uint8_t)((nibbles[i / 2] >> shift & 15) | (nibbles[FT_GROUP / 4 + i / 2] >> shift & 15) << 4);
    }
  }
}
