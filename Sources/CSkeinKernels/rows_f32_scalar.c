// The F32 kernels of this ISA and its table.
#define SKEIN_TARGET 
#define SKEIN_NAME(name) name##_scalar
#include "twins.h"
#include "rows_f32.h"
enum { TILE_INPUTS = 4, TILE_VECTORS = 4 };
#include "product_f32.h"

const skein_kernels skein_kernels_scalar = {
    .product_bf16 = skein_product_bf16_scalar,
    .product_f8e4m3_block = skein_product_f8e4m3_block_scalar,
    .product_i8_group = skein_product_i8_group_scalar,
    .product_f32 = SKEIN_NAME(product_f32),
    .decode_row = SKEIN_NAME(decode_row),
    .quantize_i8 = SKEIN_NAME(quantize_i8),
    .quantize_f8e4m3 = SKEIN_NAME(quantize_f8e4m3),
    .transposed_f32 = SKEIN_NAME(transposed_f32),
    .attend_latent = skein_attend_latent_scalar,
    .score_index = skein_score_index_scalar,
    .pack_bf16 = SKEIN_NAME(pack_bf16),
    .normalize = SKEIN_NAME(normalize),
    .softmax = SKEIN_NAME(softmax),
    .sigmoid = SKEIN_NAME(sigmoid),
    .exp = SKEIN_NAME(exp),
    .silu_product = SKEIN_NAME(silu_product),
    .sum_exp = SKEIN_NAME(sum_exp),
    .read = skein_read_scalar,
    .peak_f32 = skein_peak_f32_scalar,
    .peak_bf16 = skein_peak_bf16_scalar,
    .peak_i8 = skein_peak_i8_scalar,
};
