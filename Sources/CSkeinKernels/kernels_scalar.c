// The kernels of plain C: what every processor runs, and the meaning of all others.
#define SKEIN_TARGET
#define SKEIN_NAME(name) name##_scalar
#include "twins.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "rows_f32.h"
enum { PEAK_SUMS = 1 };
#include "limits.h"

static size_t no_scratch(const skein_packed *weight, size_t count) {
    (void)weight, (void)count;
    return 0;
}

static void prepare_i8(const skein_packed *weight, const float *values, size_t begin, size_t count,
                       uint8_t *row) {
    skein_prepare_i8(&skein_kernels_scalar, weight, values, begin, count, row);
}

static double peak_i8(size_t rounds) {
    int32_t sum = 0;
    for (size_t i = 0; i < rounds; i++) {
        sum += (int8_t)i * 3;
        __asm__ volatile("" : "+r"(sum));
    }
    return 2.0 * (double)rounds;
}

const skein_kernels skein_kernels_scalar = {
    .exact = {skein_f32_row_bytes_scalar, skein_prepare_exact_scalar, skein_product_scalar,
              no_scratch},
    .serving = {skein_f32_row_bytes_scalar, skein_prepare_scalar, skein_product_scalar,
                no_scratch},
    .int8 = {skein_i8_row_bytes, prepare_i8, skein_product_i8_scalar, no_scratch},
    .interleave = interleave_scalar,
    .quantize_i8 = quantize_i8_scalar,
    .decode_f8e4m3 = decode_f8e4m3_scalar,
    .quantize_f8e4m3 = quantize_f8e4m3_scalar,
    .attend_latent = skein_attend_latent_scalar,
    .merge_spans = skein_merge_spans_scalar,
    .score_index = skein_score_index_scalar,
    .normalize = normalize_scalar,
    .softmax = softmax_scalar,
    .sigmoid = sigmoid_scalar,
    .exp = exp_scalar,
    .silu_product = silu_product_scalar,
    .sum_exp = sum_exp_scalar,
    .read = read_scalar,
    .peak_f32 = peak_f32_scalar,
    .peak_bf16 = peak_f32_scalar,
    .peak_i8 = peak_i8,
};
