// INT8 products by vpdpbusd: bands of sixteen rows, a lane for each row, so that no sum is ever
// gathered from lanes. The instruction takes one factor unsigned: 128 is added to the weights, and
// 128 times the sum of the input's codes is taken away beforehand.
#include "tile_avx512.h"
#include "twins.h"

#if defined(__x86_64__)

enum { BANDS_MAX = 4 };

/// `count` rows of input against `bands` bands.
SKEIN_512_INLINE void tile(const uint8_t *const *band_codes, const float *const *band_scales,
                           size_t columns, const int8_t *const *inputs, float *const *outputs,
                           const size_t *widths, const int bands, const int count) {
    __m512 totals[TOKENS_MAX][BANDS_MAX];
    const uint8_t *codes[BANDS_MAX];
    for (int b = 0; b < bands; b++) codes[b] = band_codes[b];
    clear(totals, bands, count);
    const __m512i signs = _mm512_set1_epi8((char)0x80);
    size_t quads = skein_quads(columns), group_quads = SKEIN_GROUP_COLUMNS / 4;
    for (size_t first = 0, group = 0; first < quads; first += group_quads, group++) {
        __m512i sums[TOKENS_MAX][BANDS_MAX];
#pragma clang loop unroll(full)
        for (int m = 0; m < count; m++) {
            int32_t sum = skein_i8_row_sums(inputs[m], columns)[group];
#pragma clang loop unroll(full)
            for (int b = 0; b < bands; b++) sums[m][b] = _mm512_set1_epi32(-128 * sum);
        }
        size_t end = skein_min(quads, first + group_quads);
        for (size_t quad = first; quad < end; quad++) {
            __m512i w[BANDS_MAX];
#pragma clang loop unroll(full)
            for (int b = 0; b < bands; b++) {
                w[b] = _mm512_xor_si512(_mm512_loadu_si512(codes[b] + 64 * quad), signs);
            }
#pragma clang loop unroll(full)
            for (int m = 0; m < count; m++) {
                int32_t four;
                memcpy(&four, inputs[m] + 4 * quad, 4);
                __m512i x = _mm512_set1_epi32(four);
#pragma clang loop unroll(full)
                for (int b = 0; b < bands; b++) {
                    sums[m][b] = _mm512_dpbusd_epi32(sums[m][b], w[b], x);
                }
            }
        }
#pragma clang loop unroll(full)
        for (int m = 0; m < count; m++) {
            __m512 scale = _mm512_set1_ps(skein_i8_row_scales(inputs[m], columns)[group]);
#pragma clang loop unroll(full)
            for (int b = 0; b < bands; b++) {
                const float *from = band_scales[b] + SKEIN_BAND_ROWS * group;
                __m512 both = _mm512_mul_ps(_mm512_loadu_ps(from), scale);
                totals[m][b] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[m][b]), both,
                                               totals[m][b]);
            }
        }
    }
    for (int m = 0; m < count; m++) {
        for (int b = 0; b < bands; b++) {
            memcpy(outputs[m] + SKEIN_BAND_ROWS * b, &totals[m][b], widths[b] * sizeof(float));
        }
    }
}

#define TILE_CASE(bands, count)                                              \
    case (bands) * 8 + (count):                                              \
        tile(codes, scales, columns, inputs, outputs, widths, bands, count); \
        break;
#define TILE_CASES(bands)                                                       \
    TILE_CASE(bands, 1) TILE_CASE(bands, 2) TILE_CASE(bands, 3) TILE_CASE(bands, 4) \
    TILE_CASE(bands, 5) TILE_CASE(bands, 6)

SKEIN_512 void skein_product_i8_group_avx512(const skein_product *job) {
    const skein_weight *weight = job->weight;
    size_t columns = weight->columns;
    for (size_t row = job->row_begin; row < job->row_end;) {
        size_t left = (job->row_end - row + SKEIN_BAND_ROWS - 1) / SKEIN_BAND_ROWS;
        size_t bands = left >= BANDS_MAX ? BANDS_MAX : left >= 2 ? 2 : 1;
        const uint8_t *codes[BANDS_MAX];
        const float *scales[BANDS_MAX];
        size_t widths[BANDS_MAX];
        for (size_t b = 0; b < bands; b++) {
            size_t first = row + b * SKEIN_BAND_ROWS;
            codes[b] = skein_i8_band(weight, first);
            scales[b] = skein_i8_scales(weight, first);
            widths[b] = skein_min(SKEIN_BAND_ROWS, job->row_end - first);
        }
        for (size_t first = 0; first < job->count; first += TOKENS_MAX) {
            size_t count = skein_min(TOKENS_MAX, job->count - first);
            const int8_t *inputs[TOKENS_MAX];
            float *outputs[TOKENS_MAX];
            for (size_t m = 0; m < count; m++) {
                inputs[m] = (const int8_t *)job->input +
                            skein_numbered(job->input_rows, first + m) * job->input_stride;
                outputs[m] = job->output + row - job->row_begin +
                             skein_numbered(job->output_rows, first + m) * job->output_stride;
            }
            switch (bands * 8 + count) { TILE_CASES(1) TILE_CASES(2) TILE_CASES(4) }
        }
        row += bands * SKEIN_BAND_ROWS;
    }
}
#endif
