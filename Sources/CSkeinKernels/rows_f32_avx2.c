// The F32 kernels of this ISA and its table.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX2
#define SKEIN_NAME(name) name##_avx2
#include "twins.h"
#include "rows_f32.h"
// Eight registers of sums, two to a vector of sixteen; with twelve, compilers move some to memory.
enum { TILE_INPUTS = 2, TILE_VECTORS = 2 };
#include "product_f32.h"

const skein_kernels skein_kernels_avx2 = {
    .product_bf16 = skein_product_bf16_avx2,
    .product_f8e4m3_block = skein_product_f8e4m3_block_avx2,
    .product_i8_group = skein_product_i8_group_avx2,
    .product_f32 = SKEIN_NAME(product_f32),
    .decode_row = SKEIN_NAME(decode_row),
    .quantize_i8 = SKEIN_NAME(quantize_i8),
    .quantize_f8e4m3 = SKEIN_NAME(quantize_f8e4m3),
    .transposed_f32 = SKEIN_NAME(transposed_f32),
    .attend_latent = skein_attend_latent_avx2,
    .pack_bf16 = SKEIN_NAME(pack_bf16),
    .normalize = SKEIN_NAME(normalize),
    .softmax = SKEIN_NAME(softmax),
    .sigmoid = SKEIN_NAME(sigmoid),
    .exp = SKEIN_NAME(exp),
    .silu_product = SKEIN_NAME(silu_product),
    .sum_exp = SKEIN_NAME(sum_exp),
    .read = skein_read_avx2,
    .peak_f32 = skein_peak_f32_avx2,
    .peak_bf16 = skein_peak_bf16_avx2,
    .peak_i8 = skein_peak_i8_avx2,
};
#endif
