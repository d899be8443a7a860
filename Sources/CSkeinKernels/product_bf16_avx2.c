// BF16 products with AVX2: four weight rows against one or two input rows.
#include "tile_avx2.h"
#include "twins.h"

#if defined(__x86_64__)

/// Up to so many rows of input take less time in pairs than through widened planes.
enum { FEW_MAX = 6 };

typedef struct {
    const uint8_t *weights[ROWS_MAX];
    const uint8_t *tails[ROWS_MAX];  // the last columns, padded to a step
    size_t whole, rest;
} weight_rows;

SKEIN_256_INLINE void tile(const weight_rows *some, const float *const *input_planes,
                           float *const *outputs, const int rows, const int count) {
    __m256 parts[2][TOKENS_MAX][ROWS_MAX];
    const float *planes[TOKENS_MAX], *rests[TOKENS_MAX];
    const uint8_t *weights[ROWS_MAX];
    for (int m = 0; m < count; m++) planes[m] = input_planes[m];
    for (int m = 0; m < count; m++) rests[m] = planes[m] + some->whole;
    for (int n = 0; n < rows; n++) weights[n] = some->weights[n];
#pragma clang loop unroll(full)
    for (int part = 0; part < 2; part++) {
        __m256 sums[TOKENS_MAX][ROWS_MAX];
        for (int m = 0; m < count; m++) {
            for (int n = 0; n < rows; n++) sums[m][n] = _mm256_setzero_ps();
        }
        part_steps(sums, planes, weights, some->whole, part, rows, count);
        if (some->rest != 0) part_steps(sums, rests, some->tails, SKEIN_STEP, part, rows, count);
        memcpy(parts[part], sums, sizeof sums);
    }
    for (int m = 0; m < count; m++) {
        for (int n = 0; n < rows; n++) {
            outputs[m][n] = reduce_parts(parts[0][m][n], parts[1][m][n], false);
        }
    }
}

/// One row of input: both parts at once, so that memory is read once and in order.
SKEIN_256_INLINE void lone_tile(const weight_rows *some, const float *planes, float *output,
                                const int rows) {
    __m256 sums[2][1][ROWS_MAX];
    size_t ahead = ROWS_MAX * 2 * (some->whole + some->rest);
    for (int part = 0; part < 2; part++) {
        for (int n = 0; n < rows; n++) sums[part][0][n] = _mm256_setzero_ps();
    }
    for (size_t k = 0; k < some->whole; k += SKEIN_STEP) {
        __m256 x[4];
#pragma clang loop unroll(full)
        for (int v = 0; v < 4; v++) x[v] = _mm256_loadu_ps(planes + k + 8 * (size_t)v);
#pragma clang loop unroll(full)
        for (int n = 0; n < rows; n++) {
            const uint8_t *from = some->weights[n] + 2 * k;
            _mm_prefetch(from + ahead, _MM_HINT_T0);
#pragma clang loop unroll(full)
            for (int part = 0; part < 2; part++) {
                __m256i pairs = _mm256_loadu_si256((const __m256i *)(from + 32 * part));
                __m256 sum = sums[part][0][n];
                sum = _mm256_fmadd_ps(x[2 * part], odd_numbers(pairs), sum);
                sums[part][0][n] = _mm256_fmadd_ps(x[2 * part + 1], even_numbers(pairs), sum);
            }
        }
    }
    const float *rest = planes + some->whole;
    for (int part = 0; part < 2 && some->rest != 0; part++) {
        for (int n = 0; n < rows; n++) {
            __m256i pairs = _mm256_loadu_si256((const __m256i *)(some->tails[n] + 32 * part));
            __m256 sum = sums[part][0][n];
            sum = _mm256_fmadd_ps(_mm256_loadu_ps(rest + 16 * part), odd_numbers(pairs), sum);
            sums[part][0][n] = _mm256_fmadd_ps(_mm256_loadu_ps(rest + 16 * part + 8),
                                               even_numbers(pairs), sum);
        }
    }
    for (int n = 0; n < rows; n++) {
        output[n] = reduce_parts(sums[0][0][n], sums[1][0][n], false);
    }
}

#define TILE_CASE(rows, count) \
    case (rows) * 4 + (count): tile(&some, inputs, outputs, rows, count); break;
#define TILE_CASES(rows)                                          \
    case (rows) * 4 + 1: lone_tile(&some, planes, outputs[0], rows); break; \
    TILE_CASE(rows, 2)

/// Up to TOKENS_MAX rows of input, straight from the weight.
SKEIN_256 static void multiply_some(const skein_product *job) {
    size_t columns = job->weight->columns, rest = columns % SKEIN_STEP, count = job->count;
    size_t stride = skein_packed_stride(job->weight);
    float *planes = job->scratch;
    const float *inputs[TOKENS_MAX];
    for (size_t m = 0; m < count; m++) {
        widen(input_row(job, m), skein_padded(columns), planes + m * stride, false);
        inputs[m] = planes + m * stride;
    }
    for (size_t row = job->row_begin; row < job->row_end; row += ROWS_MAX) {
        size_t rows = skein_min(ROWS_MAX, job->row_end - row);
        weight_rows some = {.whole = columns - rest, .rest = rest};
        uint16_t tails[ROWS_MAX][SKEIN_STEP] = {{0}};
        for (size_t n = 0; n < rows; n++) {
            some.weights[n] = skein_weight_row(job->weight, row + n);
            some.tails[n] = (const uint8_t *)tails[n];
            memcpy(tails[n], some.weights[n] + 2 * some.whole, 2 * rest);
        }
        float *outputs[TOKENS_MAX];
        for (size_t m = 0; m < count; m++) {
            outputs[m] = output_row(job, m) + row - job->row_begin;
        }
        switch (rows * 4 + count) {
            TILE_CASES(1) TILE_CASES(2) TILE_CASES(3) TILE_CASES(4)
        }
    }
}

SKEIN_256 static void product_few(const skein_product *job) {
    for (size_t first = 0; first < job->count; first += TOKENS_MAX) {
        skein_product some = some_inputs(job, first, skein_min(TOKENS_MAX, job->count - first));
        multiply_some(&some);
    }
}

/// Widens `count` numbers of a weight row, at most a block, into planes.
SKEIN_256_INLINE void widen_weight(const uint8_t *from, size_t count, float *planes) {
    for (size_t k = 0; k < count; k += SKEIN_STEP) {
        uint16_t padded[SKEIN_STEP] = {0};
        if (count - k < SKEIN_STEP) from = memcpy(padded, from, 2 * (count - k));
        __m256i parts[2] = {_mm256_loadu_si256((const __m256i *)from),
                            _mm256_loadu_si256((const __m256i *)(from + 32))};
        store_planes(parts, planes + k);
        from += 2 * SKEIN_STEP;
    }
}

/// Weight rows row ..< row + rows against the input rows first ..< first + count, which scratch
/// knows.
SKEIN_256 static void product_widened(const skein_product *job, size_t row, size_t rows,
                                      size_t first, size_t count) {
    block_scratch *scratch = job->scratch;
    FOR_BLOCKS(job->weight) {
        for (size_t n = 0; n < rows; n++) {
            const uint8_t *from = skein_weight_row(job->weight, row + n) + 2 * at.begin;
            widen_weight(from, at.count, scratch->weights[n]);
        }
        multiply_block(scratch, at, NULL, rows, count);
    }
    for (size_t m = 0; m < count; m++) {
        float *output = output_row(job, first + m) + row - job->row_begin;
        for (size_t n = 0; n < rows; n++) output[n] = reduce_lanes(&scratch->sums[n][m]);
    }
}

SKEIN_256 void skein_product_bf16_avx2(const skein_product *job) {
    if (job->count <= FEW_MAX) {
        product_few(job);
        return;
    }
    for (size_t first = 0; first < job->count; first += SKEIN_WIDENED_ROWS) {
        size_t count = skein_min(SKEIN_WIDENED_ROWS, job->count - first);
        begin_rows(job, first, count);
        for (size_t row = job->row_begin; row < job->row_end; row += BLOCK_ROWS) {
            product_widened(job, row, skein_min(BLOCK_ROWS, job->row_end - row), first, count);
        }
    }
}
#endif
