// Attention over blocks of halves and of bytes, and what writes them.
#include "check.h"

/// Positions that heads of `size` channels are stored at, in blocks that lie in no order, and queries over them.
static void check_head(ft_cache_format format, size_t size, size_t positions, size_t count) {
  context("attention of %zu queries, format %d, heads of %zu, %zu positions", count, (int)format, size, positions);
  const size_t blocks = (positions + FT_BLOCK - 1) / FT_BLOCK, bytes = ft_cache_block_bytes(format, size);
  const size_t stride = (2 * bytes + 63) / 64 * 64, total = (blocks - 1) * stride + 2 * bytes;
  float *heads = guarded(2 * positions * size * sizeof(float)), *vectors = guarded(count * size * sizeof(float));
  int32_t *order = guarded(blocks * sizeof(int32_t));
  fill_floats(heads, 2 * positions * size, 4);
  fill_floats(vectors, count * size, 4);
  // What halves do not reach or hardly do, and what is no number.
  heads[0] = 1e6f;
  heads[2 * positions * size - 1] = 3e-6f;
  if (format == FT_CACHE_HALF) heads[size / 2] = NAN;
  for (size_t i = 0; i < blocks; i++) order[i] = (int32_t)(i % 2 == 0 ? blocks - 1 - i / 2 : i / 2);
  size_t firsts[16], lengths[16];
  for (size_t q = 0; q < count; q++) {
    lengths[q] = q == 0 ? positions : q % 3 == 1 ? lengths[q - 1] : 1 + random_word() % positions;
    firsts[q] = q % 3 == 1 ? firsts[q - 1] : random_word() % 2 == 0 ? 0 : random_word() % lengths[q];
  }
  const size_t one = random_word() % count;
  const float cap = random_word() % 3 == 0 ? 3.0f : 0.0f;
  float sinks[16];
  for (size_t q = 0; q < count; q++) sinks[q] = q % 2 == 0 || random_word() % 2 == 0 ? -INFINITY : random_float(-5, 5);
  for (int s = 0; s < set_count; s++) {
    uint8_t *cache = guarded(total);
    memset(cache, 0, total);
    for (size_t p = 0; p < positions; p++) {
      uint8_t *keys = cache + (size_t)order[p / FT_BLOCK] * stride;
      ft_store_key_value(sets[s]->set, format, keys, keys + bytes, p % FT_BLOCK, heads + 2 * p * size,
                         heads + (2 * p + 1) * size, size);
    }
    compare(sets[s], "cache", cache, total);
    ft_attention_task task = {format, cache, cache + bytes, stride, order, size, 1.0f / sqrtf((float)size), cap};
    float *output = guarded(count * size * sizeof(float)), *scratch = guarded(count * FT_ATTENTION_SCRATCH(size) * sizeof(float));
    float *alone = guarded(size * sizeof(float));
    ft_attention_query queries[16];
    for (size_t q = 0; q < count; q++)
      queries[q] = (ft_attention_query){vectors + q * size, output + q * size, firsts[q], lengths[q], sinks[q]};
    ft_attention(sets[s]->set, &task, queries, count, scratch);
    compare(sets[s], "attention", output, count * size * sizeof(float));
    ft_attention_query query = queries[one];
    const float *together = query.output;
    query.output = alone;
    ft_attention(sets[s]->set, &task, &query, 1, scratch);
    demand(memcmp(alone, together, size * sizeof(float)) == 0, sets[s], "a query alone has another result");
  }
  release_all();
}

void check_attention(void) {
  static const size_t sizes[] = {1, 8, 15, 16, 17, 33, 40, 64, 80, 96, 100, 128, 256, FT_LARGEST_HEAD};
  for (int format = FT_CACHE_HALF; format <= FT_CACHE_INT8; format++) {
    for (size_t count = 1; count <= 16; count++) {
      check_head(format, 64, 37, count);
      check_head(format, 128, 16 * count + 1, count);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
      for (size_t positions = 1; positions < 70; positions += i < 12 ? 5 : 33)
        check_head(format, sizes[i], positions, 1 + positions % 9);
  }
}
