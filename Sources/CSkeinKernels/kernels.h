// What the kernels share among themselves: the table of one ISA and small scalar pieces.
#ifndef SKEIN_KERNELS_H
#define SKEIN_KERNELS_H

#include "CSkeinKernels.h"
#include "formats.h"

#include <stdatomic.h>
#include <string.h>

// Products and sums fuse only where a kernel says fma: otherwise ISAs would differ in the last bit.
#pragma STDC FP_CONTRACT OFF

#define SKEIN_TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#ifdef SKEIN_EMULATES_AVX512
#define SKEIN_TARGET_AVXVNNI SKEIN_TARGET_AVX2
#define SKEIN_TARGET_AVX512 SKEIN_TARGET_AVX2
#define SKEIN_TARGET_AVX512BF16 SKEIN_TARGET_AVX2
#define SKEIN_TARGET_AMX SKEIN_TARGET_AVX2
#else
#define SKEIN_AVX512_FEATURES "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"
#define SKEIN_TARGET_AVXVNNI __attribute__((target("avxvnni,avx2,fma")))
#define SKEIN_TARGET_AVX512 __attribute__((target(SKEIN_AVX512_FEATURES)))
#define SKEIN_TARGET_AVX512BF16 \
    __attribute__((target(SKEIN_AVX512_FEATURES ",avx512vbmi,avx512vnni,avx512bf16")))
#define SKEIN_TARGET_AMX                                                                      \
    __attribute__((target(SKEIN_AVX512_FEATURES ",avx512vbmi,avx512vnni,avx512bf16,amx-tile," \
                          "amx-bf16,amx-int8")))
#endif

enum { SKEIN_LANES = 16 };

/// Some panels of a weight against some rows of input. Rows of `output` and `input` are numbered by
/// the lists, or 0 ..< count where a list is NULL.
typedef struct skein_product {
    const skein_packed *weight;
    size_t panel_begin, panel_end;
    const uint8_t *input;  // rows as the arithmetic's `prepare` wrote them
    const uint32_t *input_rows;
    float *output;  // column 0 belongs to the first row of panel_begin
    size_t output_stride;
    const uint32_t *output_rows;
    size_t count;
    void *scratch;
} skein_product;

/// At most `count` of the rows of a product, from `first` on.
static inline skein_product skein_some_rows(const skein_product *job, size_t first, size_t count,
                                            size_t row_bytes) {
    skein_product some = *job;
    size_t left = job->count - first;
    some.count = left < count ? left : count;
    if (job->input_rows == NULL) some.input += first * row_bytes;
    else some.input_rows += first;
    if (job->output_rows == NULL) some.output += first * job->output_stride;
    else some.output_rows += first;
    return some;
}

/// One way to multiply: how rows of input are prepared, and the product of such rows.
typedef struct skein_arithmetic {
    /// Bytes from one prepared row to the next.
    size_t (*row_bytes)(const skein_packed *weight);
    /// Writes columns begin ..< begin + count of a row; with the last one the padding, too.
    void (*prepare)(const skein_packed *weight, const float *values, size_t begin, size_t count,
                    uint8_t *row);
    void (*product)(const skein_product *job);
    /// What `product` needs for so many rows.
    size_t (*scratch_bytes)(const skein_packed *weight, size_t count);
} skein_arithmetic;

/// Heads that attend together; a part is so many of one query row. Positions are summed in spans of
/// so many pages, which are merged in order: a long row is work for several threads.
enum { SKEIN_PART_HEADS = 16, SKEIN_SPAN_PAGES = 8 };

/// So many parts share a page while it is in the second cache.
enum { SKEIN_TASK_PARTS = 8 };

typedef struct skein_attend_part {
    size_t position, head_count;
    const float *queries;  // of the first head
    float *output;
    float *spans;  // where what each span gives is kept; NULL: spans are merged at once
} skein_attend_part;

/// Parts of one sequence, with its pages, and some spans of its positions.
typedef struct skein_attend_task {
    const skein_latent_rows *rows;
    const int32_t *pages;
    const int32_t *selected;  // the positions that parts' positions count; NULL: all
    skein_attend_part parts[SKEIN_TASK_PARTS];
    size_t part_count, span_begin, span_end;
    float scale;
    float *scratch;  // of skein_attend_scratch_bytes
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
    skein_arithmetic exact, serving, int8;
    void (*interleave)(uint8_t *lines, const uint8_t *rows, size_t row_bytes, size_t words);
    void (*quantize_i8)(const float *in, size_t count, int8_t *out, float *scale, int32_t *sum);
    void (*decode_f8e4m3)(const uint8_t *codes, size_t count, float scale, float *out);
    void (*quantize_f8e4m3)(const float *in, size_t count, uint8_t *codes, float *scale);
    void (*attend_latent)(const skein_attend_task *);
    void (*merge_spans)(const skein_latent_rows *, const skein_attend_part *);
    void (*score_index)(const skein_index_task *);
    void (*normalize)(const float *in, const float *weight, float epsilon, float *out,
                      size_t count);
    void (*softmax)(float *row, size_t count);
    void (*sigmoid)(float *values, size_t count);
    void (*exp)(float *values, size_t count);
    void (*silu_product)(float *gate, const float *up, size_t count);
    float (*sum_exp)(const float *row, float largest, size_t count);
    uint64_t (*read)(const uint8_t *bytes, size_t count);
    /// Each returns the multiplies and adds that `rounds` of its loop are.
    double (*peak_f32)(size_t rounds);
    double (*peak_bf16)(size_t rounds);
    double (*peak_i8)(size_t rounds);
    /// What a thread does before and after the tiles of a region; NULL: nothing.
    void (*enter)(void);
    void (*leave)(void);
} skein_kernels;

const skein_kernels *skein_kernels_of(int isa);
extern const skein_kernels skein_kernels_scalar;
/// As skein_decode_row, by the kernels of one ISA.
void skein_decode_row_by(const skein_kernels *kernels, const skein_weight *weight, size_t row,
                         float *out);
#if defined(__x86_64__)
extern const skein_kernels skein_kernels_avx2, skein_kernels_avx512, skein_kernels_avx512bf16,
    skein_kernels_amx;
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

// ---- packed weights ---------------------------------------------------------------------------

/// The scale of a block of an output; 1 for formats without.
static inline float skein_packed_scale(const skein_packed *weight, size_t row, size_t block) {
    size_t bytes = skein_format_of(weight)->scale_bytes, lanes = skein_scale_lanes(weight);
    if (bytes == 0) return 1;
    const uint8_t *scale = skein_panel_scales(weight, row / SKEIN_PANEL_ROWS) +
                           (block * lanes + row % lanes) * bytes;
    return bytes == 4 ? skein_load_f32(scale) : skein_float_of_bf16(skein_load_bf16(scale));
}

/// A number of a panel, without its scale; `place` counts padded columns.
static inline float skein_packed_number(const skein_packed *weight, const uint8_t *panel,
                                        size_t output, size_t place) {
    size_t bits = skein_format_of(weight)->bits, columns = 32 / bits;
    uint32_t word;
    memcpy(&word, panel + place / columns * SKEIN_LINE_BYTES + 4 * output, 4);
    word >>= place % columns * bits;
    switch (weight->format) {
        case SKEIN_F32: return skein_float_of_bits(word);
        case SKEIN_BF16: return skein_float_of_bf16((uint16_t)word);
        case SKEIN_F8E4M3: return skein_float_of_bf16(skein_bf16_of_f8e4m3((uint8_t)word));
        case SKEIN_I8: return (float)(int8_t)word;
        default: return (float)((int32_t)(word & 15) - 8);
    }
}

// ---- INT8 ------------------------------------------------------------------------------------

/// A prepared INT8 row: codes, padded to whole lines; a scale and a sum of codes for each block.
static inline size_t skein_i8_codes_bytes(const skein_packed *weight) {
    return skein_lines(skein_packed_columns(weight));
}

/// From one prepared INT8 row to the next: an odd number of lines, so that rows side by side do not
/// fall into the same sets of the first cache.
static inline size_t skein_i8_row_bytes(const skein_packed *weight) {
    size_t bytes = skein_i8_codes_bytes(weight) + skein_lines(8 * skein_block_count(weight));
    return bytes % 128 == 0 ? bytes + 64 : bytes;
}

static inline float *skein_i8_row_scales(const skein_packed *weight, const uint8_t *row) {
    return (float *)(uintptr_t)(row + skein_i8_codes_bytes(weight));
}

static inline int32_t *skein_i8_row_sums(const skein_packed *weight, const uint8_t *row) {
    return (int32_t *)(skein_i8_row_scales(weight, row) + skein_block_count(weight));
}

static inline const float *skein_i8_scales(const skein_packed *weight, size_t panel) {
    return (const float *)(uintptr_t)skein_panel_scales(weight, panel);
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

/// Largest scores, sums of weights and sums of latents of a part over a span.
static inline size_t skein_span_floats(const skein_latent_rows *rows) {
    return SKEIN_PART_HEADS * (2 + skein_lanes(rows->latent_width));
}

/// From one row of a page to the next in BF16, for tiles: an odd number of lines.
static inline size_t skein_latent_tile_bytes(const skein_latent_rows *rows) {
    return skein_padded(rows->width) * 2 / 128 * 128 + 64;
}

/// A page in F32, its scores, and the page and its weights for tiles; for each part its queries, in
/// BF16, too, and two states.
static inline size_t skein_attend_scratch_bytes(const skein_latent_rows *rows, size_t parts) {
    size_t stride = skein_padded(rows->width), page_rows = skein_padded(rows->page_rows);
    size_t row = (stride + SKEIN_PART_HEADS) * sizeof(float) + skein_latent_tile_bytes(rows) +
                 (skein_lanes(rows->latent_width) + SKEIN_PART_HEADS) * sizeof(uint16_t);
    size_t part = SKEIN_PART_HEADS * stride * 3 / 2 + 2 * skein_span_floats(rows);
    return page_rows * row + parts * part * sizeof(float);
}

/// A page of index keys in F32, the same turned round, and the queries of a task; for tiles a row
/// in F32, four tiles of sums, and 48 keys and the queries in BF16.
static inline size_t skein_index_scratch_bytes(const skein_latent_rows *keys, size_t head_count) {
    size_t page = skein_lanes(keys->page_rows) * skein_lanes(keys->width);
    size_t halves = 48 + SKEIN_TASK_PARTS * skein_lanes(head_count);
    size_t tiles = skein_padded(keys->width) * (1 + halves / 2) + 4 * SKEIN_LANES * SKEIN_LANES;
    return (2 * page + SKEIN_TASK_PARTS * head_count * keys->width + SKEIN_LANES + tiles) *
           sizeof(float);
}

#endif
