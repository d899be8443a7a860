// The F32 kernels of this ISA and its table.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX512
#define SKEIN_NAME(name) name##_avx512
#include "twins.h"
#include "tile_avx512.h"
#include "rows_f32.h"
#include "f8e4m3_f32_avx512.h"

#define SKEIN_DECODE64(codes, out) decode64_f32(_mm512_loadu_si512(codes), out)
enum { TILE_INPUTS = 4, TILE_VECTORS = 4 };
#include "product_f32.h"

const skein_kernels skein_kernels_avx512 = {
    .product_bf16 = skein_product_bf16_avx512,
    .product_f8e4m3_block = skein_product_f8e4m3_block_avx512,
    .product_i8_group = skein_product_i8_group_avx512,
    .product_f32 = SKEIN_NAME(product_f32),
    .decode_row = SKEIN_NAME(decode_row),
    .quantize_i8 = SKEIN_NAME(quantize_i8),
    .quantize_f8e4m3 = SKEIN_NAME(quantize_f8e4m3),
    .transposed_f32 = SKEIN_NAME(transposed_f32),
    .attend_latent = skein_attend_latent_avx512,
    .score_index = skein_score_index_avx512,
    .pack_bf16 = SKEIN_NAME(pack_bf16),
    .normalize = SKEIN_NAME(normalize),
    .softmax = SKEIN_NAME(softmax),
    .sigmoid = SKEIN_NAME(sigmoid),
    .exp = SKEIN_NAME(exp),
    .silu_product = SKEIN_NAME(silu_product),
    .sum_exp = SKEIN_NAME(sum_exp),
    .read = skein_read_avx512,
    .peak_f32 = skein_peak_f32_avx512,
    .peak_bf16 = skein_peak_bf16_avx512,
    .peak_i8 = skein_peak_i8_avx512,
};
#endif
