// The F32 kernels of this ISA and its table.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX2
#define SKEIN_NAME(name) name##_avx2
#include "twins.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "f8e4m3_avx2.h"
#include "rows_f32.h"
// Eight registers of sums, two to a vector of sixteen; with twelve, compilers move some to memory.
enum { TILE_INPUTS = 2, TILE_VECTORS = 2 };

/// Sixty-four codes; false, and numbers of no meaning, where one is not normal.
SKEIN_INLINE bool decode64_f32(const uint8_t *codes, v16 *out) {
    code_range range = empty_range();
    for (int half = 0; half < 2; half++) {
        __m256 numbers[4];
        decode32_f32(codes + 32 * half, &range, false, numbers);
        memcpy(out + 2 * half, numbers, sizeof numbers);
    }
    return is_normal(range);
}

#define SKEIN_DECODE64(codes, out)                                                           \
    do {                                                                                     \
        if (__builtin_expect(decode64_f32(codes, out), 1)) break;                            \
        for (int v = 0; v < 4; v++) (out)[v] = decode16(*(const u8v *)((codes) + 16 * v));   \
    } while (0)
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
    .score_index = skein_score_index_avx2,
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
