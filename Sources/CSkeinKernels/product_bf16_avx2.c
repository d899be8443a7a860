// BF16 products with AVX2: two weight rows against up to two input rows in registers.
#include "tile_avx2.h"
#include "twins.h"

#if defined(__x86_64__)

SKEIN_256_INLINE void tile(const uint16_t *const *rows_of_input, const uint8_t *const *weights,
                           const uint16_t (*tails)[SKEIN_STEP], float *const *outputs,
                           size_t columns, const int rows, const int count) {
    lanes16 sums[TOKENS_MAX][ROWS_MAX];
    size_t whole = columns / SKEIN_STEP * SKEIN_STEP;
    clear(sums, rows, count);
    dot_steps(sums, rows_of_input, weights, whole, rows, count);
    if (whole < columns) {
        const uint16_t *inputs[TOKENS_MAX];
        const uint8_t *rests[ROWS_MAX];
        for (int m = 0; m < count; m++) inputs[m] = rows_of_input[m] + whole;
        for (int n = 0; n < rows; n++) rests[n] = (const uint8_t *)tails[n];
        dot_steps(sums, inputs, rests, SKEIN_STEP, rows, count);
    }
    for (int m = 0; m < count; m++) {
        for (int n = 0; n < rows; n++) outputs[m][n] = reduce_lanes(&sums[m][n]);
    }
}

SKEIN_256 void skein_product_bf16_avx2(const skein_product *job) {
    size_t columns = job->weight->columns, rest = columns % SKEIN_STEP;
    for (size_t row = job->row_begin; row < job->row_end; row += ROWS_MAX) {
        size_t rows = skein_min(ROWS_MAX, job->row_end - row);
        const uint8_t *weights[ROWS_MAX];
        uint16_t tails[ROWS_MAX][SKEIN_STEP] = {{0}};
        for (size_t n = 0; n < rows; n++) {
            weights[n] = skein_weight_row(job->weight, row + n);
            memcpy(tails[n], weights[n] + 2 * (columns - rest), 2 * rest);
        }
        for (size_t first = 0; first < job->count; first += TOKENS_MAX) {
            size_t count = skein_min(TOKENS_MAX, job->count - first);
            const uint16_t *inputs[TOKENS_MAX];
            float *outputs[TOKENS_MAX];
            find_rows(job, first, count, row - job->row_begin, inputs, outputs);
            switch (rows * 4 + count) {
                case 5: tile(inputs, weights, tails, outputs, columns, 1, 1); break;
                case 6: tile(inputs, weights, tails, outputs, columns, 1, 2); break;
                case 9: tile(inputs, weights, tails, outputs, columns, 2, 1); break;
                case 10: tile(inputs, weights, tails, outputs, columns, 2, 2); break;
            }
        }
    }
}
#endif
