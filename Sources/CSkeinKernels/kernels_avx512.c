// The kernels of AVX-512 by fused multiply-add of F32; INT8 products by VNNI where it is there.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX512
#define SKEIN_NAME(name) name##_avx512
#include "twins.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "rows_f32.h"
enum { TILE_ROWS = 12, CHAINED_ROWS = 12, FUSED_ROWS = 6, PEAK_SUMS = 12, PREFETCH_BYTES = 4096 };
#define TILE_CASES TILE_CASES_12
#include "product.h"
#include "attend.h"
#include "score_index.h"
#include "limits.h"

static void prepare_i8(const skein_packed *weight, const float *values, size_t begin, size_t count,
                       uint8_t *row) {
    skein_prepare_i8(&skein_kernels_avx512, weight, values, begin, count, row);
}

static size_t no_scratch(const skein_packed *weight, size_t count) {
    (void)weight, (void)count;
    return 0;
}

static void product_i8(const skein_product *job) {
    if (skein_has_vnni(SKEIN_ISA_AVX512)) skein_product_i8_avx512(job);
    else skein_product_i8_avx2(job);
}

static double peak_i8(size_t rounds) {
    return skein_has_vnni(SKEIN_ISA_AVX512) ? skein_peak_i8_avx512(rounds)
                                            : skein_peak_i8_avx2(rounds);
}

const skein_kernels skein_kernels_avx512 = {
    .exact = {row_bytes_avx512, prepare_exact_avx512, product_avx512, scratch_bytes_avx512},
    .serving = {row_bytes_avx512, prepare_avx512, product_avx512, scratch_bytes_avx512},
    .int8 = {skein_i8_row_bytes, prepare_i8, product_i8, no_scratch},
    .interleave = interleave_avx512,
    .quantize_i8 = quantize_i8_avx512,
    .decode_f8e4m3 = decode_f8e4m3_avx512,
    .quantize_f8e4m3 = quantize_f8e4m3_avx512,
    .attend_latent = attend_latent_avx512,
    .merge_spans = merge_spans_avx512,
    .score_index = score_index_avx512,
    .normalize = normalize_avx512,
    .softmax = softmax_avx512,
    .sigmoid = sigmoid_avx512,
    .exp = exp_avx512,
    .silu_product = silu_product_avx512,
    .sum_exp = sum_exp_avx512,
    .read = read_avx512,
    .peak_f32 = peak_f32_avx512,
    .peak_bf16 = peak_f32_avx512,
    .peak_i8 = peak_i8,
};
#endif
