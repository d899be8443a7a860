// Pieces that the AVX2 products share. A BF16 pair in 32 bits is split into its odd and its even
// number; two fused multiply-adds, the odd one first, do what vdpbf16ps does.
#if defined(__x86_64__)
#include "kernels.h"

#include <immintrin.h>

#define SKEIN_256 SKEIN_TARGET_AVX2
#define SKEIN_256_INLINE static inline __attribute__((always_inline)) SKEIN_256

enum { TOKENS_MAX = 2, ROWS_MAX = 2 };

/// Sixteen lanes: 0-7 and 8-15.
typedef struct {
    __m256 half[2];
} lanes16;

SKEIN_256_INLINE float reduce_lanes(const lanes16 *lanes) {
    __m256 eight = _mm256_add_ps(lanes->half[0], lanes->half[1]);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

SKEIN_256_INLINE __m256 odd_numbers(__m256i pairs) {
    return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xFFFF0000)));
}

SKEIN_256_INLINE __m256 even_numbers(__m256i pairs) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}

SKEIN_256_INLINE void clear(lanes16 sums[TOKENS_MAX][ROWS_MAX], const int rows, const int count) {
    for (int m = 0; m < count; m++) {
        for (int n = 0; n < rows; n++) {
            sums[m][n].half[0] = sums[m][n].half[1] = _mm256_setzero_ps();
        }
    }
}

/// sums[m][n] += inputs[m] . weights[n] over `count_of_columns` columns, a multiple of 32.
SKEIN_256_INLINE void dot_steps(lanes16 sums[TOKENS_MAX][ROWS_MAX], const uint16_t *const *inputs,
                                const uint8_t *const *weights, size_t columns, const int rows,
                                const int count) {
    for (size_t k = 0; k < columns; k += SKEIN_STEP) {
#pragma clang loop unroll(full)
        for (int half = 0; half < 2; half++) {
            __m256 odd[ROWS_MAX], even[ROWS_MAX];
            for (int n = 0; n < rows; n++) {
                const uint8_t *from = weights[n] + 2 * (k + 16 * (size_t)half);
                __m256i pairs = _mm256_loadu_si256((const __m256i *)from);
                odd[n] = odd_numbers(pairs);
                even[n] = even_numbers(pairs);
            }
            for (int m = 0; m < count; m++) {
                const uint16_t *from = inputs[m] + k + 16 * (size_t)half;
                __m256i pairs = _mm256_loadu_si256((const __m256i *)from);
                __m256 x_odd = odd_numbers(pairs), x_even = even_numbers(pairs);
                for (int n = 0; n < rows; n++) {
                    __m256 sum = sums[m][n].half[half];
                    sum = _mm256_fmadd_ps(x_odd, odd[n], sum);
                    sums[m][n].half[half] = _mm256_fmadd_ps(x_even, even[n], sum);
                }
            }
        }
    }
}

SKEIN_256_INLINE void find_rows(const skein_product *job, size_t first, size_t count, size_t column,
                                const uint16_t **inputs, float **outputs) {
    for (size_t m = 0; m < count; m++) {
        inputs[m] = (const uint16_t *)job->input +
                    skein_numbered(job->input_rows, first + m) * job->input_stride;
        outputs[m] = job->output + column +
                     skein_numbered(job->output_rows, first + m) * job->output_stride;
    }
}
#endif
