// E4M3 products with AVX2: two weight rows are decoded into L1 and multiplied with all input rows.
#include "tile_avx2.h"
#include "twins.h"

#if defined(__x86_64__)

/// Sixteen codes as BF16.
SKEIN_256_INLINE __m256i decode16(__m128i codes) {
    // BF16 of the subnormal magnitudes 0-7, by their lower and upper bytes.
    const __m256i lower = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 0, (char)0x80, (char)0xC0, 0, 0x20, 0x40, 0x60, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i upper = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 0x3B, 0x3B, 0x3B, 0x3C, 0x3C, 0x3C, 0x3C, 0, 0, 0, 0, 0, 0, 0, 0));
    __m256i words = _mm256_cvtepu8_epi16(codes);
    __m256i magnitude = _mm256_and_si256(words, _mm256_set1_epi16(0x7F));
    __m256i sign = _mm256_slli_epi16(_mm256_andnot_si256(_mm256_set1_epi16(0x7F), words), 8);
    __m256i normal = _mm256_add_epi16(_mm256_slli_epi16(magnitude, 4),
                                      _mm256_set1_epi16(120 << 7));
    __m256i low_byte = _mm256_shuffle_epi8(
        lower, _mm256_or_si256(magnitude, _mm256_set1_epi16((short)0x8000)));
    __m256i high_byte = _mm256_shuffle_epi8(
        upper, _mm256_or_si256(_mm256_slli_epi16(magnitude, 8), _mm256_set1_epi16(0x0080)));
    __m256i subnormal = _mm256_or_si256(low_byte, high_byte);
    __m256i is_normal = _mm256_cmpgt_epi16(magnitude, _mm256_set1_epi16(7));
    __m256i value = _mm256_blendv_epi8(subnormal, normal, is_normal);
    __m256i is_nan = _mm256_cmpeq_epi16(magnitude, _mm256_set1_epi16(0x7F));
    value = _mm256_blendv_epi8(value, _mm256_set1_epi16(0x7FC0), is_nan);
    return _mm256_or_si256(value, sign);
}

SKEIN_256 static void decode_row(const skein_weight *weight, size_t row, uint16_t *out) {
    const uint8_t *codes = skein_weight_row(weight, row);
    for (size_t begin = 0; begin < weight->columns;) {
        size_t block_count = skein_min(weight->block_columns, weight->columns - begin), k = 0;
        for (; k + 16 <= block_count; k += 16) {
            __m128i sixteen = _mm_loadu_si128((const __m128i *)(codes + begin + k));
            _mm256_storeu_si256((__m256i *)(out + k), decode16(sixteen));
        }
        for (; k < block_count; k++) out[k] = skein_bf16_of_f8e4m3(codes[begin + k]);
        for (; k < skein_padded(block_count); k++) out[k] = 0;
        begin += block_count;
        out += skein_padded(block_count);
    }
}

SKEIN_256_INLINE void tile(const skein_weight *weight, const uint16_t *const *input_rows,
                           const uint16_t *decoded, size_t stride, const float *const *scales,
                           float *const *outputs, const int rows, const int count) {
    lanes16 totals[TOKENS_MAX][ROWS_MAX], sums[TOKENS_MAX][ROWS_MAX];
    const uint16_t *inputs[TOKENS_MAX];
    const uint8_t *weights[ROWS_MAX];
    for (int m = 0; m < count; m++) inputs[m] = input_rows[m];
    for (int n = 0; n < rows; n++) {
        weights[n] = (const uint8_t *)(decoded + (size_t)n * stride);
    }
    clear(totals, rows, count);
    for (size_t begin = 0, block = 0; begin < weight->columns; block++) {
        size_t block_count = skein_min(weight->block_columns, weight->columns - begin);
        size_t width = skein_padded(block_count);
        clear(sums, rows, count);
        dot_steps(sums, inputs, weights, width, rows, count);
        for (int n = 0; n < rows; n++) {
            __m256 scale = _mm256_set1_ps(scales[n][block]);
            for (int m = 0; m < count; m++) {
                for (int half = 0; half < 2; half++) {
                    totals[m][n].half[half] = _mm256_fmadd_ps(sums[m][n].half[half], scale,
                                                              totals[m][n].half[half]);
                }
            }
        }
        for (int m = 0; m < count; m++) inputs[m] += width;
        for (int n = 0; n < rows; n++) weights[n] += 2 * width;
        begin += block_count;
    }
    for (int m = 0; m < count; m++) {
        for (int n = 0; n < rows; n++) outputs[m][n] = reduce_lanes(&totals[m][n]);
    }
}

SKEIN_256 void skein_product_f8e4m3_block_avx2(const skein_product *job) {
    const skein_weight *weight = job->weight;
    size_t stride = skein_packed_stride(weight);
    uint16_t *decoded = job->scratch;
    for (size_t row = job->row_begin; row < job->row_end; row += ROWS_MAX) {
        size_t rows = skein_min(ROWS_MAX, job->row_end - row);
        const float *scales[ROWS_MAX];
        for (size_t n = 0; n < rows; n++) {
            decode_row(weight, row + n, decoded + n * stride);
            scales[n] = skein_weight_scales(weight, row + n);
        }
        for (size_t first = 0; first < job->count; first += TOKENS_MAX) {
            size_t count = skein_min(TOKENS_MAX, job->count - first);
            const uint16_t *inputs[TOKENS_MAX];
            float *outputs[TOKENS_MAX];
            find_rows(job, first, count, row - job->row_begin, inputs, outputs);
            switch (rows * 4 + count) {
                case 5: tile(weight, inputs, decoded, stride, scales, outputs, 1, 1); break;
                case 6: tile(weight, inputs, decoded, stride, scales, outputs, 1, 2); break;
                case 9: tile(weight, inputs, decoded, stride, scales, outputs, 2, 1); break;
                case 10: tile(weight, inputs, decoded, stride, scales, outputs, 2, 2); break;
            }
        }
    }
}
#endif
