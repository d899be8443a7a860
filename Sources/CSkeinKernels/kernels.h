// What the kernels share among themselves: the table of one ISA and small scalar pieces.
#ifndef SKEIN_KERNELS_H
#define SKEIN_KERNELS_H

#include "CSkeinKernels.h"

#include <string.h>

// Products and sums fuse only where a kernel says fma: otherwise ISAs would differ in the last bit.
#pragma STDC FP_CONTRACT OFF

#define SKEIN_TARGET_AVX2 __attribute__((target("avx2,fma")))
#ifdef SKEIN_EMULATES_AVX512
#define SKEIN_TARGET_AVX512 SKEIN_TARGET_AVX2
#else
#define SKEIN_TARGET_AVX512                                                                    \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,"        \
                          "avx512vnni,avx2,fma")))
#endif

enum { SKEIN_LANES = 16, SKEIN_STEP = 32 };

/// Up to this many input rows a product is bound by the reading of its weight.
enum { SKEIN_DIRECT_MAX = 4 };

/// So many input rows at a time are widened to F32 where there are no products of BF16.
enum { SKEIN_WIDENED_ROWS = 80 };

/// Scratch of a block's numbers beside the widened rows.
enum { SKEIN_BLOCK_BYTES = 48 << 10 };

/// Rows of `output` and `input` are numbered by the lists, or 0 ..< count where a list is NULL.
typedef struct skein_product {
    const skein_weight *weight;
    size_t row_begin, row_end;  // weight rows
    const void *input;          // packed BF16 (bf16, f8), packed INT8 (i8) or F32 (f32)
    size_t input_stride;        // elements; bytes of packed INT8
    const uint32_t *input_rows;
    float *output;  // column 0 belongs to row_begin
    size_t output_stride;
    const uint32_t *output_rows;
    size_t count;
    void *scratch;  // of skein_product_scratch_bytes
} skein_product;

/// output[m, c] = sum over n < rows of input[m, n] * weight[n, c], all columns.
typedef struct skein_transposed {
    const skein_weight *weight;
    size_t rows;
    const float *input;
    size_t input_stride;
    float *output;
    size_t output_stride;
    size_t count;
    void *scratch;  // rows * 64 floats
} skein_transposed;

/// Some heads of one query row.
typedef struct skein_attend_part {
    size_t position, head_count;
    const float *queries;  // of the first head
    float *output;
} skein_attend_part;

/// So many heads of a row share each latent row while it is in L1, and so many parts a page while
/// it is in L2.
enum { SKEIN_PART_HEADS = 8, SKEIN_TASK_PARTS = 4 };

/// Parts of one sequence, with its pages.
typedef struct skein_attend_task {
    const skein_latent_rows *rows;
    const int32_t *pages;
    const int32_t *selected;  // the positions that parts' positions count; NULL: all
    skein_attend_part parts[SKEIN_TASK_PARTS];
    size_t part_count;
    float scale;
    float *scratch;
} skein_attend_task;

/// One query row of the lightning indexer.
typedef struct skein_index_query {
    size_t position;
    const float *queries;  // [head, width]
    const float *weights;  // [head]
    float *scores;         // [position + 1]
} skein_index_query;

/// Queries of one sequence, with the keys of its positions `begin` ..< `end`; `begin` is a page's.
typedef struct skein_index_task {
    const skein_latent_rows *keys;
    const int32_t *pages;
    skein_index_query queries[SKEIN_TASK_PARTS];
    size_t query_count, head_count, begin, end;
    float *scratch;  // of skein_index_scratch_bytes
} skein_index_task;

/// The kernels of one ISA.
typedef struct skein_kernels {
    void (*product_bf16)(const skein_product *);
    void (*product_f8e4m3_block)(const skein_product *);
    void (*product_i8_group)(const skein_product *);
    void (*product_f32)(const skein_product *);
    void (*decode_row)(const skein_weight *, size_t row, float *out);
    void (*quantize_i8)(const float *in, size_t count, int8_t *out, float *scale, int32_t *sum);
    void (*quantize_f8e4m3)(const float *in, size_t count, uint8_t *codes, float *scale);
    void (*transposed_f32)(const skein_transposed *);
    void (*attend_latent)(const skein_attend_task *);
    void (*score_index)(const skein_index_task *);
    void (*pack_bf16)(uint16_t *out, const float *in, size_t count);
    void (*normalize)(const float *in, const float *weight, float epsilon, float *out,
                      size_t count);
    void (*softmax)(float *row, size_t count);
    void (*sigmoid)(float *values, size_t count);
    void (*exp)(float *values, size_t count);
    void (*silu_product)(float *gate, const float *up, size_t count);
    float (*sum_exp)(const float *row, float largest, size_t count);
    uint64_t (*read)(const uint8_t *bytes, size_t count);
    float (*peak_f32)(size_t rounds);
    float (*peak_bf16)(size_t rounds);
    int32_t (*peak_i8)(size_t rounds);
} skein_kernels;

const skein_kernels *skein_kernels_of(int isa);
extern const skein_kernels skein_kernels_scalar;
#if defined(__x86_64__)
extern const skein_kernels skein_kernels_avx2, skein_kernels_avx512;
#endif

// ---- subnormals ------------------------------------------------------------------------------

#if defined(__x86_64__)
typedef uint32_t skein_floating_state;
static inline skein_floating_state skein_flush_subnormals(void) {
    uint32_t old = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(old | 0x8040);  // FTZ and DAZ
    return old;
}
/// Flushes what becomes subnormal, but reads what is.
static inline skein_floating_state skein_read_subnormals(void) {
    uint32_t old = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr((old | 0x8000) & ~0x40u);
    return old;
}
static inline void skein_restore(skein_floating_state old) { __builtin_ia32_ldmxcsr(old); }
#elif defined(__aarch64__)
typedef uint64_t skein_floating_state;
static inline skein_floating_state skein_flush_subnormals(void) {
    uint64_t old;
    __asm__ volatile("mrs %0, fpcr" : "=r"(old));
    __asm__ volatile("msr fpcr, %0" : : "r"(old | (1ull << 24)));  // FZ
    return old;
}
static inline void skein_restore(skein_floating_state old) {
    __asm__ volatile("msr fpcr, %0" : : "r"(old));
}
#endif

// ---- formats ---------------------------------------------------------------------------------

static inline float skein_float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static inline uint32_t skein_bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

static inline float skein_float_of_bf16(uint16_t bits) {
    return skein_float_of_bits((uint32_t)bits << 16);
}

/// Round to nearest even; a NaN stays a NaN (quiet), also when its payload is in the lost half.
static inline uint16_t skein_bf16_of_float(float value) {
    uint32_t bits = skein_bits_of_float(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static inline uint16_t skein_load_bf16(const uint8_t *bytes) {
    uint16_t bits;
    memcpy(&bits, bytes, 2);
    return bits;
}

static inline float skein_load_f32(const uint8_t *bytes) {
    float value;
    memcpy(&value, bytes, 4);
    return value;
}

/// Exact: every E4M3 value is a BF16 value.
static inline uint16_t skein_bf16_of_f8e4m3(uint8_t code) {
    uint32_t sign = (uint32_t)(code & 0x80) << 8, magnitude = code & 0x7F;
    if (magnitude == 0x7F) return (uint16_t)(sign | 0x7FC0);
    if (magnitude >= 8) return (uint16_t)(sign | ((magnitude << 4) + (120 << 7)));
    static const uint16_t subnormals[8] = {0,      0x3B00, 0x3B80, 0x3BC0,
                                           0x3C00, 0x3C20, 0x3C40, 0x3C60};
    return (uint16_t)(sign | subnormals[magnitude]);
}

/// Sixteen lanes into one, in the one order that every ISA uses.
static inline float skein_reduce(const float lanes[SKEIN_LANES]) {
    float eight[8], four[4];
    for (int i = 0; i < 8; i++) eight[i] = lanes[i] + lanes[i + 8];
    for (int i = 0; i < 4; i++) four[i] = eight[i] + eight[i + 4];
    return (four[0] + four[2]) + (four[1] + four[3]);
}

// ---- shapes ----------------------------------------------------------------------------------

/// Packed BF16 rows hold each block of columns padded with zeros to whole steps.
static inline size_t skein_padded(size_t columns) {
    return (columns + SKEIN_STEP - 1) / SKEIN_STEP * SKEIN_STEP;
}

static inline size_t skein_packed_width(size_t columns, size_t block_columns) {
    size_t whole = columns / block_columns, rest = columns % block_columns;
    return whole * skein_padded(block_columns) + skein_padded(rest);
}

/// From one packed row to the next: an odd number of 64-byte lines, so that rows side by side do
/// not fall into the same sets of the first cache.
static inline size_t skein_packed_stride(const skein_weight *weight) {
    size_t width = skein_packed_width(weight->columns, weight->block_columns);
    return width % (2 * SKEIN_STEP) == 0 ? width + SKEIN_STEP : width;
}

static inline size_t skein_row_bytes(const skein_weight *weight) {
    size_t width = weight->format == SKEIN_F32 ? 4 : weight->format == SKEIN_BF16 ? 2 : 1;
    return width * weight->columns;
}

static inline const uint8_t *skein_weight_row(const skein_weight *weight, size_t row) {
    return weight->bytes + row * skein_row_bytes(weight);
}

/// The scales of the blocks that `row` lies in.
static inline const float *skein_weight_scales(const skein_weight *weight, size_t row) {
    return weight->scales + (weight->first_row + row) / weight->block_rows * weight->scale_columns;
}

// ---- INT8 ------------------------------------------------------------------------------------

static inline size_t skein_quads(size_t columns) { return (columns + 3) / 4; }

static inline size_t skein_groups(size_t columns) {
    return (columns + SKEIN_GROUP_COLUMNS - 1) / SKEIN_GROUP_COLUMNS;
}

/// Sixteen rows of an INT8 weight; `row` is a multiple of sixteen.
static inline const uint8_t *skein_i8_band(const skein_weight *weight, size_t row) {
    return weight->bytes + row * 4 * skein_quads(weight->columns);
}

/// The scales of a band's first group.
static inline const float *skein_i8_scales(const skein_weight *weight, size_t row) {
    return weight->scales + row * skein_groups(weight->columns);
}

static inline size_t skein_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

/// A packed INT8 row of input: codes, padded to whole lines; a scale and a sum of codes for each
/// group.
static inline size_t skein_i8_codes_bytes(size_t columns) {
    return skein_lines(4 * skein_quads(columns));
}

/// From one packed INT8 row to the next, in bytes: an odd number of lines, as for BF16.
static inline size_t skein_i8_stride(size_t columns) {
    size_t bytes = skein_i8_codes_bytes(columns) + skein_lines(8 * skein_groups(columns));
    return bytes % 128 == 0 ? bytes + 64 : bytes;
}

static inline float *skein_i8_row_scales(const int8_t *row, size_t columns) {
    return (float *)(uintptr_t)(row + skein_i8_codes_bytes(columns));
}

static inline int32_t *skein_i8_row_sums(const int8_t *row, size_t columns) {
    return (int32_t *)(skein_i8_row_scales(row, columns) + skein_groups(columns));
}

static inline size_t skein_numbered(const uint32_t *numbers, size_t i) {
    return numbers == NULL ? i : numbers[i];
}

static inline size_t skein_min(size_t a, size_t b) { return a < b ? a : b; }

/// `count` in whole vectors.
static inline size_t skein_lanes(size_t count) {
    return (count + SKEIN_LANES - 1) / SKEIN_LANES * SKEIN_LANES;
}

// ---- latent rows -----------------------------------------------------------------------------

/// Where the BF16 numbers of a latent row begin: behind its codes and their scales.
static inline size_t skein_latent_plain(size_t coded_width) {
    size_t tiles = (coded_width + SKEIN_TILE_COLUMNS - 1) / SKEIN_TILE_COLUMNS;
    return coded_width + 4 * tiles;
}

/// The scale of the codes from `column` on, the first of a tile.
static inline float skein_latent_scale(const uint8_t *row, size_t coded_width, size_t column) {
    return skein_load_f32(row + coded_width + 4 * (column / SKEIN_TILE_COLUMNS));
}

/// Where the latent row of a position lies.
static inline const uint8_t *skein_latent_row(const skein_latent_rows *rows, const int32_t *pages,
                                              size_t position) {
    size_t page = (size_t)pages[position / rows->page_rows];
    return rows->bytes + (page * rows->page_rows + position % rows->page_rows) * rows->row_bytes;
}

/// A page of index keys in F32, the same turned round, and the scores of its rows.
static inline size_t skein_index_scratch_bytes(const skein_latent_rows *keys) {
    return skein_lanes(keys->page_rows) * (2 * skein_lanes(keys->width) + 1) * sizeof(float);
}

#endif
