// INT8 products with AVX2: |x| times w with the sign of x; two such products fit sixteen bits.
#if defined(__x86_64__)
#include "twins.h"

#include <immintrin.h>

#define SKEIN_TARGET SKEIN_TARGET_AVX2
#define SKEIN_NAME(name) name##_avx2
#pragma clang diagnostic ignored "-Wunused-function"
#include "rows_f32.h"

#define VECTOR __m256i
#define KEEP(sums) __asm__ volatile("" : "+x"(sums))
#define PEAK_STEP peak_step
enum { VECTORS = 2, PANELS_MAX = 4, PANELS_IN_COMPANY = 2, ROWS_MAX = 2 };

typedef struct {
    __m256i codes, magnitudes;
} input_codes;

SKEIN_INLINE __m256i begin_sums(int32_t sum) {
    (void)sum;
    return _mm256_setzero_si256();
}

SKEIN_INLINE input_codes spread_codes(int32_t four) {
    __m256i codes = _mm256_set1_epi32(four);
    return (input_codes){codes, _mm256_abs_epi8(codes)};
}

SKEIN_INLINE __m256i add_products(__m256i sums, __m256i w, input_codes x) {
    __m256i pairs = _mm256_maddubs_epi16(x.magnitudes, _mm256_sign_epi8(w, x.codes));
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/// Signs are the kernel's own affair.
SKEIN_INLINE __m256i peak_step(__m256i sums, __m256i w, input_codes x) {
    (void)w;
    __m256i pairs = _mm256_maddubs_epi16(x.magnitudes, sums);
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#define I8_CASES I8_CASE(1, 1) I8_CASE(2, 1) I8_CASE(4, 1) I8_CASE(1, 2) I8_CASE(2, 2)
#include "product_i8.h"
#endif
