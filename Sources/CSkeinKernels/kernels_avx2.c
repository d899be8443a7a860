// The kernels of AVX2 with FMA, vectors of sixteen in two registers; INT8 products by AVX-VNNI
// where it is there.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX2
#define SKEIN_NAME(name) name##_avx2
#include "twins.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "rows_f32.h"
// Twelve registers hold sums; with more of them compilers move some to memory.
enum { TILE_ROWS = 6, CHAINED_ROWS = 3, FUSED_ROWS = 1, PEAK_SUMS = 6, PREFETCH_BYTES = 1024 };
#define TILE_CASES TILE_CASES_6
#include "product.h"
#include "attend.h"
#include "score_index.h"
#include "limits.h"

static void prepare_i8(const skein_packed *weight, const float *values, size_t begin, size_t count,
                       uint8_t *row) {
    skein_prepare_i8(&skein_kernels_avx2, weight, values, begin, count, row);
}

static size_t no_scratch(const skein_packed *weight, size_t count) {
    (void)weight, (void)count;
    return 0;
}

static void product_i8(const skein_product *job) {
    if (skein_has_vnni(SKEIN_ISA_AVX2)) skein_product_i8_avxvnni(job);
    else skein_product_i8_avx2(job);
}

static double peak_i8(size_t rounds) {
    return skein_has_vnni(SKEIN_ISA_AVX2) ? skein_peak_i8_avxvnni(rounds)
                                          : skein_peak_i8_avx2(rounds);
}

const skein_kernels skein_kernels_avx2 = {
    .exact = {row_bytes_avx2, prepare_exact_avx2, product_avx2, scratch_bytes_avx2},
    .serving = {row_bytes_avx2, prepare_avx2, product_avx2, scratch_bytes_avx2},
    .int8 = {skein_i8_row_bytes, prepare_i8, product_i8, no_scratch},
    .interleave = interleave_avx2,
    .quantize_i8 = quantize_i8_avx2,
    .decode_f8e4m3 = decode_f8e4m3_avx2,
    .quantize_f8e4m3 = quantize_f8e4m3_avx2,
    .attend_latent = attend_latent_avx2,
    .merge_spans = merge_spans_avx2,
    .score_index = score_index_avx2,
    .normalize = normalize_avx2,
    .softmax = softmax_avx2,
    .sigmoid = sigmoid_avx2,
    .exp = exp_avx2,
    .silu_product = silu_product_avx2,
    .sum_exp = sum_exp_avx2,
    .read = read_avx2,
    .peak_f32 = peak_f32_avx2,
    .peak_bf16 = peak_f32_avx2,
    .peak_i8 = peak_i8,
};
#endif
