// E4M3 products with AVX2: decoded in registers for few input rows, once per tile for many.
#include "tile_avx2.h"
#include "twins.h"

#if defined(__x86_64__)

/// The codes of one step; beyond the block's end, where the input is zero, normal ones.
SKEIN_256_INLINE const uint8_t *step_codes(const uint8_t *codes, size_t left, uint8_t *padded) {
    if (left >= SKEIN_STEP) return codes;
    memset(padded, 8, SKEIN_STEP);
    memcpy(padded, codes, left);
    return padded;
}

/// Up to so many rows of input take less time from the codes than through decoded planes.
enum { FEW_MAX = 12 };

// ---- straight from the codes -----------------------------------------------------------------

/// sums[m][n] = planes[m] . codes[n] over one block of columns; false where a code is not normal.
SKEIN_256_INLINE bool direct_block(const uint8_t *const *codes, size_t block_count,
                                   const float *const *planes, size_t ahead, const bool slowly,
                                   __m256 sums[SKEIN_DIRECT_MAX][2][2], const int rows,
                                   const int count) {
    code_range range = empty_range();
    for (int m = 0; m < count; m++) {
        for (int n = 0; n < rows; n++) sums[m][n][0] = sums[m][n][1] = _mm256_setzero_ps();
    }
    for (size_t k = 0; k < block_count; k += SKEIN_STEP) {
#pragma clang loop unroll(full)
        for (int n = 0; n < rows; n++) {
            uint8_t padded[SKEIN_STEP];
            const uint8_t *from = step_codes(codes[n] + k, block_count - k, padded);
            _mm_prefetch(codes[n] + k + ahead, _MM_HINT_T0);
            __m256i parts[2];
            decode32_either(_mm256_loadu_si256((const __m256i *)from), &range, slowly, parts);
#pragma clang loop unroll(full)
            for (int part = 0; part < 2; part++) {
                __m256 odd = odd_numbers(parts[part]), even = even_numbers(parts[part]);
#pragma clang loop unroll(full)
                for (int m = 0; m < count; m++) {
                    const float *x = planes[m] + k + 16 * (size_t)part;
                    __m256 sum = sums[m][n][part];
                    sum = _mm256_fmadd_ps(_mm256_loadu_ps(x), odd, sum);
                    sums[m][n][part] = _mm256_fmadd_ps(_mm256_loadu_ps(x + 8), even, sum);
                }
            }
        }
    }
    return slowly || is_normal(range);
}

SKEIN_256 static __attribute__((noinline)) void slow_block(
    const uint8_t *const *codes, size_t block_count, const float *const *planes,
    __m256 sums[SKEIN_DIRECT_MAX][2][2], int rows, int count) {
    for (int m = 0; m < count; m++) {
        for (int n = 0; n < rows; n++) {
            __m256 one[SKEIN_DIRECT_MAX][2][2];
            direct_block(codes + n, block_count, planes + m, 0, true, one, 1, 1);
            sums[m][n][0] = one[0][0][0];
            sums[m][n][1] = one[0][0][1];
        }
    }
}

SKEIN_256_INLINE void direct_rows(const skein_product *job, size_t row,
                                  const float *const *input_planes, float *const *outputs,
                                  const int rows, const int count) {
    const skein_weight *weight = job->weight;
    __m256 totals[SKEIN_DIRECT_MAX][2][2];
    const float *planes[SKEIN_DIRECT_MAX];
    const uint8_t *codes[2];
    const float *scales[2];
    for (int m = 0; m < count; m++) {
        planes[m] = input_planes[m];
        for (int n = 0; n < rows; n++) totals[m][n][0] = totals[m][n][1] = _mm256_setzero_ps();
    }
    for (int n = 0; n < rows; n++) {
        codes[n] = skein_weight_row(weight, row + (size_t)n);
        scales[n] = skein_weight_scales(weight, row + (size_t)n);
    }
    size_t ahead = 2 * weight->columns;  // the next rows arrive while these are multiplied
    for (size_t begin = 0, block = 0; begin < weight->columns; block++) {
        size_t block_count = skein_min(weight->block_columns, weight->columns - begin);
        __m256 sums[SKEIN_DIRECT_MAX][2][2];
        bool is_done;
        if (block_count == 128) {  // the published size, unrolled
            is_done = direct_block(codes, 128, planes, ahead, false, sums, rows, count);
        } else {
            is_done = direct_block(codes, block_count, planes, ahead, false, sums, rows, count);
        }
        if (__builtin_expect(!is_done, 0)) {
            slow_block(codes, block_count, planes, sums, rows, count);
        }
        for (int n = 0; n < rows; n++) {
            __m256 scale = _mm256_set1_ps(scales[n][block]);
            for (int m = 0; m < count; m++) {
                for (int part = 0; part < 2; part++) {
                    totals[m][n][part] = _mm256_fmadd_ps(sums[m][n][part], scale,
                                                         totals[m][n][part]);
                }
            }
            codes[n] += block_count;
        }
        for (int m = 0; m < count; m++) planes[m] += skein_padded(block_count);
        begin += block_count;
    }
    for (int m = 0; m < count; m++) {
        for (int n = 0; n < rows; n++) {
            outputs[m][n] = reduce_parts(totals[m][n][0], totals[m][n][1], true);
        }
    }
}

#define DIRECT_CASE(rows, count) \
    case (rows) * 8 + (count): direct_rows(job, row, planes, outputs, rows, count); break;

SKEIN_256 static void product_direct(const skein_product *job, const float *const *planes) {
    float *outputs[SKEIN_DIRECT_MAX];
    for (size_t m = 0; m < job->count; m++) outputs[m] = output_row(job, m);
    size_t side = job->count <= 2 ? 2 : 1;  // eight accumulators at most
    for (size_t row = job->row_begin; row < job->row_end;) {
        size_t rows = skein_min(side, job->row_end - row);
        switch (rows * 8 + job->count) {
            DIRECT_CASE(1, 1) DIRECT_CASE(1, 2) DIRECT_CASE(1, 3) DIRECT_CASE(1, 4)
            DIRECT_CASE(2, 1) DIRECT_CASE(2, 2)
        }
        for (size_t m = 0; m < job->count; m++) outputs[m] += rows;
        row += rows;
    }
}

// ---- decoded once for many rows of input --------------------------------------------------------

/// Decodes `count` codes, at most a block, into straight planes; false where a code is not normal.
SKEIN_256_INLINE bool decode_planes(const uint8_t *codes, size_t count, float *planes,
                                    const bool slowly) {
    code_range range = empty_range();
    for (size_t k = 0; k < count; k += SKEIN_STEP) {
        uint8_t padded[SKEIN_STEP];
        const uint8_t *from = step_codes(codes + k, count - k, padded);
        // Quarters 0 2 1 3: what crosses them brings them into order.
        __m256i some = _mm256_loadu_si256((const __m256i *)from), parts[2];
        decode32_either(_mm256_permute4x64_epi64(some, 0xD8), &range, slowly, parts);
        store_planes(parts, planes + k);
    }
    return slowly || is_normal(range);
}

/// Weight rows row ..< row + rows against the input rows first ..< first + count, which scratch
/// knows.
SKEIN_256 static void product_decoded(const skein_product *job, size_t row, size_t rows,
                                      size_t first, size_t count) {
    block_scratch *scratch = job->scratch;
    FOR_BLOCKS(job->weight) {
        float scales[BLOCK_ROWS];
        for (size_t n = 0; n < rows; n++) {
            const uint8_t *codes = skein_weight_row(job->weight, row + n) + at.begin;
            scales[n] = skein_weight_scales(job->weight, row + n)[at.scale];
            if (!decode_planes(codes, at.count, scratch->weights[n], false)) {
                decode_planes(codes, at.count, scratch->weights[n], true);
            }
        }
        multiply_block(scratch, at, at.ends ? scales : NULL, rows, count);
    }
    for (size_t m = 0; m < count; m++) {
        float *output = output_row(job, first + m) + row - job->row_begin;
        for (size_t n = 0; n < rows; n++) output[n] = reduce_lanes(&scratch->totals[n][m]);
    }
}

/// Up to SKEIN_DIRECT_MAX rows of input by the tables.
SKEIN_256 static void product_by_tables(const skein_product *job) {
    const skein_weight *weight = job->weight;
    size_t width = skein_packed_width(weight->columns, weight->block_columns);
    float *planes[SKEIN_DIRECT_MAX];
    for (size_t m = 0; m < job->count; m++) {
        planes[m] = (float *)job->scratch + m * skein_packed_stride(weight);
        widen(input_row(job, m), width, planes[m], true);
    }
    product_direct(job, (const float *const *)planes);
}

/// Few rows of input: the codes of a tile are decoded once for every four of them.
SKEIN_256 static void product_few(const skein_product *job) {
    for (size_t first = 0; first < job->count; first += SKEIN_DIRECT_MAX) {
        size_t count = skein_min(SKEIN_DIRECT_MAX, job->count - first);
        skein_product some = some_inputs(job, first, count);
        if (job->row_begin == 0) {  // there is nothing before its codes
            some.row_end = 1;
            product_by_tables(&some);
            some.row_begin = 1;
            some.row_end = job->row_end;
            some.output += 1;
        }
        if (!skein_product_f8e4m3_tiny_avx2(&some)) product_by_tables(&some);
    }
}

SKEIN_256 void skein_product_f8e4m3_block_avx2(const skein_product *job) {
    if (job->count <= FEW_MAX) {
        product_few(job);
        return;
    }
    for (size_t first = 0; first < job->count; first += SKEIN_WIDENED_ROWS) {
        size_t count = skein_min(SKEIN_WIDENED_ROWS, job->count - first);
        begin_rows(job, first, count);
        for (size_t row = job->row_begin; row < job->row_end; row += BLOCK_ROWS) {
            size_t rows = skein_min(BLOCK_ROWS, job->row_end - row);
            product_decoded(job, row, rows, first, count);
        }
    }
}
#endif
