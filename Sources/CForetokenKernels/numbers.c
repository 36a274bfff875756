// Conversion between floats, halves, bfloat16 and the elements of files.
#include "kernels.h"

float ft_from_half(uint16_t bits) {
  uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3FF;
  if (exponent == 0) return ft_from_bits(sign | ft_to_bits((float)fraction * 0x1p-24f));
  if (exponent == 31) return ft_from_bits(sign | 0x7F800000u | fraction << 13);
  return ft_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t ft_to_half(float value) {
  uint32_t bits = ft_to_bits(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000u) return 0;                          // NaN has no place in a cache: zero
  if (magnitude >= 0x477FF000u) return (uint16_t)(sign | 0x7BFF); // above 65504
  if (magnitude < 0x38800000u) {
    // A subnormal half: adding 0.5 lets the addition round at the right bit.
    return (uint16_t)(sign | (ft_to_bits(ft_from_bits(magnitude) + 0.5f) - 0x3F000000u));
  }
  uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
  return (uint16_t)(sign | (rounded - 0x38000000u) >> 13);
}

uint16_t ft_to_bfloat16(float value) {
  uint32_t bits = ft_to_bits(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000u) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/// Of OCP's E4M3: the exponent of infinities is that of numbers too, but for one NaN of each sign.
static float from_e4m3(uint8_t bits) {
  const float magnitude = ft_from_half((uint16_t)((bits & 0x7F) << 7)) * 256.0f;
  return (bits & 0x7F) == 0x7F ? NAN : bits & 0x80 ? -magnitude : magnitude;
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
    for (size_t i = 0; i < count; i++) memcpy(&half, bytes + 2 * i, 2), output[i] = ft_from_bits((uint32_t)half << 16);
    break;
  case FT_E4M3:
    for (size_t i = 0; i < count; i++) output[i] = from_e4m3(bytes[i]);
    break;
  case FT_E5M2:
    for (size_t i = 0; i < count; i++) output[i] = ft_from_half((uint16_t)(bytes[i] << 8));
    break;
  case FT_E8M0:
    for (size_t i = 0; i < count; i++) {
      output[i] = bytes[i] == 255 ? NAN : bytes[i] ? ft_from_bits((uint32_t)bytes[i] << 23) : 0x1p-127f;
    }
    break;
  default: ft_decode_blocks(element, source, count, output);
  }
}
