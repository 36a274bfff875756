// Vector types and elementary functions. Included once per instruction set, inside that set's target attribute, so
// that one text serves all and all give the same bits.
//
// FT_NAME(x) names a function of the set. FT_SET says how wide vectors are: 0 as plain C has it, 1 for 256 bits, 2 for 512.
// FT_VNNI says whether four products of bytes are added by one instruction.

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
#undef FT_LANES
#define FT_LANES (FT_SET == 1 ? 8 : 16)
#undef FT_VECTORS
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

#if FT_SET == 1
/// Eight halves as floats, exactly.
FT_INLINE lanes FT_NAME(load_half_lanes)(const uint16_t *p) {
  return (lanes)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
#endif

/// Sixteen halves as floats, exactly; no infinities among them.
FT_INLINE f32x16 FT_NAME(load_half)(const uint16_t *p) {
#if FT_SET == 2
  return (f32x16)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif FT_SET == 1
  f32x16 result;
  result.lo = FT_NAME(load_half_lanes)(p);
  result.hi = FT_NAME(load_half_lanes)(p + 8);
  return result;
#else
  u32x16 bits = __builtin_convertvector(*(const FT_NAME(u16x16_at) *)p, u32x16);
  // Moving the exponent field up by 13 bits leaves it 112 too low; the product sets that right, subnormals included.
  u32x16 magnitude = (bits & 0x7FFFu) << 13;
  f32x16 value = *(f32x16 *)&magnitude * 0x1p112f;
  u32x16 result = *(u32x16 *)&value | (bits & 0x8000u) << 16;
  return *(f32x16 *)&result;
#endif
}

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

/// How many vectors `exp_each` takes: what their steps, side by side, have registers for.
#undef FT_EXPONENTIALS
#define FT_EXPONENTIALS (FT_SET == 2 ? 6 : 2)

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
