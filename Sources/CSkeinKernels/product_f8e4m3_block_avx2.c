// E4M3 products with AVX2: decoded in registers for few input rows, once per tile for many.
//
// Of a normal number the upper byte of its BF16 form depends on the upper four bits of the code
// alone, and the lower byte is its lower four bits, shifted: one table of sixteen bytes decodes it.
// Subnormals and NaN do not fit; a block that has one is found by its least and largest magnitude
// and decoded number by number.
#include "tile_avx2.h"
#include "twins.h"

#if defined(__x86_64__)

typedef struct {
    __m256i least, largest;  // magnitudes of the codes so far
} code_range;

SKEIN_256_INLINE code_range empty_range(void) {
    return (code_range){_mm256_set1_epi8(0x7F), _mm256_setzero_si256()};
}

/// Whether every code so far was a normal number.
SKEIN_256_INLINE bool is_normal(code_range range) {
    __m256i low = _mm256_cmpgt_epi8(_mm256_set1_epi8(8), range.least);
    __m256i high = _mm256_cmpeq_epi8(range.largest, _mm256_set1_epi8(0x7F));
    return _mm256_testz_si256(_mm256_or_si256(low, high), _mm256_set1_epi8(-1));
}

/// Normal codes as BF16, in crossed order.
SKEIN_256_INLINE void decode32(__m256i codes, code_range *range, __m256i parts[2]) {
    const __m256i upper = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        0x3C, 0x3D, 0x3E, 0x3F, 0x40, 0x41, 0x42, 0x43, (char)0xBC, (char)0xBD, (char)0xBE,
        (char)0xBF, (char)0xC0, (char)0xC1, (char)0xC2, (char)0xC3));
    __m256i magnitude = _mm256_and_si256(codes, _mm256_set1_epi8(0x7F));
    range->least = _mm256_min_epu8(range->least, magnitude);
    range->largest = _mm256_max_epu8(range->largest, magnitude);
    __m256i number = _mm256_and_si256(_mm256_srli_epi16(codes, 4), _mm256_set1_epi8(0x0F));
    __m256i high = _mm256_shuffle_epi8(upper, number);
    __m256i low = _mm256_and_si256(_mm256_slli_epi16(codes, 4), _mm256_set1_epi8((char)0xF0));
    parts[0] = _mm256_unpacklo_epi8(low, high);
    parts[1] = _mm256_unpackhi_epi8(low, high);
}

/// Any codes as BF16, in crossed order.
SKEIN_256_INLINE void decode32_slowly(const uint8_t *codes, __m256i parts[2]) {
    uint16_t numbers[SKEIN_STEP];
    for (int k = 0; k < SKEIN_STEP; k++) numbers[k] = skein_bf16_of_f8e4m3(codes[k]);
    __m256i first = _mm256_loadu_si256((const __m256i *)numbers);
    __m256i second = _mm256_loadu_si256((const __m256i *)(numbers + 16));
    parts[0] = _mm256_permute2x128_si256(first, second, 0x20);
    parts[1] = _mm256_permute2x128_si256(first, second, 0x31);
}

/// The codes of one step; beyond the block's end, where the input is zero, normal ones.
SKEIN_256_INLINE const uint8_t *step_codes(const uint8_t *codes, size_t left, uint8_t *padded) {
    if (left >= SKEIN_STEP) return codes;
    memset(padded, 8, SKEIN_STEP);
    memcpy(padded, codes, left);
    return padded;
}

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
            if (slowly) {
                decode32_slowly(from, parts);
            } else {
                decode32(_mm256_loadu_si256((const __m256i *)from), &range, parts);
            }
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

// ---- decoded once per tile -------------------------------------------------------------------

SKEIN_256_INLINE bool decode_block(const uint8_t *codes, size_t count, uint16_t *out,
                                   const bool slowly) {
    code_range range = empty_range();
    for (size_t k = 0; k < count; k += SKEIN_STEP) {
        uint8_t padded[SKEIN_STEP];
        const uint8_t *from = step_codes(codes + k, count - k, padded);
        __m256i parts[2];
        if (slowly) {
            decode32_slowly(from, parts);
        } else {
            decode32(_mm256_loadu_si256((const __m256i *)from), &range, parts);
        }
        _mm256_storeu_si256((__m256i *)(out + k), parts[0]);
        _mm256_storeu_si256((__m256i *)(out + k + 16), parts[1]);
    }
    return slowly || is_normal(range);
}

SKEIN_256 static void decode_row(const skein_weight *weight, size_t row, uint16_t *out) {
    const uint8_t *codes = skein_weight_row(weight, row);
    for (size_t begin = 0; begin < weight->columns;) {
        size_t count = skein_min(weight->block_columns, weight->columns - begin);
        if (!decode_block(codes + begin, count, out, false)) {
            decode_block(codes + begin, count, out, true);
        }
        begin += count;
        out += skein_padded(count);
    }
}

SKEIN_256_INLINE void decoded_tile(const skein_weight *weight, const float *const *planes,
                                   const uint16_t *decoded, size_t stride,
                                   const float *const *scales, float *const *outputs,
                                   const int rows, const int count) {
    __m256 totals[2][TOKENS_MAX][ROWS_MAX];
#pragma clang loop unroll(disable)
    for (int part = 0; part < 2; part++) {
        const float *inputs[TOKENS_MAX];
        const uint8_t *weights[ROWS_MAX];
        for (int m = 0; m < count; m++) inputs[m] = planes[m] + 16 * part;
        for (int n = 0; n < rows; n++) {
            weights[n] = (const uint8_t *)(decoded + (size_t)n * stride + 16 * (size_t)part);
        }
        for (int m = 0; m < count; m++) {
            for (int n = 0; n < rows; n++) totals[part][m][n] = _mm256_setzero_ps();
        }
        for (size_t begin = 0, block = 0; begin < weight->columns; block++) {
            size_t block_count = skein_min(weight->block_columns, weight->columns - begin);
            size_t width = skein_padded(block_count);
            __m256 sums[TOKENS_MAX][ROWS_MAX];
            for (int m = 0; m < count; m++) {
                for (int n = 0; n < rows; n++) sums[m][n] = _mm256_setzero_ps();
            }
            part_steps(sums, inputs, weights, width, 0, rows, count);
            for (int n = 0; n < rows; n++) {
                __m256 scale = _mm256_set1_ps(scales[n][block]);
                for (int m = 0; m < count; m++) {
                    totals[part][m][n] = _mm256_fmadd_ps(sums[m][n], scale, totals[part][m][n]);
                }
                weights[n] += 2 * width;
            }
            for (int m = 0; m < count; m++) inputs[m] += width;
            begin += block_count;
        }
    }
    for (int m = 0; m < count; m++) {
        for (int n = 0; n < rows; n++) {
            outputs[m][n] = reduce_parts(totals[0][m][n], totals[1][m][n], true);
        }
    }
}

#define DECODED_CASE(rows, count)                                                           \
    case (rows) * 4 + (count):                                                              \
        decoded_tile(job->weight, inputs, decoded, stride, scales, outputs, rows, count);   \
        break;
#define DECODED_CASES(rows) DECODED_CASE(rows, 1) DECODED_CASE(rows, 2) DECODED_CASE(rows, 3)

/// Weight rows from `row` on, which lie decoded in L1, against input rows first ..< first + count.
SKEIN_256 static void decoded_rows(const skein_product *job, size_t first, size_t count,
                                   const float *planes, size_t row, const uint16_t *decoded,
                                   size_t stride) {
    size_t rows = skein_min(ROWS_MAX, job->row_end - row);
    const float *scales[ROWS_MAX];
    for (size_t n = 0; n < rows; n++) scales[n] = skein_weight_scales(job->weight, row + n);
    for (size_t place = 0; place < count; place += TOKENS_MAX) {
        size_t together = skein_min(TOKENS_MAX, count - place);
        const float *inputs[TOKENS_MAX];
        float *outputs[TOKENS_MAX];
        for (size_t m = 0; m < together; m++) {
            inputs[m] = planes + (place + m) * stride;
            outputs[m] = output_row(job, first + place + m) + row - job->row_begin;
        }
        switch (rows * 4 + together) {
            DECODED_CASES(1) DECODED_CASES(2) DECODED_CASES(3) DECODED_CASES(4)
        }
    }
}

SKEIN_256 void skein_product_f8e4m3_block_avx2(const skein_product *job) {
    const skein_weight *weight = job->weight;
    size_t stride = skein_packed_stride(weight);
    size_t width = skein_packed_width(weight->columns, weight->block_columns);
    float *planes = job->scratch;
    uint16_t *scratch = (uint16_t *)(planes + SKEIN_WIDENED_ROWS * stride);
    for (size_t first = 0; first < job->count; first += SKEIN_WIDENED_ROWS) {
        size_t count = skein_min(SKEIN_WIDENED_ROWS, job->count - first);
        for (size_t m = 0; m < count; m++) {
            widen(input_row(job, first + m), width, planes + m * stride, true);
        }
        if (job->count <= SKEIN_DIRECT_MAX) {
            const float *inputs[SKEIN_DIRECT_MAX];
            for (size_t m = 0; m < count; m++) inputs[m] = planes + m * stride;
            product_direct(job, inputs);
            return;
        }
        for (size_t row = job->row_begin; row < job->row_end; row += ROWS_MAX) {
            uint16_t *decoded = scratch + (row - job->row_begin) * stride;
            size_t rows = skein_min(ROWS_MAX, job->row_end - row);
            for (size_t n = 0; n < rows && first == 0; n++) {
                decode_row(weight, row + n, decoded + n * stride);
            }
            decoded_rows(job, first, count, planes, row, decoded, stride);
        }
    }
}
#endif
