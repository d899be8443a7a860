// INT8 products with AVX2: bands of sixteen rows, a lane for each row, so that no sum is ever
// gathered from lanes. |x| times w with the sign of x: two such products fit sixteen bits.
#include "tile_avx2.h"
#include "twins.h"

#if defined(__x86_64__)

enum { BANDS_MAX = 4, COMPANY_MAX = 2 };

/// `count` rows of input against `bands` bands, eight accumulators at most.
SKEIN_256_INLINE void tile(const uint8_t *const *band_codes, const float *const *band_scales,
                           size_t columns, const int8_t *const *inputs, float *const *outputs,
                           const size_t *widths, const int bands, const int count) {
    __m256 totals[COMPANY_MAX][BANDS_MAX][2];
    const uint8_t *codes[BANDS_MAX];
    for (int b = 0; b < bands; b++) codes[b] = band_codes[b];
    for (int m = 0; m < count; m++) {
        for (int b = 0; b < bands; b++) totals[m][b][0] = totals[m][b][1] = _mm256_setzero_ps();
    }
    const __m256i ones = _mm256_set1_epi16(1);
    size_t quads = skein_quads(columns), group_quads = SKEIN_GROUP_COLUMNS / 4;
    for (size_t first = 0, group = 0; first < quads; first += group_quads, group++) {
        __m256i sums[COMPANY_MAX][BANDS_MAX][2];
        for (int m = 0; m < count; m++) {
            for (int b = 0; b < bands; b++) {
                sums[m][b][0] = sums[m][b][1] = _mm256_setzero_si256();
            }
        }
        size_t end = skein_min(quads, first + group_quads);
        for (size_t quad = first; quad < end; quad++) {
#pragma clang loop unroll(full)
            for (int m = 0; m < count; m++) {
                int32_t four;
                memcpy(&four, inputs[m] + 4 * quad, 4);
                __m256i x = _mm256_set1_epi32(four), magnitude = _mm256_abs_epi8(x);
#pragma clang loop unroll(full)
                for (int b = 0; b < bands; b++) {
#pragma clang loop unroll(full)
                    for (int half = 0; half < 2; half++) {
                        const uint8_t *from = codes[b] + 64 * quad + 32 * (size_t)half;
                        __m256i w = _mm256_loadu_si256((const __m256i *)from);
                        __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(w, x));
                        sums[m][b][half] = _mm256_add_epi32(sums[m][b][half],
                                                            _mm256_madd_epi16(pairs, ones));
                    }
                }
            }
        }
        for (int m = 0; m < count; m++) {
            __m256 scale = _mm256_set1_ps(skein_i8_row_scales(inputs[m], columns)[group]);
            for (int b = 0; b < bands; b++) {
                for (int half = 0; half < 2; half++) {
                    const float *from = band_scales[b] + SKEIN_BAND_ROWS * group + 8 * half;
                    __m256 both = _mm256_mul_ps(_mm256_loadu_ps(from), scale);
                    totals[m][b][half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[m][b][half]),
                                                         both, totals[m][b][half]);
                }
            }
        }
    }
    for (int m = 0; m < count; m++) {
        for (int b = 0; b < bands; b++) {
            memcpy(outputs[m] + SKEIN_BAND_ROWS * b, totals[m][b], widths[b] * sizeof(float));
        }
    }
}

#define TILE_CASE(bands, count)                                                                 \
    case (bands) * 4 + (count):                                                                 \
        tile(codes, scales, columns, inputs, outputs, widths, bands, count);                    \
        break;

SKEIN_256 void skein_product_i8_group_avx2(const skein_product *job) {
    const skein_weight *weight = job->weight;
    size_t columns = weight->columns;
    // Alone a row of input reads four streams of memory; in company a weight is used twice a load.
    size_t company = job->count == 1 ? 1 : COMPANY_MAX, side = job->count == 1 ? BANDS_MAX : 2;
    for (size_t row = job->row_begin; row < job->row_end;) {
        size_t left = (job->row_end - row + SKEIN_BAND_ROWS - 1) / SKEIN_BAND_ROWS;
        size_t bands = left >= side ? side : left >= 2 ? 2 : 1;
        const uint8_t *codes[BANDS_MAX];
        const float *scales[BANDS_MAX];
        size_t widths[BANDS_MAX];
        for (size_t b = 0; b < bands; b++) {
            size_t first = row + b * SKEIN_BAND_ROWS;
            codes[b] = skein_i8_band(weight, first);
            scales[b] = skein_i8_scales(weight, first);
            widths[b] = skein_min(SKEIN_BAND_ROWS, job->row_end - first);
        }
        for (size_t first = 0; first < job->count; first += company) {
            size_t count = skein_min(company, job->count - first);
            const int8_t *inputs[COMPANY_MAX];
            float *outputs[COMPANY_MAX];
            for (size_t m = 0; m < count; m++) {
                inputs[m] = (const int8_t *)job->input +
                            skein_numbered(job->input_rows, first + m) * job->input_stride;
                outputs[m] = job->output + row - job->row_begin +
                             skein_numbered(job->output_rows, first + m) * job->output_stride;
            }
            switch (bands * 4 + count) {
                TILE_CASE(1, 1) TILE_CASE(2, 1) TILE_CASE(4, 1) TILE_CASE(1, 2) TILE_CASE(2, 2)
            }
        }
        row += bands * SKEIN_BAND_ROWS;
    }
}
#endif
