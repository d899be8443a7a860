// The F32 kernels of this ISA and its table.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX512
#define SKEIN_NAME(name) name##_avx512
#include "twins.h"
#include "tile_avx512.h"
#include "rows_f32.h"

/// Sixty-four codes by byte permutes: 0-31 and 32-63 as BF16, then each widened.
SKEIN_INLINE void decode64_f32(const uint8_t *codes, v16 *out) {
    const f8e4m3_tables tables = load_tables();
    __m512i halves[2];
    decode64(&tables, _mm512_loadu_si512(codes), halves);
    for (int half = 0; half < 2; half++) {
        __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(halves[half]));
        __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(halves[half], 1));
        out[2 * half] = (v16)_mm512_slli_epi32(low, 16);
        out[2 * half + 1] = (v16)_mm512_slli_epi32(high, 16);
    }
}

#define SKEIN_DECODE64(codes, out) decode64_f32(codes, out)
enum { TILE_INPUTS = 4, TILE_VECTORS = 4 };
#include "product_f32.h"

const skein_kernels skein_kernels_avx512 = {
    .product_bf16 = skein_product_bf16_avx512,
    .product_f8e4m3_block = skein_product_f8e4m3_block_avx512,
    .product_i8_group = skein_product_i8_group_avx512,
    .product_f32 = SKEIN_NAME(product_f32),
    .decode_row = SKEIN_NAME(decode_row),
    .quantize_i8 = SKEIN_NAME(quantize_i8),
    .transposed_f32 = SKEIN_NAME(transposed_f32),
    .attend_latent = skein_attend_latent_bf16_avx512,
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
