// Norms, rotations, sums and choices over single rows, and the sampler's candidates.
#include "check.h"

static void check_norms(size_t columns) {
  context("norm of %zu columns", columns);
  float *x = guarded(columns * sizeof(float)), *weight = guarded(columns * sizeof(float));
  float *angles = guarded((columns + 1) / 2 * 2 * sizeof(float));
  fill_floats(x, columns, columns % 3 == 0 ? 1e-20f : 30);
  fill_floats(weight, columns, 2);
  fill_floats(angles, (columns + 1) / 2 * 2, 1);
  for (int s = 0; s < set_count; s++) {
    float *output = guarded(columns * sizeof(float));
    ft_rms_norm(sets[s]->set, x, columns, weight, 1e-6f, output);
    compare(sets[s], "norm", output, columns * sizeof(float));
    if (columns % 2 != 0) continue;
    for (int is_normed = 0; is_normed < 2; is_normed++) {
      memcpy(output, x, columns * sizeof(float));
      ft_norm_rotate(sets[s]->set, output, columns, is_normed ? weight : NULL, 1e-6f, angles, angles + columns / 2);
      compare(sets[s], is_normed ? "norm and rotation" : "rotation", output, columns * sizeof(float));
    }
  }
  release_all();
}

static void check_values(size_t count) {
  context("sums and choices of %zu values", count);
  float *values = guarded(count * sizeof(float));
  for (int kind = 0; kind < 6; kind++) {
    fill_floats(values, count, kind == 0 ? 1 : 100);
    if (kind == 2) values[random_word() % count] = NAN;
    if (kind == 3)
      for (size_t i = 0; i < count; i++) values[i] = (float)(random_word() % 3);
    if (kind == 4)
      for (size_t i = 0; i < count; i++) values[i] = i % 2 ? NAN : -INFINITY;
    if (kind == 5)
      for (size_t i = 0; i < count; i++) values[i] = random_word() % 2 ? -0.0f : 0.0f;
    for (int s = 0; s < set_count; s++) {
      const uint64_t index = ft_argmax(sets[s]->set, values, count);
      compare(sets[s], "index of the largest", &index, sizeof index);
      if (kind == 2 || kind == 4) continue;
      const float sum = ft_sum_exp(sets[s]->set, values, count, values[index], 0.7f);
      compare(sets[s], "sum of exponentials", &sum, sizeof sum);
    }
  }
  release_all();
}

static void check_experts(size_t count, size_t chosen, size_t columns) {
  context("%zu of %zu experts, %zu columns", chosen, count, columns);
  float *scores = guarded(count * sizeof(float)), *shares = guarded(chosen * sizeof(float));
  float *given = guarded(count * sizeof(float)), *added = guarded(columns * sizeof(float));
  uint32_t *experts = guarded(chosen * sizeof(uint32_t));
  float *values = guarded(chosen * columns * sizeof(float)), *start = guarded(columns * sizeof(float));
  const float *rows[64];
  for (size_t r = 0; r < chosen; r++) rows[r] = values + r * columns;
  fill_floats(values, chosen * columns, 3);
  fill_floats(start, columns, 3);
  for (int kind = 0; kind < 3; kind++) {
    fill_floats(given, count, 5);
    // Equals, and nothing that is a number.
    if (kind == 1)
      for (size_t i = 0; i < count; i++) given[i] = (float)(random_word() % 3);
    if (kind == 2)
      for (size_t i = 0; i < count; i++) given[i] = NAN;
    for (int of_all = 0; of_all < 2; of_all++)
      for (int s = 0; s < set_count; s++) {
        memcpy(scores, given, count * sizeof(float));
        ft_choose_experts(sets[s]->set, scores, count, chosen, of_all, experts, shares);
        compare(sets[s], "experts", experts, chosen * sizeof(uint32_t));
        for (size_t i = 0; i < chosen; i++) demand(experts[i] < count, sets[s], "an expert that is none");
        if (kind == 2) continue;
        for (size_t i = 1; i < chosen; i++)
          demand(given[experts[i - 1]] > given[experts[i]] ||
                   (given[experts[i - 1]] == given[experts[i]] && experts[i - 1] < experts[i]),
                 sets[s], "experts out of order");
        compare(sets[s], "shares", shares, chosen * sizeof(float));
        memcpy(added, start, columns * sizeof(float));
        ft_add_shares(sets[s]->set, rows, shares, chosen, columns, added);
        compare(sets[s], "sum of shares", added, columns * sizeof(float));
      }
  }
  release_all();
}

static void check_caps(size_t count) {
  context("%zu capped values", count);
  float *values = guarded(count * sizeof(float));
  fill_floats(values, count, 400);
  if (count > 2) values[1] = INFINITY, values[2] = -INFINITY;
  for (int s = 0; s < set_count; s++) {
    float *output = guarded(count * sizeof(float));
    memcpy(output, values, count * sizeof(float));
    ft_soft_cap(sets[s]->set, output, count, 30);
    compare(sets[s], "capped values", output, count * sizeof(float));
    for (size_t i = 0; i < count; i++)
      demand(fabs(output[i] - 30 * tanh((double)values[i] / 30)) < 1e-5, sets[s], "a capped value is far from its formula");
  }
  release_all();
}

static void check_reads(size_t bytes, size_t streams) {
  context("reads of %zu bytes as %zu streams", bytes, streams);
  uint8_t *memory = guarded(bytes);
  for (size_t i = 0; i < bytes; i++) memory[i] = (uint8_t)random_word();
  for (int s = 0; s < set_count; s++) {
    const uint32_t sum = ft_read_memory(sets[s]->set, memory, bytes, streams);
    compare(sets[s], "sum of what was read", &sum, sizeof sum);
    for (int arithmetic = FT_BYTES; arithmetic <= FT_FLOATS; arithmetic++) {
      uint32_t result;
      const uint64_t products = ft_multiply(sets[s]->set, arithmetic, 100, &result);
      demand(products > 0 && products % 100 == 0, sets[s], "no number of products for a hundred iterations");
    }
  }
  release_all();
}

void check_rows(void) {
  for (size_t columns = 1; columns <= 70; columns++) check_norms(columns);
  check_norms(576);
  check_norms(2568);
  for (size_t count = 1; count <= 140; count++) check_values(count);
  check_values(10007);
  for (size_t count = 1; count <= 70; count++) check_experts(count, count < 9 ? count : count % 8 + 1, 3 * count);
  check_experts(128, 8, 2048);
  for (size_t count = 1; count <= 50; count++) check_caps(count);
  check_reads(4096, 1);
  check_reads(10240, 4);
}

void check_sampling(void) {
  for (size_t count = 1; count < 600; count += count < 70 ? 1 : 53) {
    const size_t first = random_word() % 50 * 4;
    context("candidates of %zu tokens from %zu", count, first);
    float *logits = guarded((first + count) * sizeof(float));
    fill_floats(logits, first + count, 20);
    if (count % 4 == 0) logits[first] = NAN, logits[first + count / 2] = -INFINITY, logits[first + 1] = INFINITY;
    const uint64_t key = random_word(), position = count % 2 ? random_word() : count;
    for (float limit = -20; limit < 40; limit += 7.5f)
      for (int s = 0; s < set_count; s++) {
        uint32_t *candidates = guarded(count * sizeof(uint32_t));
        const size_t found = ft_draw_candidates(sets[s]->set, logits, first, count, key, position, 1.3f, limit, candidates);
        demand(found <= count, sets[s], "more candidates than tokens");
        compare(sets[s], "candidates", candidates, count * sizeof(uint32_t));
      }
    release_all();
  }
}
