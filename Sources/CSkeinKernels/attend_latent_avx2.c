// Attention over latent rows with the vectors of this ISA.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX2
#define SKEIN_NAME(name) name##_avx2
#include "twins.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "f8e4m3_avx2.h"
#include "rows_f32.h"
// Eight registers of sums, one to half a score's lanes, two to a vector of sixteen.
enum { SCORE_LANES = 8, SCORE_HEADS = 4, SCORE_ROWS = 2, SUM_HEADS = 2, SUM_VECTORS = 2 };

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

#include "attend_latent.h"
#endif
