// Matrix products of every format, for all counts of rows that tiles are cut from, and for sizes that no tile divides.
#include "check.h"

static const char *const formats[] = {"bfloat16", "int8", "int4", "q4_0", "q4_1", "q5_0", "q5_1", "q5_k", "q6_k", "q3_k",
                                      "iq4_nl", "mxfp4"};

static size_t rounded(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

typedef struct {
  ft_weight_format format;
  ft_epilogue epilogue;
  size_t rows, columns, outputs;
  bool has_bias, is_extreme;
} product;

/// Rows that are ordinary, have outliers (which get second digits), are zero, or are tiny.
static void fill_inputs(float *x, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++) {
    float *row = x + r * columns;
    fill_floats(row, columns, r % 7 == 5 ? 1e-30f : 3.0f);
    for (size_t k = 0; k < columns; k++)
      if (r % 3 == 1 && random_word() % 40 == 0) row[k] = random_float(-400, 400);
    if (r % 5 == 4) memset(row, 0, columns * sizeof(float));
  }
}

/// A panel whose integers are as large as the format has them, nearly all of one sign in a row, so that sums that are too
/// narrow overflow.
static void fill_extreme_panel(ft_weight_format format, size_t columns, uint8_t *panel) {
  float values[FT_PANEL][512], scratch[2 * FT_PANEL * 512];
  const void *rows[FT_PANEL];
  ft_element elements[FT_PANEL];
  for (size_t r = 0; r < FT_PANEL; r++) {
    for (size_t k = 0; k < columns; k++) values[r][k] = (r % 2 == 0) == (k % FT_GROUP == r) ? -1 : 1;
    rows[r] = values[r], elements[r] = FT_FLOAT32;
  }
  ft_pack_panel(FT_PORTABLE, format, elements, rows, columns, NULL, NULL, scratch, panel, NULL);
}

/// Buffers of as many bytes as the product may touch.
static ft_prepared_rows prepared_rows(size_t rows, size_t columns) {
  const size_t stride = rounded(columns, 2 * FT_GROUP), groups = stride / FT_GROUP, runs = stride / FT_RUN;
  return (ft_prepared_rows){.values = guarded(rows * stride * sizeof(float)),
                            .scratch = guarded(rows * stride),
                            .scales = guarded(groups * rows * sizeof(float)),
                            .sums = guarded(runs * rows * sizeof(float)),
                            .stride = stride,
                            .second_counts = guarded(rows * sizeof(uint32_t)),
                            .second_groups = guarded(rows * groups * sizeof(uint32_t)),
                            .second_digits = guarded(rows * stride),
                            .second_scales = guarded(rows * groups * sizeof(float)),
                            .second_sums = guarded(rows * runs * sizeof(float))};
}

/// Computes `p` with rows `first` ..< `first + count` of `x` alone, into `output`, [count, outputs + 3].
static void multiply(const instruction_set *set, const product *p, const uint8_t *panels, const float *x, size_t first,
                     size_t count, const float *bias, float *output) {
  ft_linear_task task = {.format = p->format,
                         .epilogue = p->epilogue,
                         .panels = panels,
                         .columns = p->columns,
                         .outputs = p->outputs,
                         .x = prepared_rows(count, p->columns),
                         .rows = count,
                         .bias = p->has_bias ? bias : NULL,
                         .up_bias = p->has_bias ? bias + p->outputs : NULL,
                         .output = output,
                         .output_stride = p->outputs + 3,
                         .slope = 1.702f,
                         .limit = 0.5f};
  // In two parts, as threads do.
  const size_t half = count / 2, units = (p->outputs + FT_PANEL - 1) / FT_PANEL, some = units / 2 / 2 * 2;
  x += first * p->columns;
  ft_prepare_rows(set->set, p->format, x, p->columns, p->columns, count, 0, half, &task.x);
  ft_prepare_rows(set->set, p->format, x, p->columns, p->columns, count, half, count - half, &task.x);
  ft_linear(set->set, &task, 0, some);
  ft_linear(set->set, &task, some, units - some);
}

static void check_product(product p) {
  context("product %s, %zu rows, %zu inputs, %zu outputs, epilogue %d, bias %d", formats[p.format], p.rows, p.columns,
          p.outputs, (int)p.epilogue, (int)p.has_bias);
  const size_t panels = (p.outputs + FT_PANEL - 1) / FT_PANEL * (ft_is_gated(p.epilogue) ? 2 : 1);
  const size_t bytes = ft_panel_bytes(p.format, p.columns), stride = p.outputs + 3;
  uint8_t *weights = guarded(panels * bytes);
  float *x = guarded(p.rows * p.columns * sizeof(float)), *bias = guarded(2 * p.outputs * sizeof(float));
  float *before = guarded(p.rows * stride * sizeof(float));
  for (size_t i = 0; i < panels; i++) {
    if (p.is_extreme) fill_extreme_panel(p.format, p.columns, weights + i * bytes);
    else ft_fill_random_panel(p.format, p.columns, random_word(), weights + i * bytes);
  }
  fill_inputs(x, p.rows, p.columns);
  for (size_t i = 0; p.is_extreme && i < p.rows * p.columns; i++) x[i] = i / p.columns % 2 == 0 ? 2 : -2;
  fill_floats(bias, 2 * p.outputs, 1);
  fill_floats(before, p.rows * stride, 1);
  const size_t row = random_word() % p.rows;
  for (int s = 0; s < set_count; s++) {
    float *output = guarded(p.rows * stride * sizeof(float)), *alone = guarded(stride * sizeof(float));
    memcpy(output, before, p.rows * stride * sizeof(float));
    multiply(sets[s], &p, weights, x, 0, p.rows, bias, output);
    compare(sets[s], "product", output, p.rows * stride * sizeof(float));
    // A row's result is that of the row alone.
    memcpy(alone, before + row * stride, stride * sizeof(float));
    multiply(sets[s], &p, weights, x, row, 1, bias, alone);
    demand(memcmp(alone, output + row * stride, stride * sizeof(float)) == 0, sets[s], "a row alone has another result");
  }
  release_all();
}

void check_products(void) {
  static const size_t columns[] = {1, 31, 32, 33, 63, 64, 65, 129, 256, 257, 300, 515, 1100};
  static const size_t outputs[] = {1, 15, 16, 17, 32, 37, 80};
  static const size_t many_rows[] = {23, 24, 25, 37};
  size_t next = 0;
  for (int format = FT_WEIGHT_BFLOAT16; format <= FT_WEIGHT_MXFP4; format++) {
    // All counts of rows at a size with a last group that is not full, and one after the other of the other sizes.
    for (size_t rows = 1; rows <= 18; rows++)
      for (int epilogue = FT_STORE; epilogue <= FT_GATE_CLAMPED; epilogue++)
        for (int i = 0; i < 3; i++, next++) {
          const size_t inputs = i == 0 ? 300 : columns[next % 13];
          check_product((product){format, epilogue, rows, inputs, outputs[next / 2 % 7], next % 2, false});
        }
    for (int i = 0; i < 4; i++) check_product((product){format, FT_STORE, many_rows[i], 257, 37, false, false});
    for (size_t rows = 1; rows <= 13; rows++) check_product((product){format, FT_STORE, rows, 257, 48, false, true});
    for (int i = 0; i < 13; i++) check_product((product){format, FT_ADD, 5, columns[i], 33, true, false});
  }
}
