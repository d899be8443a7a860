// BF16 products by vdpbf16ps: four weight rows against up to six input rows in registers.
#include "tile_avx512.h"
#include "twins.h"

#if defined(__x86_64__)

SKEIN_512_INLINE void tile(const uint16_t *const *inputs, const uint8_t *const *weights,
                           float *const *outputs, size_t columns, const int rows, const int count) {
    __m512 sums[TOKENS_MAX][ROWS_MAX];
    clear(sums, rows, count);
    size_t whole = columns / SKEIN_STEP * SKEIN_STEP;
    size_t ahead = ROWS_MAX * 2 * columns;  // the next rows arrive while these are multiplied
    for (size_t k = 0; k < whole; k += SKEIN_STEP) {
        __m512i w[ROWS_MAX];
#pragma clang loop unroll(full)
        for (int n = 0; n < rows; n++) {
            w[n] = _mm512_loadu_si512(weights[n] + 2 * k);
            _mm_prefetch(weights[n] + 2 * k + ahead, _MM_HINT_T1);
        }
#pragma clang loop unroll(full)
        for (int m = 0; m < count; m++) {
            __m512i x = _mm512_loadu_si512(inputs[m] + k);
#pragma clang loop unroll(full)
            for (int n = 0; n < rows; n++) sums[m][n] = dot(sums[m][n], x, w[n]);
        }
    }
    if (whole < columns) {
        __mmask32 mask = (__mmask32)(((uint64_t)1 << (columns - whole)) - 1);
        for (int n = 0; n < rows; n++) {
            __m512i w = _mm512_maskz_loadu_epi16(mask, weights[n] + 2 * whole);
            for (int m = 0; m < count; m++) {
                sums[m][n] = dot(sums[m][n], _mm512_loadu_si512(inputs[m] + whole), w);
            }
        }
    }
    store_sums(sums, outputs, rows, count);
}

#define TILE_CASE(rows, count) \
    case (rows) * 8 + (count): tile(inputs, weights, outputs, columns, rows, count); break;
#define TILE_CASES(rows)                                                    \
    TILE_CASE(rows, 1) TILE_CASE(rows, 2) TILE_CASE(rows, 3) TILE_CASE(rows, 4) \
    TILE_CASE(rows, 5) TILE_CASE(rows, 6)

SKEIN_512 void skein_product_bf16_avx512(const skein_product *job) {
    size_t columns = job->weight->columns;
    for (size_t first = 0; first < job->count; first += TOKENS_MAX) {
        size_t count = skein_min(TOKENS_MAX, job->count - first);
        const uint16_t *inputs[TOKENS_MAX];
        float *outputs[TOKENS_MAX];
        find_rows(job, first, count, 0, inputs, outputs);
        for (size_t row = job->row_begin; row < job->row_end; row += ROWS_MAX) {
            size_t rows = skein_min(ROWS_MAX, job->row_end - row);
            const uint8_t *weights[ROWS_MAX];
            for (size_t n = 0; n < rows; n++) weights[n] = skein_weight_row(job->weight, row + n);
            switch (rows * 8 + count) {
                TILE_CASES(1) TILE_CASES(2) TILE_CASES(3) TILE_CASES(4)
            }
            for (size_t m = 0; m < count; m++) outputs[m] += rows;
        }
    }
}
#endif
