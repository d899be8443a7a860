// Cached rows in F32 with the vectors of AVX2; after rows_f32.h and f8e4m3_avx2.h.

/// The whole steps of `count` codes; false where a code is not normal.
SKEIN_256_INLINE bool widen_steps(const uint8_t *codes, size_t count, float scale, float *out,
                                  const bool slowly) {
    const __m256 factor = _mm256_set1_ps(scale);
    code_range range = empty_range();
    for (size_t k = 0; k + SKEIN_STEP <= count; k += SKEIN_STEP) {
        __m256 numbers[4];
        decode32_f32(codes + k, &range, slowly, numbers);
        for (size_t v = 0; v < 4; v++) {
            _mm256_storeu_ps(out + k + 8 * v, _mm256_mul_ps(numbers[v], factor));
        }
    }
    return slowly || is_normal(range);
}

SKEIN_256 static __attribute__((noinline)) void widen_slowly(const uint8_t *codes, size_t count,
                                                             float scale, float *out) {
    widen_steps(codes, count, scale, out, true);
}

/// The codes of one tile, times its scale.
SKEIN_256_INLINE void widen_codes(const uint8_t *codes, size_t count, float scale, float *out) {
    bool is_done = widen_steps(codes, count, scale, out, false);
    if (__builtin_expect(!is_done, 0)) widen_slowly(codes, count, scale, out);
    for (size_t k = count / SKEIN_STEP * SKEIN_STEP; k < count; k++) {
        out[k] = skein_float_of_bf16(skein_bf16_of_f8e4m3(codes[k])) * scale;
    }
}

#include "widen_rows.h"
