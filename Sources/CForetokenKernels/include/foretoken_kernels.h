/// Kernels of Foretoken: arithmetic on plain memory. No allocation, no threads, no state.
///
/// Every function takes the instruction set to use. All sets give the same bits: the same operations in the same
/// order, only more or fewer lanes at a time. A row's results depend on that row alone, however many rows are passed.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Rows of a packed matrix that are computed together.
#define FT_PANEL 16
/// Input columns that share one scale in the four-bit format.
#define FT_GROUP 32
/// Positions in a KV block.
#define FT_BLOCK 16

typedef enum {
  FT_PORTABLE = 0,
  FT_AVX2,
  FT_AVX_VNNI,
  FT_AVX512,
  FT_AMX,      ///< the same with products of byte matrices
  FT_NEON,     ///< with byte dot products
  FT_NEON_I8MM ///< with products of byte matrices as well
} ft_instruction_set;
/// Formats of weights in files. Those with a Q are ggml's block formats; MXFP4 is OCP's, as ggml lays it out.
typedef enum {
  FT_FLOAT32 = 0,
  FT_FLOAT16,
  FT_BFLOAT16,
  FT_Q4_0,
  FT_Q4_1,
  FT_Q5_0,
  FT_Q5_1,
  FT_Q8_0,
  FT_Q2_K,
  FT_Q3_K,
  FT_Q4_K,
  FT_Q5_K,
  FT_Q6_K,
  FT_IQ4_NL,
  FT_IQ4_XS,
  FT_MXFP4,
  FT_TQ1_0,
  FT_TQ2_0,
  FT_IQ2_XXS,
  FT_IQ2_XS,
  FT_IQ2_S,
  FT_IQ3_XXS,
  FT_IQ3_S,
  FT_IQ1_S,
  FT_IQ1_M,
  FT_INTEGERS, ///< in no file: a float, and 32 bytes that it scales
  FT_E4M3,     ///< eight-bit floats, without infinities
  FT_E5M2,     ///< eight-bit floats: the upper half of a half
  FT_E8M0      ///< powers of two by their exponents
} ft_element;
/// Formats of weights in memory. Integer weights come in groups of FT_GROUP inputs; a weight is its integer times a
/// scale, plus an offset where the format has them. Scales and offsets are halves, or bytes times halves that 256 inputs
/// share ("codes"). Formats with a Q hold ggml's of that name without a second rounding.
typedef enum {
  FT_WEIGHT_BFLOAT16 = 0,
  FT_WEIGHT_INT8, ///< 8 bits, a scale for 32 inputs: 8.5 bits a weight; also Q8_0
  FT_WEIGHT_INT4, ///< 4 bits, codes of scale and offset for 32: 4.63; also Q4_K
  FT_WEIGHT_Q4_0, ///< 4 bits, a scale for 32: 4.5
  FT_WEIGHT_Q4_1, ///< 4 bits, scale and offset for 32: 5
  FT_WEIGHT_Q5_0, ///< 5 bits, a scale for 32: 5.5
  FT_WEIGHT_Q5_1, ///< 5 bits, scale and offset for 32: 6
  FT_WEIGHT_Q5_K, ///< 5 bits, codes of scale and offset for 32: 5.63
  FT_WEIGHT_Q6_K, ///< 6 bits, codes of scales for 16: 6.56
  FT_WEIGHT_Q3_K, ///< 4 bits, codes of scale and offset for 16: 5.13; also Q2_K
  FT_WEIGHT_IQ4_NL, ///< 4 bits in unequal steps, a scale for 32: 4.5; also IQ4_XS
  FT_WEIGHT_MXFP4   ///< 4 bits as floats, a scale for 32: 4.5
} ft_weight_format;

/// Whether this machine can run `set`.
bool ft_is_available(ft_instruction_set set);
/// A pause inside a spinning loop.
void ft_pause(void);
/// Asks for `count` lines of 64 bytes of memory that will be read soon.
void ft_prefetch(const void *memory, size_t count);
/// Keeps the calling thread on processors, a bit for each; false where the system does not do that.
bool ft_bind_thread(const uint64_t *processors, size_t words);
/// The processors that the calling thread may run on; `processors` is zeroed. False where the system does not say.
bool ft_thread_processors(uint64_t *processors, size_t words);

// --- Packing -----------------------------------------------------------------------------------------------------

/// Input columns rounded up to what the format stores.
size_t ft_packed_columns(ft_weight_format format, size_t columns);
/// Bytes of one panel of FT_PANEL output rows.
size_t ft_panel_bytes(ft_weight_format format, size_t columns);
/// How packing ended.
typedef enum {
  FT_PACKED = 0,
  FT_NOT_FINITE = 1 ///< a weight, or a scale of weights, is infinite or no number
} ft_packing_result;

/// Packs one panel. `rows[i]` is an output row in the file's format `elements[i]`, or NULL for a row of zeros.
/// Rows of block formats that `format` holds are taken over as they are; the others are rounded to the nearest.
///
/// `exponents`, if not NULL, has for each input column a power of two that its weights are multiplied by, and
/// `row_exponents` for each of the FT_PANEL rows. `scratch` holds `ft_packing_scratch(columns)` floats. Adds, if `errors`
/// is not NULL, to `errors[0]` the squared difference between weights and packed weights and to `errors[1]` the weights'
/// squares.
ft_packing_result ft_pack_panel(ft_instruction_set set, ft_weight_format format, const ft_element elements[FT_PANEL],
                                const void *const rows[FT_PANEL], size_t columns, const int8_t *exponents,
                                const int8_t *row_exponents, float *scratch, uint8_t *panel, double errors[2]);
size_t ft_packing_scratch(size_t columns);
/// The weights of a packed panel, [FT_PANEL, packed columns].
void ft_unpack_panel(ft_weight_format format, size_t columns, const uint8_t *panel, float *output);
/// Whether a panel of `format` holds the weights of blocks of `element` exactly, but for the rounding of single floats.
bool ft_holds(ft_weight_format format, ft_element element);
/// Weights that lie in one block, 1 for plain numbers.
size_t ft_block_weights(ft_element element);
/// Bytes of a block.
size_t ft_block_bytes(ft_element element);
/// Converts `count` elements, whole blocks, to floats, exactly.
void ft_to_float(ft_element element, const void *source, size_t count, float *output);

// --- Matrices in parts ---------------------------------------------------------------------------------------------

/// Integers of 1 to 8 bits in words of 32, without gaps: where they end in a word, they go on in the next.
typedef struct {
  const uint8_t *words;
  int bits;
  bool along_rows;    ///< neighbours in a column, and not in a row, share words
  bool is_awq;        ///< the eight of a word in AWQ's order
  size_t word_stride; ///< words from one to the next in that direction
  size_t stride;      ///< words from one to the next in the other
} ft_packed_integers;

/// [rows, columns]: a weight is its group's scale times what its integer is above the group's zero.
typedef struct {
  ft_packed_integers integers;
  bool is_signed; ///< eight bits with a sign
  const void *scales;
  ft_element scale_element;
  size_t scale_row_stride, scale_group_stride; ///< elements
  ft_packed_integers zeros; ///< [rows, groups]; no words for none
  int zero;                 ///< the one of all groups, or what is added to all of `zeros`
  size_t group_size;        ///< inputs that share a scale
  const uint8_t *groups;    ///< the number of each column's group, 32 bits; NULL where columns follow each other
  size_t group_count;
} ft_grouped_matrix;

/// Row `row` as blocks of FT_INTEGERS. Columns and groups are whole numbers of FT_GROUP, in order.
void ft_read_grouped(const ft_grouped_matrix *matrix, size_t row, size_t columns, uint8_t *blocks);
/// Row `row` as floats.
void ft_read_grouped_floats(const ft_grouped_matrix *matrix, size_t row, size_t columns, float *output);

/// [rows, columns] of eight-bit floats, with a scale for every `block_rows` times `block_columns` of them.
typedef struct {
  const uint8_t *values;
  ft_element element;
  const void *scales;
  ft_element scale_element;
  size_t block_rows, block_columns, scale_stride; ///< the last one in elements, from one row of scales to the next
} ft_float8_matrix;

/// Row `row` as floats.
void ft_read_float8(const ft_float8_matrix *matrix, size_t row, size_t columns, float *output);
/// Row `row` of a matrix whose nibbles and exponents lie apart, as blocks of FT_MXFP4. Two neighbours share a byte.
void ft_read_mxfp4(const uint8_t *nibbles, const uint8_t *exponents, size_t row, size_t columns, uint8_t *blocks);

/// Number of the layout of packed panels: another one means other bytes.
#define FT_LAYOUT 2
/// A checksum against damage by chance; reads as fast as memory gives.
uint64_t ft_checksum(const void *bytes, size_t count);

/// Fills one panel with random weights whose products with a row of unit variance have about unit variance.
void ft_fill_random_panel(ft_weight_format format, size_t columns, uint64_t seed, uint8_t *panel);
/// Fills a KV cache with random halves of magnitudes from 0.25 to 0.5.
void ft_fill_random_halves(uint64_t seed, size_t count, uint16_t *output);

// --- Matrix products -----------------------------------------------------------------------------------------------

/// Input rows as a product reads them. Rows are cut into tiles of as many as an instruction set computes side by side;
/// within a tile they are interleaved: four bytes (or one float) of each of its rows in turn.
typedef struct {
  void *values;     ///< [rows, stride] eight-bit integers, or floats for bfloat16 weights; zero past the columns
  int8_t *scratch;  ///< [rows, stride], a row before it is interleaved
  float *scales;    ///< [groups, rows] interleaved, of the integers of each group
  void *sums;       ///< [runs, rows] interleaved, what each run of a format's scales needs to know of its inputs
  size_t stride;    ///< a multiple of 2 * FT_GROUP
  /// Groups with an outlier, which leaves the other inputs next to no digits: their second digits.
  uint32_t *second_counts; ///< [rows]
  uint32_t *second_groups; ///< [rows, stride / FT_GROUP], ascending
  int8_t *second_digits;   ///< [rows, stride]
  float *second_scales;    ///< [rows, stride / FT_GROUP]
  void *second_sums;       ///< [rows, stride / FT_RUN]
} ft_prepared_rows;
/// Inputs of the shortest run that has a scale of its own.
#define FT_RUN 16

/// Prepares rows `first ..< first + count` of the `rows` that a product will have: in symmetric eight bits with a scale
/// for each group of FT_GROUP for integer weights, as they are for bfloat16.
void ft_prepare_rows(ft_instruction_set set, ft_weight_format format, const float *x, size_t x_stride, size_t columns,
                     size_t rows, size_t first, size_t count, const ft_prepared_rows *output);

typedef enum {
  FT_STORE = 0, ///< output = product + bias
  FT_ADD = 1,   ///< output += product + bias
  FT_GATE = 2,  ///< panels alternate gate and up; output = silu(gate) * up
  FT_GATE_GELU = 3, ///< the same; output = gelu(gate) * up, with the tangent's approximation of gelu
  /// The same; output = gate / (1 + e^(-slope * gate)) * (up + 1), where the gate is at most `limit` and the magnitude of
  /// up, too. Source: `GptOssExperts` in transformers.
  FT_GATE_CLAMPED = 4
} ft_epilogue;
/// Whether panels alternate gate and up.
static inline bool ft_is_gated(ft_epilogue epilogue) { return epilogue >= FT_GATE; }

typedef struct {
  ft_weight_format format;
  ft_epilogue epilogue;
  const uint8_t *panels;
  size_t columns;      ///< inputs of the matrix
  size_t outputs;      ///< columns of `output`
  ft_prepared_rows x;  ///< [rows, columns], prepared for `format`
  size_t rows;
  const float *bias;    ///< [outputs] or NULL; of pairs the gate's
  const float *up_bias; ///< [outputs] or NULL
  float *output;        ///< [rows, output_stride]
  size_t output_stride;
  float slope, limit;   ///< of FT_GATE_CLAMPED
} ft_linear_task;

/// Computes the output panels `first ..< first + count`; of gated products a unit is a pair of panels.
void ft_linear(ft_instruction_set set, const ft_linear_task *task, size_t first, size_t count);

// --- Rows --------------------------------------------------------------------------------------------------------

/// output = x / rms(x) * weight, for one row.
void ft_rms_norm(ft_instruction_set set, const float *x, size_t columns, const float *weight, float epsilon, float *output);
/// values[i] = cap * tanh(values[i] / cap), for a cap above 0.
void ft_soft_cap(ft_instruction_set set, float *values, size_t count, float cap);
/// Index of the largest value, the lowest one of several; NaN never wins.
size_t ft_argmax(ft_instruction_set set, const float *values, size_t count);
/// Tokens from `first`, a multiple of 4, on for `count` that may reach a value of log(2) * `limit` with their noise: those
/// whose `logits[token] * scale + log2(1 / (1 - u))`, rounded up to the next whole logarithm, is `limit` or more. u is the
/// token's uniform number, word `token % 4` of Philox4x32-10 under `key` at the counter (token / 4, position, 0).
/// Ascending, into `candidates`, which has room for `count`; returns their number.
size_t ft_draw_candidates(ft_instruction_set set, const float *logits, size_t first, size_t count, uint64_t key,
                          uint64_t position, float scale, float limit, uint32_t *candidates);
/// Sum of e^((values[i] - peak) * scale).
float ft_sum_exp(ft_instruction_set set, const float *values, size_t count, float peak, float scale);

// --- Experts -----------------------------------------------------------------------------------------------------

/// The `chosen` experts of one row with the largest of `count` scores, that of the lowest number first among equals, and
/// each one's share: its part of the softmax over all experts, or over those that are chosen. Overwrites the scores.
void ft_choose_experts(ft_instruction_set set, float *scores, size_t count, size_t chosen, bool is_share_of_all,
                       uint32_t *experts, float *shares);
/// output[i] += sum over r of shares[r] * rows[r][i], from the first of `count` rows to the last.
void ft_add_shares(ft_instruction_set set, const float *const *rows, const float *shares, size_t count, size_t columns,
                   float *output);

// --- Attention -----------------------------------------------------------------------------------------------------

/// Rotates (after normalising, when `norm` is not NULL) one head in place. Channel i pairs with i + head_size / 2.
void ft_norm_rotate(ft_instruction_set set, float *head, size_t head_size, const float *norm, float epsilon,
                    const float *cosines, const float *sines);
/// How keys and values are kept: halves, saturated; or bytes, every FT_GROUP channels of a head of a position with a scale
/// of their own.
typedef enum { FT_CACHE_HALF = 0, FT_CACHE_INT8 = 1 } ft_cache_format;

/// Bytes of one head's keys, or values, in one block. A key block is [head_size, FT_BLOCK], a value block
/// [FT_BLOCK, head_size]; after bytes come scales, [groups of channels, FT_BLOCK] floats.
size_t ft_cache_block_bytes(ft_cache_format format, size_t head_size);

/// Writes one position's key and value of one KV head, of at most FT_LARGEST_HEAD channels.
void ft_store_key_value(ft_instruction_set set, ft_cache_format format, uint8_t *key_block, uint8_t *value_block,
                        size_t slot, const float *key, const float *value, size_t head_size);
#define FT_LARGEST_HEAD 1024

typedef struct {
  ft_cache_format format;
  const uint8_t *keys;   ///< first key block of this layer and KV head
  const uint8_t *values; ///< first value block of this layer and KV head
  size_t block_stride;   ///< bytes from a block to the next block number
  const int32_t *blocks; ///< the sequence's blocks
  size_t head_size;
  float scale;
  float cap; ///< scores are bent to stay within it, cap * tanh(score / cap); 0 for none
} ft_attention_task;

/// One query head of one row: attention over positions `first` ..< `length`.
typedef struct {
  const float *query; ///< [head_size]
  float *output;      ///< [head_size]
  size_t first;       ///< below `length`
  size_t length;
  float sink; ///< the score of something that every row sees and that has no value; -INFINITY for none
} ft_attention_query;

/// Floats of scratch for each query.
#define FT_ATTENTION_SCRATCH(head_size) (16 + ((head_size) + 15) / 16 * 16)

/// Attention of queries that share their keys and values: each block is read once for all of them. `scratch` holds
/// FT_ATTENTION_SCRATCH(head_size) floats a query.
void ft_attention(ft_instruction_set set, const ft_attention_task *task, const ft_attention_query *queries, size_t count,
                  float *scratch);

/// x *= sigmoid(gate), element by element: what a gate lets through of attention.
void ft_gate(ft_instruction_set set, float *x, const float *gate, size_t count);
/// output += sigmoid(weight . input) * x, for one row: what an expert that all rows go through adds.
void ft_add_gated(ft_instruction_set set, const float *x, const float *weight, const float *input, size_t columns,
                  float *output);

// --- Recurrence ----------------------------------------------------------------------------------------------------
//
// The gated delta rule: S = decay * S + k (strength * (v - decay * S^T k))^T, o = S^T q, for each value head. A state is
// kept in strips of FT_STRIP value channels, [strips, key size, FT_STRIP], the last one padded with zeros: strips do not
// depend on each other.

/// Value channels of a strip.
#define FT_STRIP 16

/// One position of a causal convolution by channel, then silu: output[i] = silu(sum of weights[tap * stride + i] *
/// rows[tap][i]), the oldest row first.
void ft_convolve(ft_instruction_set set, const float *const *rows, size_t taps, const float *weights, size_t stride,
                 size_t channels, float *output);
/// x *= length / sqrt(sum of squares + epsilon).
void ft_normalise(ft_instruction_set set, float *x, size_t columns, float epsilon, float length);
/// By head: decay = e^(rate * softplus(alpha + bias)), strength = sigmoid(beta).
void ft_delta_gates(ft_instruction_set set, const float *alphas, const float *betas, const float *rates, const float *biases,
                    size_t heads, float *decays, float *strengths);

/// What a position does to a strip of one head's state.
typedef struct {
  const float *key, *query; ///< [key_size]
  const float *value;       ///< [count]
  float *output;            ///< [count]
  size_t key_size;
  size_t count; ///< value channels of the strip, at most FT_STRIP
  float decay, strength;
} ft_delta_row;

/// Takes a strip, [key_size, FT_STRIP], from `before` to `after`, which may be the same.
void ft_delta_step(ft_instruction_set set, const float *before, float *after, const ft_delta_row *row);
/// x = x / rms(x) * weight * silu(gate), for one row.
void ft_gated_norm(ft_instruction_set set, float *x, const float *gate, size_t columns, const float *weight, float epsilon);

// --- Ceilings ------------------------------------------------------------------------------------------------------

typedef enum { FT_BYTES = 0, FT_FLOATS = 1 } ft_arithmetic;

/// Reads memory and nothing else, as `streams` parts side by side; returns a value that depends on all of it.
uint32_t ft_read_memory(ft_instruction_set set, const void *memory, size_t bytes, size_t streams);
/// Multiplies and adds in registers and nothing else; returns the number of products.
uint64_t ft_multiply(ft_instruction_set set, ft_arithmetic arithmetic, size_t iterations, uint32_t *result);
