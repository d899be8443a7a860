// Every prototype of the kernels, with shapes in comments. Pointers, counts and strides only.
//
// Arithmetic promise: an element's value depends on its own row and on the weight alone, never on
// the number of rows in the call, on tiles or on threads; and all instruction sets agree bit for
// bit. All arithmetic runs with subnormals read as zero and flushed to zero, because vdpbf16ps and
// the tiles can do nothing else.
#ifndef CSKEINKERNELS_H
#define CSKEINKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- choose_isa.c: which instructions to use -------------------------------------------------

enum {
    SKEIN_ISA_SCALAR = 0,
    SKEIN_ISA_AVX2 = 1,        // with FMA; AVX-VNNI where it is there
    SKEIN_ISA_AVX512 = 2,      // F, BW, VL, DQ; VNNI where it is there
    SKEIN_ISA_AVX512BF16 = 3,  // the above, VBMI, VNNI and BF16
    SKEIN_ISA_AMX = 4,         // the above and the BF16 and INT8 tiles, with the system's leave
    SKEIN_ISA_COUNT = 5,
};

/// Whether this processor can run the kernels of `isa`, and the system lets it.
bool skein_isa_supported(int isa);
/// The one that is best here.
int skein_isa_best(void);

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

enum {
    SKEIN_F32 = 0,
    SKEIN_BF16 = 1,
    SKEIN_F8E4M3 = 2,
    SKEIN_I8 = 3,
    SKEIN_I4 = 4,  // eight codes of a row in a word, lowest first, each plus 8
    SKEIN_FORMAT_COUNT = 5,
};

/// Columns that share the scale of an INT8 row.
enum { SKEIN_I8_COLUMNS = 128 };

/// A matrix [rows, columns], row-major, as stored; never INT8.
typedef struct skein_weight {
    const uint8_t *bytes;  // of the first row of this view; any alignment
    const float *scales;   // [scale rows, scale_columns] of the whole weight; F8E4M3 and I4 only
    size_t rows, columns;
    size_t block_rows, block_columns;  // of one scale; columns for formats without scales
    size_t scale_columns;
    size_t first_row;  // of this view in the whole: scale row = (first_row + n) / block_rows
    int format;
} skein_weight;

/// out[c] = weight[row, c] as F32, scale applied (one rounding).
void skein_decode_row(const skein_weight *weight, size_t row, float *out);

/// A matrix [rows, columns] in panels of sixteen rows, as products take it: see formats.h.
typedef struct skein_packed {
    const uint8_t *codes;   // [panel, word of a row, row of the panel], on a line of 64 bytes
    const uint8_t *scales;  // [panel, block, 1 or 16]
    size_t rows, columns;
    size_t first_columns, block_columns;  // that share scales: of the first block, of the others
    int format;
    bool has_row_scales;  // 16 scales a block of a panel, else 1
    bool holds_nan;       // E4M3: whether a code is no number
} skein_packed;

/// The shape of a packed form; `format` is the weight's own or INT8. Transposed, a stored column
/// becomes a row: E4M3, BF16 and F32 only.
skein_packed skein_packed_shape(const skein_weight *weight, int format, bool transposed);
/// What the codes and the scales of such a form take.
size_t skein_packed_code_bytes(const skein_packed *packed);
size_t skein_packed_scale_bytes(const skein_packed *packed);
/// Packs a weight into memory on a line of 64 bytes. As INT8 each 128 columns of a row get the
/// scale of their largest magnitude / 127.
skein_packed skein_pack(skein_pool *pool, const skein_weight *weight, int format, bool transposed,
                        uint8_t *codes, uint8_t *scales);
/// As skein_decode_row.
void skein_decode_packed_row(const skein_packed *weight, size_t row, float *out);

// ---- pages -----------------------------------------------------------------------------------

/// Asks the system to fetch the pages of some mapped bytes; does not wait for them.
void skein_read_ahead(const uint8_t *bytes, size_t count);
/// Reads every page of some bytes once, stretch by stretch, on all threads of the pool.
void skein_touch(skein_pool *pool, const uint8_t *bytes, size_t count);

// ---- products --------------------------------------------------------------------------------

/// How a product treats its input.
enum {
    SKEIN_SERVING = 0,  // rounded to BF16; for an INT8 weight quantised, 128 columns with one scale
    SKEIN_EXACT = 1,    // as it is: every product in F32
};

/// output[m, n] = sum over k of input[m, k] * weight[n, k]; F32 weights are always exact.
/// input [count, input_stride], output [count, output_stride].
void skein_multiply(skein_pool *pool, const skein_packed *weight, int arithmetic,
                    const float *input, size_t input_stride, float *output, size_t output_stride,
                    size_t count);

/// output[m, h * output_head_stride + n] = sum over k of
///     input[m, h * input_head_stride + k] * heads[h][n, k], exact; heads of one shape.
void skein_multiply_heads(skein_pool *pool, const skein_packed *heads, size_t head_count,
                          const float *input, size_t input_head_stride, size_t input_stride,
                          float *output, size_t output_head_stride, size_t output_stride,
                          size_t count);

/// One gated unit: gate and up [inner, columns], down [outer, inner].
typedef struct skein_gated_weight {
    skein_packed gate, up, down;
} skein_gated_weight;

/// One gated unit with the rows it serves: row numbers of the input and of the output.
typedef struct skein_gated_rows {
    const skein_gated_weight *weight;
    const uint32_t *input_rows, *output_rows;
    size_t count;
} skein_gated_rows;

/// output[output_rows[i]] = down * silu(gate * x) * (up * x), x = input[input_rows[i]]; both inputs
/// of products as `arithmetic` says.
void skein_apply_gated(skein_pool *pool, const skein_gated_rows *units, size_t unit_count,
                       int arithmetic, const float *input, size_t input_stride,
                       size_t input_count, float *output, size_t output_stride);

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

// ---- clock.c ----------------------------------------------------------------------------------

/// 1 where something keeps this machine's clock with those of others, 0 where nothing does, -1
/// where the system does not say.
int skein_clock_is_synchronized(void);

// ---- limits.c: what the machine can do, measured ---------------------------------------------

/// Sums `bytes` by 64-byte loads with prefetch; returns a value that depends on all of them.
uint64_t skein_stream_read(skein_pool *pool, const uint8_t *bytes, size_t count);
/// Runs `rounds` of independent vdpbf16ps (or FMA) on every thread; returns the operations done,
/// multiply and add counting one each.
double skein_multiply_add_peak_bf16(skein_pool *pool, size_t rounds);
double skein_multiply_add_peak_f32(skein_pool *pool, size_t rounds);
double skein_multiply_add_peak_i8(skein_pool *pool, size_t rounds);

#endif
