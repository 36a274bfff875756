#include "foretoken_digests.h"

#include <stdbool.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif
#endif

typedef void (*add_blocks)(uint32_t *words, const uint8_t *blocks, size_t count);

static uint32_t rotate_left(uint32_t x, int by) { return x << by | x >> (32 - by); }
static uint32_t rotate_right(uint32_t x, int by) { return x >> by | x << (32 - by); }

static uint32_t big_endian(const uint8_t *bytes) {
  uint32_t word;
  memcpy(&word, bytes, sizeof word);
  return __builtin_bswap32(word);
}

// --- SHA-256 -------------------------------------------------------------------------------------------------------------

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static void add_sha256(uint32_t *words, const uint8_t *block, size_t count) {
  for (; count > 0; count--, block += 64) {
    uint32_t w[64];
    for (int i = 0; i < 16; i++) w[i] = big_endian(block + 4 * i);
    for (int i = 16; i < 64; i++) {
      const uint32_t a = w[i - 15], b = w[i - 2];
      w[i] = w[i - 16] + (rotate_right(a, 7) ^ rotate_right(a, 18) ^ a >> 3) + w[i - 7] +
             (rotate_right(b, 17) ^ rotate_right(b, 19) ^ b >> 10);
    }
    uint32_t a = words[0], b = words[1], c = words[2], d = words[3], e = words[4], f = words[5], g = words[6], h = words[7];
    for (int i = 0; i < 64; i++) {
      const uint32_t s1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
      const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + constants[i] + w[i];
      const uint32_t s0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
      const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    words[0] += a, words[1] += b, words[2] += c, words[3] += d, words[4] += e, words[5] += f, words[6] += g, words[7] += h;
  }
}

#if defined(__x86_64__)
/// The same with the processor's own rounds. Its registers hold the words as (a, b, e, f) and (c, d, g, h).
__attribute__((target("sha,sse4.1,ssse3"))) static void add_sha256_ni(uint32_t *words, const uint8_t *block, size_t count) {
  const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)words), 0xb1);
  const __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(words + 4)), 0x1b);
  __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xf0);
  for (; count > 0; count--, block += 64) {
    const __m128i before_abef = abef, before_cdgh = cdgh;
    __m128i w[4];
    for (int i = 0; i < 4; i++) w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)block + i), order);
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) {
      const __m128i now = w[i % 4];
      const __m128i sum = _mm_add_epi32(now, _mm_loadu_si128((const __m128i *)(constants + 4 * i)));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
      // Words 16 further on, from those 16, 15, 7 and 2 before them.
      const __m128i last = w[(i + 3) % 4];
      const __m128i seven = _mm_alignr_epi8(last, w[(i + 2) % 4], 4);
      w[i % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(now, w[(i + 1) % 4]), seven), last);
    }
    abef = _mm_add_epi32(abef, before_abef), cdgh = _mm_add_epi32(cdgh, before_cdgh);
  }
  const __m128i first = _mm_shuffle_epi32(abef, 0x1b), second = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128((__m128i *)words, _mm_blend_epi16(first, second, 0xf0));
  _mm_storeu_si128((__m128i *)(words + 4), _mm_alignr_epi8(second, first, 8));
}
#elif defined(__aarch64__)
/// The same with the processor's own rounds.
__attribute__((target("sha2"))) static void add_sha256_arm(uint32_t *words, const uint8_t *block, size_t count) {
  uint32x4_t abcd = vld1q_u32(words), efgh = vld1q_u32(words + 4);
  for (; count > 0; count--, block += 64) {
    const uint32x4_t before_abcd = abcd, before_efgh = efgh;
    uint32x4_t w[4];
    for (int i = 0; i < 4; i++) w[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(block + 16 * i)));
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) {
      const uint32x4_t sum = vaddq_u32(w[i % 4], vld1q_u32(constants + 4 * i)), rotated = abcd;
      abcd = vsha256hq_u32(abcd, efgh, sum);
      efgh = vsha256h2q_u32(efgh, rotated, sum);
      w[i % 4] = vsha256su1q_u32(vsha256su0q_u32(w[i % 4], w[(i + 1) % 4]), w[(i + 2) % 4], w[(i + 3) % 4]);
    }
    abcd = vaddq_u32(abcd, before_abcd), efgh = vaddq_u32(efgh, before_efgh);
  }
  vst1q_u32(words, abcd);
  vst1q_u32(words + 4, efgh);
}
#endif

static add_blocks fastest_sha256(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sha") && __builtin_cpu_supports("sse4.1")) return add_sha256_ni;
#elif defined(__aarch64__) && defined(__APPLE__)
  return add_sha256_arm;
#elif defined(__aarch64__) && defined(__linux__)
  // HWCAP_SHA2 (Linux, arch/arm64/include/uapi/asm/hwcap.h).
  if (getauxval(AT_HWCAP) >> 6 & 1) return add_sha256_arm;
#endif
  return add_sha256;
}

// --- SHA-1 ---------------------------------------------------------------------------------------------------------------

static void add_sha1(uint32_t *words, const uint8_t *block, size_t count) {
  for (; count > 0; count--, block += 64) {
    uint32_t w[80];
    for (int i = 0; i < 16; i++) w[i] = big_endian(block + 4 * i);
    for (int i = 16; i < 80; i++) w[i] = rotate_left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = words[0], b = words[1], c = words[2], d = words[3], e = words[4];
    for (int i = 0; i < 80; i++) {
      const uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                         : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                         : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                                  : (b ^ c ^ d) + 0xca62c1d6;
      const uint32_t next = rotate_left(a, 5) + f + e + w[i];
      e = d, d = c, c = rotate_left(b, 30), b = a, a = next;
    }
    words[0] += a, words[1] += b, words[2] += c, words[3] += d, words[4] += e;
  }
}

// --- Blocks --------------------------------------------------------------------------------------------------------------

static void add(ft_digest *digest, const uint8_t *bytes, size_t count, add_blocks add_blocks) {
  const size_t held = digest->byte_count % 64;
  digest->byte_count += count;
  if (held > 0) {
    const size_t taken = count < 64 - held ? count : 64 - held;
    memcpy(digest->pending + held, bytes, taken);
    bytes += taken, count -= taken;
    if (held + taken < 64) return;
    add_blocks(digest->words, digest->pending, 1);
  }
  add_blocks(digest->words, bytes, count / 64);
  if (count % 64 > 0) memcpy(digest->pending, bytes + count / 64 * 64, count % 64);
}

/// A one, zeros, and the number of bits; then the words, most significant byte first.
static void end(ft_digest *digest, uint8_t *output, size_t words, add_blocks add_blocks) {
  static const uint8_t padding[64] = {0x80};
  const uint64_t bits = __builtin_bswap64(digest->byte_count * 8);
  add(digest, padding, 1 + (119 - digest->byte_count % 64) % 64, add_blocks);
  add(digest, (const uint8_t *)&bits, sizeof bits, add_blocks);
  for (size_t i = 0; i < words; i++) {
    const uint32_t word = __builtin_bswap32(digest->words[i]);
    memcpy(output + 4 * i, &word, sizeof word);
  }
}

void ft_sha256_begin(ft_digest *digest) {
  *digest = (ft_digest){.words = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}
void ft_sha256_add(ft_digest *digest, const void *bytes, size_t count) { add(digest, bytes, count, fastest_sha256()); }
void ft_sha256_end(ft_digest *digest, uint8_t *output) { end(digest, output, 8, fastest_sha256()); }

void ft_sha1_begin(ft_digest *digest) {
  *digest = (ft_digest){.words = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
}
void ft_sha1_add(ft_digest *digest, const void *bytes, size_t count) { add(digest, bytes, count, add_sha1); }
void ft_sha1_end(ft_digest *digest, uint8_t *output) { end(digest, output, 5, add_sha1); }
