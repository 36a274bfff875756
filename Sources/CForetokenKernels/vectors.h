// Vector types and elementary functions. The header of each instruction set includes it, inside that set's target
// attribute, so that one text serves all and all give the same bits.
//
// FT_NAME(x) names a function of the set, FT_LANES says how many floats its vectors hold (8 or 16), FT_EXPONENTIALS how
// many vectors of sixteen `exp_each` takes: what their steps, side by side, have registers for.
#pragma once

// All of these are inlined; none crosses a boundary where the wide types would change how arguments are passed.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float FT_NAME(f32x16) __attribute__((ext_vector_type(16)));
typedef int32_t FT_NAME(i32x16) __attribute__((ext_vector_type(16)));
typedef uint32_t FT_NAME(u32x16) __attribute__((ext_vector_type(16)));
typedef uint16_t FT_NAME(u16x16) __attribute__((ext_vector_type(16)));
typedef float FT_NAME(f32x8) __attribute__((ext_vector_type(8)));
typedef float FT_NAME(f32x4) __attribute__((ext_vector_type(4)));
typedef float FT_NAME(f32x2) __attribute__((ext_vector_type(2)));
typedef int32_t FT_NAME(i32x8) __attribute__((ext_vector_type(8)));
typedef int32_t FT_NAME(i32x4) __attribute__((ext_vector_type(4)));
typedef int8_t FT_NAME(i8x16) __attribute__((ext_vector_type(16)));
// Loads and stores go through types that promise no alignment.
typedef float FT_NAME(f32x16_at) __attribute__((ext_vector_type(16), aligned(4)));
typedef uint32_t FT_NAME(u32x16_at) __attribute__((ext_vector_type(16), aligned(4)));
typedef uint16_t FT_NAME(u16x16_at) __attribute__((ext_vector_type(16), aligned(2)));
#define f32x16 FT_NAME(f32x16)
#define i32x16 FT_NAME(i32x16)
#define u32x16 FT_NAME(u32x16)
#define u16x16 FT_NAME(u16x16)
#define i8x16 FT_NAME(i8x16)
// Floats as the set's registers hold them: what does not fit the registers sixteen at a time is computed lanes by lanes.
#define FT_VECTORS (16 / FT_LANES)
typedef float FT_NAME(lanes) __attribute__((ext_vector_type(FT_LANES)));
typedef float FT_NAME(lanes_at) __attribute__((ext_vector_type(FT_LANES), aligned(4)));
typedef uint32_t FT_NAME(lane_words) __attribute__((ext_vector_type(FT_LANES)));
typedef uint32_t FT_NAME(lane_words_at) __attribute__((ext_vector_type(FT_LANES), aligned(4)));
#define lanes FT_NAME(lanes)
#define FT_UNROLL _Pragma("clang loop unroll(full)")
#define FT_ROLLED _Pragma("clang loop unroll(disable)")
#define FT_INLINE static inline __attribute__((always_inline))

FT_INLINE f32x16 FT_NAME(load)(const float *p) { return *(const FT_NAME(f32x16_at) *)p; }
FT_INLINE void FT_NAME(store)(float *p, f32x16 v) { *(FT_NAME(f32x16_at) *)p = v; }
FT_INLINE u32x16 FT_NAME(load_words)(const void *p) { return *(const FT_NAME(u32x16_at) *)p; }
FT_INLINE void FT_NAME(store_words)(void *p, u32x16 v) { *(FT_NAME(u32x16_at) *)p = v; }
FT_INLINE f32x16 FT_NAME(fma)(f32x16 a, f32x16 b, f32x16 c) { return __builtin_elementwise_fma(a, b, c); }

/// Sum of the lanes: halves are added to halves, so the order is fixed.
FT_INLINE float FT_NAME(sum)(f32x16 v) {
  FT_NAME(f32x8) eight = v.lo + v.hi;
  FT_NAME(f32x4) four = eight.lo + eight.hi;
  FT_NAME(f32x2) two = four.lo + four.hi;
  return two.x + two.y;
}

FT_INLINE float FT_NAME(largest)(f32x16 v) {
  FT_NAME(f32x8) eight = v.hi > v.lo ? v.hi : v.lo;
  FT_NAME(f32x4) four = eight.hi > eight.lo ? eight.hi : eight.lo;
  FT_NAME(f32x2) two = four.hi > four.lo ? four.hi : four.lo;
  return two.y > two.x ? two.y : two.x;
}

/// e^x in place of each x, within 2 units in the last place, for x in [-87, 88]; clamped outside. One is a chain of twenty
/// operations that wait for each other, so several are computed side by side.
FT_INLINE void FT_NAME(exp_each)(f32x16 *x, int count) {
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  const float magic = 12582912.0f;
  const float coefficients[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
  f32x16 shifted[FT_EXPONENTIALS], r[FT_EXPONENTIALS], p[FT_EXPONENTIALS];
  FT_UNROLL for (int i = 0; i < count; i++)
    r[i] = __builtin_elementwise_min(__builtin_elementwise_max(x[i], (f32x16)(-87.0f)), (f32x16)(88.0f));
  FT_UNROLL for (int i = 0; i < count; i++)
    shifted[i] = FT_NAME(fma)(r[i], (f32x16)(1.44269504f), (f32x16)(magic));
  FT_UNROLL for (int i = 0; i < count; i++)
    r[i] = FT_NAME(fma)(shifted[i] - magic, (f32x16)(-0.693145752f), r[i]);
  FT_UNROLL for (int i = 0; i < count; i++)
    r[i] = FT_NAME(fma)(shifted[i] - magic, (f32x16)(-1.42860677e-6f), r[i]), p[i] = (f32x16)(1.0f / 5040);
  FT_UNROLL for (int c = 0; c < 7; c++)
    FT_UNROLL for (int i = 0; i < count; i++) p[i] = FT_NAME(fma)(p[i], r[i], (f32x16)(coefficients[c]));
  FT_UNROLL for (int i = 0; i < count; i++) {
    u32x16 exponent = (*(u32x16 *)&shifted[i] - 0x4B400000u + 127u) << 23;
    x[i] = p[i] * *(f32x16 *)&exponent;
  }
}

FT_INLINE f32x16 FT_NAME(exp)(f32x16 x) {
  FT_NAME(exp_each)(&x, 1);
  return x;
}

/// tanh(x), within 2e-7.
FT_INLINE f32x16 FT_NAME(tanh)(f32x16 x) { return 1.0f - 2.0f / (FT_NAME(exp)(x + x) + 1.0f); }
