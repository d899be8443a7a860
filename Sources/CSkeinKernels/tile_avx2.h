// Pieces that the AVX2 products share. A BF16 pair in 32 bits is split into its odd and its even
// number; two fused multiply-adds, the odd one first, do what vdpbf16ps does.
//
// Input rows are widened beforehand into planes: for each step of 32 columns four vectors, the odd
// and the even numbers of lanes of part 0 and those of part 1. Straight parts are lanes 0-7 and
// 8-15, as a BF16 weight lies; crossed ones are lanes 0-3, 8-11 and 4-7, 12-15, as unpacking within
// halves of a register leaves them. Both are reduced in the one order of skein_reduce.
#if defined(__x86_64__)
#include "kernels.h"

#include <immintrin.h>

#define SKEIN_256 SKEIN_TARGET_AVX2
#define SKEIN_256_INLINE static inline __attribute__((always_inline)) SKEIN_256

// One part of a tile has twelve accumulators; with three factors and a weight the registers are
// full.
enum { TOKENS_MAX = 3, ROWS_MAX = 4 };

SKEIN_256_INLINE float reduce_parts(__m256 first, __m256 second, const bool crossed) {
    __m128 four;
    if (crossed) {
        __m128 low = _mm_add_ps(_mm256_castps256_ps128(first), _mm256_extractf128_ps(first, 1));
        __m128 high = _mm_add_ps(_mm256_castps256_ps128(second), _mm256_extractf128_ps(second, 1));
        four = _mm_add_ps(low, high);
    } else {
        __m256 eight = _mm256_add_ps(first, second);
        four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    }
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

SKEIN_256_INLINE __m256 odd_numbers(__m256i pairs) {
    return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xFFFF0000)));
}

SKEIN_256_INLINE __m256 even_numbers(__m256i pairs) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}

/// Widens `width` packed columns of an input row, a multiple of 32, into planes of as many floats.
SKEIN_256_INLINE void widen(const uint16_t *packed, size_t width, float *planes,
                            const bool crossed) {
    for (size_t k = 0; k < width; k += SKEIN_STEP) {
        __m256i first = _mm256_loadu_si256((const __m256i *)(packed + k));
        __m256i second = _mm256_loadu_si256((const __m256i *)(packed + k + 16));
        if (crossed) {
            __m256i before = first;
            first = _mm256_permute2x128_si256(before, second, 0x20);
            second = _mm256_permute2x128_si256(before, second, 0x31);
        }
        _mm256_storeu_ps(planes + k, odd_numbers(first));
        _mm256_storeu_ps(planes + k + 8, even_numbers(first));
        _mm256_storeu_ps(planes + k + 16, odd_numbers(second));
        _mm256_storeu_ps(planes + k + 24, even_numbers(second));
    }
}

/// sums[m][n] += planes[m] . weights[n] in the lanes of one part, over `width` columns.
SKEIN_256_INLINE void part_steps(__m256 sums[TOKENS_MAX][ROWS_MAX], const float *const *planes,
                                 const uint8_t *const *weights, size_t width, const int part,
                                 const int rows, const int count) {
    for (size_t k = 0; k < width; k += SKEIN_STEP) {
#pragma clang loop unroll(full)
        for (int parity = 0; parity < 2; parity++) {
            __m256 x[TOKENS_MAX];
#pragma clang loop unroll(full)
            for (int m = 0; m < count; m++) {
                x[m] = _mm256_loadu_ps(planes[m] + k + 16 * (size_t)part + 8 * (size_t)parity);
            }
#pragma clang loop unroll(full)
            for (int n = 0; n < rows; n++) {
                const uint8_t *from = weights[n] + 2 * k + 32 * (size_t)part;
                __m256i pairs = _mm256_loadu_si256((const __m256i *)from);
                __m256 w = parity == 0 ? odd_numbers(pairs) : even_numbers(pairs);
#pragma clang loop unroll(full)
                for (int m = 0; m < count; m++) sums[m][n] = _mm256_fmadd_ps(x[m], w, sums[m][n]);
            }
        }
    }
}

SKEIN_256_INLINE const uint16_t *input_row(const skein_product *job, size_t m) {
    return (const uint16_t *)job->input +
           skein_numbered(job->input_rows, m) * job->input_stride;
}

SKEIN_256_INLINE float *output_row(const skein_product *job, size_t m) {
    return job->output + skein_numbered(job->output_rows, m) * job->output_stride;
}
#endif
