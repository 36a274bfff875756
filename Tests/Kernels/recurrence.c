// The gated delta rule and what stands around it.
#include "check.h"

static void check_convolution(size_t channels, size_t taps) {
  context("convolution of %zu channels over %zu positions", channels, taps);
  const size_t stride = (channels + 15) / 16 * 16;
  float *x = guarded(taps * channels * sizeof(float)), *weights = guarded(((taps - 1) * stride + channels) * sizeof(float));
  fill_floats(x, taps * channels, 3);
  fill_floats(weights, (taps - 1) * stride + channels, 1);
  const float *rows[8];
  for (size_t tap = 0; tap < taps; tap++) rows[tap] = x + tap * channels;
  for (int s = 0; s < set_count; s++) {
    float *output = guarded(channels * sizeof(float));
    ft_convolve(sets[s]->set, rows, taps, weights, stride, channels, output);
    compare(sets[s], "convolution", output, channels * sizeof(float));
    for (size_t i = 0; i < channels; i++) {
      double sum = 0;
      for (size_t tap = 0; tap < taps; tap++) sum += (double)weights[tap * stride + i] * rows[tap][i];
      demand(fabs(sum / (1 + exp(-sum)) - output[i]) < 1e-5, sets[s], "a convolution is not what it should be");
    }
  }
  release_all();
}

static void check_values(size_t count) {
  context("gates and norms of %zu values", count);
  float *x = guarded(count * sizeof(float)), *gate = guarded(count * sizeof(float)), *weight = guarded(count * sizeof(float));
  float *rates = guarded(count * sizeof(float)), *small = guarded(count * sizeof(float));
  fill_floats(small, count, 0.5f / (float)count);
  fill_floats(x, count, 30);
  fill_floats(gate, count, count % 2 ? 100 : 5);
  fill_floats(weight, count, 2);
  for (size_t i = 0; i < count; i++) rates[i] = -random_float(0, 16);
  for (int s = 0; s < set_count; s++) {
    float *output = guarded(count * sizeof(float)), *decays = guarded(count * sizeof(float));
    memcpy(output, x, count * sizeof(float));
    ft_gate(sets[s]->set, output, gate, count);
    compare(sets[s], "gated values", output, count * sizeof(float));
    for (size_t i = 0; i < count; i++)
      demand(fabs(x[i] / (1 + exp(-(double)gate[i])) - output[i]) < 1e-4, sets[s], "a gate is not what it should be");
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)small[i] * gate[i];
    memcpy(output, rates, count * sizeof(float));
    ft_add_gated(sets[s]->set, x, small, gate, count, output);
    compare(sets[s], "gated sum", output, count * sizeof(float));
    for (size_t i = 0; i < count; i++)
      demand(fabs(rates[i] + x[i] / (1 + exp(-sum)) - output[i]) < 1e-4, sets[s], "a gated sum is not what it should be");
    memcpy(output, x, count * sizeof(float));
    ft_gated_norm(sets[s]->set, output, gate, count, weight, 1e-6f);
    compare(sets[s], "gated norm", output, count * sizeof(float));
    memcpy(output, x, count * sizeof(float));
    ft_normalise(sets[s]->set, output, count, 1e-6f, 0.5f);
    compare(sets[s], "vector of a length", output, count * sizeof(float));
    ft_delta_gates(sets[s]->set, x, gate, rates, weight, count, decays, output);
    compare(sets[s], "decays", decays, count * sizeof(float));
    compare(sets[s], "strengths", output, count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
      const double step = (double)x[i] + weight[i], plus = step > 0 ? step + log1p(exp(-step)) : log1p(exp(step));
      demand(fabs(exp(rates[i] * plus) - decays[i]) < 1e-5, sets[s], "a decay is not what it should be");
      demand(fabs(1 / (1 + exp(-(double)gate[i])) - output[i]) < 1e-6, sets[s], "a strength is not what it should be");
    }
  }
  release_all();
}

static void check_steps(size_t key_size, size_t count) {
  context("steps of a state of %zu x %zu", key_size, count);
  const size_t floats = key_size * FT_STRIP;
  float *key = guarded(key_size * sizeof(float)), *query = guarded(key_size * sizeof(float));
  float *value = guarded(count * sizeof(float)), *before = guarded(floats * sizeof(float));
  fill_floats(before, floats, 1);
  for (size_t i = 0; i < floats; i++)
    if (i % FT_STRIP >= count) before[i] = 0;
  fill_floats(key, key_size, 0.3f);
  fill_floats(query, key_size, 0.3f);
  fill_floats(value, count, 3);
  for (int s = 0; s < set_count; s++) {
    float *output = guarded(count * sizeof(float)), *after = guarded(floats * sizeof(float));
    const ft_delta_row row = {key, query, value, output, key_size, count, 0.9f, 0.7f};
    ft_delta_step(sets[s]->set, before, after, &row);
    compare(sets[s], "output", output, count * sizeof(float));
    compare(sets[s], "state", after, floats * sizeof(float));
    for (size_t j = 0; j < count; j++) {
      double remembered = 0, found = 0;
      for (size_t i = 0; i < key_size; i++) remembered += 0.9 * before[i * FT_STRIP + j] * key[i];
      for (size_t i = 0; i < key_size; i++)
        found += (0.9 * before[i * FT_STRIP + j] + key[i] * 0.7 * (value[j] - remembered)) * query[i];
      demand(fabs(found - output[j]) < 1e-4, sets[s], "an output is not what it should be");
    }
    // In place as well.
    float *same = guarded(floats * sizeof(float));
    memcpy(same, before, floats * sizeof(float));
    ft_delta_step(sets[s]->set, same, same, &row);
    demand(memcmp(same, after, floats * sizeof(float)) == 0, sets[s], "a step in place gives another state");
    for (size_t i = 0; i < floats; i++)
      demand(i % FT_STRIP < count || after[i] == 0, sets[s], "a channel past the last one is not zero");
  }
  release_all();
}

void check_recurrence(void) {
  for (size_t channels = 1; channels <= 40; channels++) check_convolution(channels, 2 + channels % 4);
  check_convolution(1024, 4);
  for (size_t count = 1; count <= 70; count++) check_values(count);
  for (size_t key_size = 1; key_size <= 20; key_size++) check_steps(key_size, 1 + key_size % FT_STRIP);
  check_steps(128, FT_STRIP);
}
