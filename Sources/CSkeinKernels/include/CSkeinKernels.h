// Every prototype of the kernels, with shapes in comments. Pointers, counts and strides only.
//
// Arithmetic promise: an element's value depends on its own row and on the weight alone, never on
// the number of rows in the call, on tiles or on threads; and scalar, AVX2 and AVX-512 agree bit
// for bit. All arithmetic runs with subnormals read as zero and flushed to zero, because vdpbf16ps
// can do nothing else.
#ifndef CSKEINKERNELS_H
#define CSKEINKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- choose_isa.c: which instructions to use -------------------------------------------------

enum { SKEIN_ISA_SCALAR = 0, SKEIN_ISA_AVX2 = 1, SKEIN_ISA_AVX512 = 2 };

/// Whether this processor can run the kernels of `isa`.
bool skein_isa_supported(int isa);
/// The best one, unless SKEIN_ISA (scalar, avx2, avx512) asks for a lesser one; read once.
int skein_isa_chosen(void);

// ---- pool.c: threads -------------------------------------------------------------------------

typedef struct skein_pool skein_pool;

/// One thread means: nothing is spawned. Returns NULL when threads cannot be made.
skein_pool *skein_pool_create(size_t thread_count, int isa, bool pinned);
void skein_pool_destroy(skein_pool *pool);
size_t skein_pool_thread_count(const skein_pool *pool);
int skein_pool_isa(const skein_pool *pool);

typedef void (*skein_tile)(void *arguments, size_t tile, size_t thread);

/// One parallel region at a time: others wait here.
void skein_pool_lock(skein_pool *pool);
void skein_pool_unlock(skein_pool *pool);
/// Runs every tile once; call between lock and unlock.
void skein_pool_run(skein_pool *pool, size_t tile_count, skein_tile tile, void *arguments);
/// Scratch of one region, 64-byte aligned, kept between calls; contents unspecified.
void *skein_pool_shared_scratch(skein_pool *pool, size_t slot, size_t bytes);
/// Makes sure that every thread has `bytes`; skein_pool_thread_scratch then returns them.
void skein_pool_reserve(skein_pool *pool, size_t bytes);
void *skein_pool_thread_scratch(skein_pool *pool, size_t thread);

// ---- weights ---------------------------------------------------------------------------------

/// Numbers of a row that share the scale of their E4M3 codes, in latent rows and on the wire.
enum { SKEIN_TILE_COLUMNS = 128 };

enum { SKEIN_F32 = 0, SKEIN_BF16 = 1, SKEIN_F8E4M3 = 2, SKEIN_I8 = 3 };

/// Columns that share the scale of an INT8 row, and rows that lie interleaved in memory.
enum { SKEIN_GROUP_COLUMNS = 128, SKEIN_BAND_ROWS = 16 };

/// A matrix [rows, columns], row-major, as stored; INT8 as skein_pack_i8 writes it.
typedef struct skein_weight {
    const uint8_t *bytes;  // of the first row of this view; any alignment
    const float *scales;   // [scale rows, scale_columns] of the whole weight; F8E4M3 and I8 only
    size_t rows, columns;
    size_t block_rows, block_columns;  // of one scale; columns for formats without scales
    size_t scale_columns;
    size_t first_row;  // of this view in the whole: scale row = (first_row + n) / block_rows
    int format;
} skein_weight;

/// out[c] = weight[row, c] as F32, scale applied (one rounding).
void skein_decode_row(const skein_weight *weight, size_t row, float *out);

/// What an INT8 form of a matrix takes.
size_t skein_i8_byte_count(size_t rows, size_t columns);
size_t skein_i8_scale_count(size_t rows, size_t columns);
/// Makes the INT8 form of a weight of any other format: bands of 16 rows, in a band four columns of
/// each row side by side, [band, column / 4, row, column % 4]; scales [band, group, row], each the
/// largest magnitude of 128 columns of a row divided by 127. Rows and columns beyond are zero.
void skein_pack_i8(skein_pool *pool, const skein_weight *weight, uint8_t *bytes, float *scales);

// ---- pages -----------------------------------------------------------------------------------

/// Asks the system to fetch the pages of some mapped bytes; does not wait for them.
void skein_read_ahead(const uint8_t *bytes, size_t count);
/// Reads every page of some bytes once, stretch by stretch, on all threads of the pool.
void skein_touch(skein_pool *pool, const uint8_t *bytes, size_t count);

// ---- products --------------------------------------------------------------------------------

/// output[m, n] = sum over k of bf16(input[m, k]) * weight[n, k]; F32 weights multiply in F32.
/// For an INT8 weight the input is quantised instead, 128 columns of a row with one scale.
/// input [count, input_stride], output [count, output_stride].
void skein_multiply(skein_pool *pool, const skein_weight *weight, const float *input,
                    size_t input_stride, float *output, size_t output_stride, size_t count);
/// The same with input and decoded weight in F32.
void skein_multiply_f32(skein_pool *pool, const skein_weight *weight, const float *input,
                        size_t input_stride, float *output, size_t output_stride, size_t count);

/// Head h uses rows h * head_rows + first_row ..< + used_rows of the weight.
typedef struct skein_heads {
    size_t head_count, head_rows, first_row, used_rows;
    size_t input_head_stride;   // columns of `input` from one head to the next
    size_t output_head_stride;  // columns of `output` from one head to the next
} skein_heads;

/// output[m, h * output_head_stride + r] =
///     sum over k of input[m, h * input_head_stride + k] * weight[head row r of h, k]
void skein_multiply_heads(skein_pool *pool, const skein_weight *weight, const skein_heads *heads,
                          const float *input, size_t input_stride, float *output,
                          size_t output_stride, size_t count);
/// output[m, h * output_head_stride + c] =
///     sum over n of input[m, h * input_head_stride + n] * weight[head row n of h, c]
void skein_multiply_heads_transposed(skein_pool *pool, const skein_weight *weight,
                                     const skein_heads *heads, const float *input,
                                     size_t input_stride, float *output, size_t output_stride,
                                     size_t count);

/// One gated unit: gate and up [inner, columns], down [outer, inner].
typedef struct skein_gated_weight {
    skein_weight gate, up, down;
} skein_gated_weight;

/// One gated unit with the rows it serves: row numbers of the input and of the output.
typedef struct skein_gated_rows {
    const skein_gated_weight *weight;
    const uint32_t *input_rows, *output_rows;
    size_t count;
} skein_gated_rows;

/// output[output_rows[i]] = down * bf16(silu(gate * x) * (up * x)), x = bf16(input[input_rows[i]]).
/// Units with `in_f32` multiply in F32 throughout and round nothing to BF16; INT8 units quantise x
/// and the inner product as skein_multiply does.
void skein_apply_gated(skein_pool *pool, const skein_gated_rows *units, size_t unit_count,
                       const float *input, size_t input_stride, size_t input_count, float *output,
                       size_t output_stride, bool in_f32);

// ---- attention -------------------------------------------------------------------------------

/// Rows of `width` numbers, the first `latent_width` of them the latent. As stored: `coded_width`
/// numbers as E4M3 codes, an F32 scale for each 128 of these, and the other numbers in BF16.
typedef struct skein_latent_rows {
    const uint8_t *bytes;  // [page, page_rows, row_bytes] of one layer; any alignment
    size_t page_rows, row_bytes;
    size_t width, coded_width, latent_width;
} skein_latent_rows;

/// Writes a latent row. Scales are powers of two, so that a code times its scale is a BF16 number:
/// attention has the bits that it has over BF16 rows of these numbers.
void skein_pack_latent(int isa, uint8_t *row, const float *in, size_t width, size_t coded_width);
void skein_unpack_latent(float *out, const uint8_t *row, size_t width, size_t coded_width);

/// Row m attends to positions 0 ... positions[m]; page p of row m is pages[page_starts[m] + p].
/// Where `selected` is not NULL and row m has more than `selected_count` positions, it attends to
/// those in selected[m * selected_count ...] only, which ascend.
/// queries [count, head_count * width], output [count, head_count * latent_width].
void skein_attend_latent(skein_pool *pool, const skein_latent_rows *rows, const int32_t *pages,
                         const size_t *page_starts, const size_t *positions,
                         const int32_t *selected, size_t selected_count, size_t head_count,
                         float scale, const float *queries, float *output, size_t count);

/// For a row m with more than `kept` positions: the `kept` of 0 ... positions[m] with the largest
/// scores, ascending: selected[m * kept ...]; nothing is written for other rows. The lower position
/// goes first among equals; NaN comes last.
///
/// score(m, s) = sum over heads of weights[m, head] * max(0, queries[m, head] . keys[s])
/// queries [count, head_count * width], weights [count, head_count].
void skein_select_positions(skein_pool *pool, const skein_latent_rows *keys, const int32_t *pages,
                            const size_t *page_starts, const size_t *positions, size_t head_count,
                            const float *queries, const float *weights, size_t kept,
                            int32_t *selected, size_t count);
/// The scores of one row's positions 0 ... position.
void skein_score_positions(skein_pool *pool, const skein_latent_rows *keys, const int32_t *pages,
                           size_t position, size_t head_count, const float *queries,
                           const float *weights, float *scores);
/// The places of the `kept` largest of `count` numbers, ascending, as above.
void skein_select_largest(const float *scores, size_t count, size_t kept, int32_t *places);

// ---- rows ------------------------------------------------------------------------------------

/// output[m, c] = weight[c] * input[m, c] / sqrt(mean over c of input squared + epsilon)
void skein_normalize(skein_pool *pool, const float *input, size_t input_stride, const float *weight,
                     float epsilon, float *output, size_t output_stride, size_t columns,
                     size_t count);
/// output[m, c] = weight[c] * (input[m, c] - mean) / sqrt(variance + epsilon) + bias[c], in place
void skein_normalize_layer(float *row, const float *weight, const float *bias, float epsilon,
                           size_t columns);
/// Multiplies each of `head_count` heads by the Hadamard matrix of its width, a power of two, over
/// the root of the width.
void skein_transform_hadamard(float *row, size_t head_count, size_t width);
/// Rotates pairs (2i, 2i + 1) of `head_count` heads in place; cosines and sines [pairs].
void skein_rotate_interleaved(float *row, size_t head_count, size_t head_stride,
                              const float *cosines, const float *sines, size_t pairs);
/// Rotates pairs (i, i + pairs) likewise.
void skein_rotate_half_split(float *row, size_t head_count, size_t head_stride,
                             const float *cosines, const float *sines, size_t pairs);
void skein_softmax(int isa, float *row, size_t count);
void skein_sigmoid(int isa, float *values, size_t count);
void skein_exp(int isa, float *values, size_t count);
void skein_silu_product(int isa, float *gate, const float *up, size_t count);
/// ln(sum of exp(x - max)) + max, for log-probabilities.
float skein_log_sum_exp(int isa, const float *row, size_t count);
void skein_add(float *target, const float *addend, size_t count);
void skein_round_bf16(float *values, size_t count);
void skein_pack_bf16(uint16_t *out, const float *in, size_t count);
void skein_unpack_bf16(float *out, const uint8_t *in, size_t count);
/// target[c] = fma(weight, addend[c], target[c])
void skein_add_scaled(float *target, const float *addend, float weight, size_t count);
/// The `kept` largest values' places, largest first, lower place first among equals.
void skein_top(const float *row, size_t count, size_t kept, int32_t *places);

// ---- E4M3 ------------------------------------------------------------------------------------

float skein_f8e4m3_decode(uint8_t code);
uint8_t skein_f8e4m3_encode(float value);

/// A row as codes, with a scale for each tile of 128. Scales are powers of two, so that a code
/// times its scale is a BF16 number, and packing such numbers again changes nothing.
void skein_pack_tiles(int isa, const float *row, size_t columns, uint8_t *codes, float *scales);
void skein_unpack_tiles(int isa, const uint8_t *codes, const float *scales, size_t columns,
                        float *row);

// ---- limits.c: what the machine can do, measured ---------------------------------------------

/// Sums `bytes` by 64-byte loads with prefetch; returns a value that depends on all of them.
uint64_t skein_stream_read(skein_pool *pool, const uint8_t *bytes, size_t count);
/// Runs `rounds` of independent vdpbf16ps (or FMA) on every thread; returns the operations done,
/// multiply and add counting one each.
double skein_multiply_add_peak_bf16(skein_pool *pool, size_t rounds);
double skein_multiply_add_peak_f32(skein_pool *pool, size_t rounds);
double skein_multiply_add_peak_i8(skein_pool *pool, size_t rounds);

#endif
