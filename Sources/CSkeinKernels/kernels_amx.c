// The kernels of AMX: products of many rows and attention by tiles, products of few rows by
// vdpbf16ps and VNNI; rows as in AVX-512.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AMX
#define SKEIN_NAME(name) name##_amx
#include "twins.h"

#include <immintrin.h>

#include "avx512_emulated.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "rows_f32.h"
enum {
    TILE_ROWS = 12, CHAINED_ROWS = 12, FUSED_ROWS = 6, PEAK_SUMS = 12, PREFETCH_BYTES = 4096,
    NATURAL_BYTES = 2,
    // From so many rows on tiles multiply. Counted by instructions, not measured: making pairs of
    // 64 codes takes about as long as multiplying them by three rows.
    TILES_FROM_ROWS = 6,
};
#define TILE_CASES TILE_CASES_12
#define SKEIN_HAS_TILES
#include "product.h"
#include "limits.h"
#include "product_bf16.h"
#include "product_bf16_many.h"
#include "product_tiles.h"
#include "attend.h"
#include "score_index.h"

static void product(const skein_product *job) {
    if (job->count < TILES_FROM_ROWS) product_pairs_amx(job);
    else product_tiles_amx(job);
}

/// Serves calls with fewer rows, too.
static size_t product_scratch_bytes(const skein_packed *weight, size_t count) {
    size_t few = pair_scratch_bytes_amx(weight, skein_min(count, TILES_FROM_ROWS - 1));
    size_t many = count < TILES_FROM_ROWS ? 0 : tile_scratch_bytes_amx(weight, count);
    return few > many ? few : many;
}

static void prepare_i8(const skein_packed *weight, const float *values, size_t begin, size_t count,
                       uint8_t *row) {
    skein_prepare_i8(&skein_kernels_amx, weight, values, begin, count, row);
}

static void product_i8(const skein_product *job) {
    if (job->count < TILES_FROM_ROWS) skein_product_i8_avx512(job);
    else product_tiles_amx(job);
}

static size_t i8_scratch_bytes(const skein_packed *weight, size_t count) {
    return count < TILES_FROM_ROWS ? 0 : tile_scratch_bytes_amx(weight, count);
}

/// All tiles have one shape: sixteen lines.
SKEIN_TARGET static void enter(void) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t line_bytes[16];
        uint8_t lines[16];
    } shapes = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        shapes.line_bytes[t] = SKEIN_LINE_BYTES;
        shapes.lines[t] = TILE_SIDE;
    }
    _tile_loadconfig(&shapes);
}

SKEIN_TARGET static void leave(void) { _tile_release(); }

const skein_kernels skein_kernels_amx = {
    .exact = {row_bytes_amx, prepare_exact_amx, product_amx, scratch_bytes_amx},
    .serving = {pair_row_bytes_amx, prepare_pairs_amx, product, product_scratch_bytes},
    .int8 = {skein_i8_row_bytes, prepare_i8, product_i8, i8_scratch_bytes},
    .interleave = interleave_amx,
    .quantize_i8 = quantize_i8_amx,
    .decode_f8e4m3 = decode_f8e4m3_amx,
    .quantize_f8e4m3 = quantize_f8e4m3_amx,
    .attend_latent = attend_latent_amx,
    .merge_spans = merge_spans_amx,
    .score_index = score_index_amx,
    .normalize = normalize_amx,
    .softmax = softmax_amx,
    .sigmoid = sigmoid_amx,
    .exp = exp_amx,
    .silu_product = silu_product_amx,
    .sum_exp = sum_exp_amx,
    .read = read_amx,
    .peak_f32 = peak_f32_amx,
    .peak_bf16 = peak_tiles_bf16_amx,
    .peak_i8 = peak_tiles_i8_amx,
    .enter = enter,
    .leave = leave,
};
#endif
