// The kernels of AVX-512 with BF16: products by vdpbf16ps, attention and rows as in AVX-512; INT8
// products by VNNI.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX512BF16
#define SKEIN_NAME(name) name##_avx512bf16
#include "twins.h"

#include <immintrin.h>

#include "avx512_emulated.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "rows_f32.h"
enum {
    TILE_ROWS = 12, CHAINED_ROWS = 12, FUSED_ROWS = 6, PEAK_SUMS = 12, PREFETCH_BYTES = 4096,
    NATURAL_BYTES = 0,
};
#define TILE_CASES TILE_CASES_12
#include "product.h"
#include "attend.h"
#include "score_index.h"
#include "limits.h"
#include "product_bf16.h"
#include "product_bf16_many.h"

static void prepare_i8(const skein_packed *weight, const float *values, size_t begin, size_t count,
                       uint8_t *row) {
    skein_prepare_i8(&skein_kernels_avx512bf16, weight, values, begin, count, row);
}

static size_t no_scratch(const skein_packed *weight, size_t count) {
    (void)weight, (void)count;
    return 0;
}

const skein_kernels skein_kernels_avx512bf16 = {
    .exact = {row_bytes_avx512bf16, prepare_exact_avx512bf16, product_avx512bf16,
              scratch_bytes_avx512bf16},
    .serving = {pair_row_bytes_avx512bf16, prepare_pairs_avx512bf16, product_pairs_avx512bf16,
                pair_scratch_bytes_avx512bf16},
    .int8 = {skein_i8_row_bytes, prepare_i8, skein_product_i8_avx512, no_scratch},
    .interleave = interleave_avx512bf16,
    .quantize_i8 = quantize_i8_avx512bf16,
    .decode_f8e4m3 = decode_f8e4m3_avx512bf16,
    .quantize_f8e4m3 = quantize_f8e4m3_avx512bf16,
    .attend_latent = attend_latent_avx512bf16,
    .merge_spans = merge_spans_avx512bf16,
    .score_index = score_index_avx512bf16,
    .normalize = normalize_avx512bf16,
    .softmax = softmax_avx512bf16,
    .sigmoid = sigmoid_avx512bf16,
    .exp = exp_avx512bf16,
    .silu_product = silu_product_avx512bf16,
    .sum_exp = sum_exp_avx512bf16,
    .read = read_avx512bf16,
    .peak_f32 = peak_f32_avx512bf16,
    .peak_bf16 = peak_pairs_avx512bf16,
    .peak_i8 = skein_peak_i8_avx512,
};
#endif
