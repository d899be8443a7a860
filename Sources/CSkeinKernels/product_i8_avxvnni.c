// INT8 products by AVX-VNNI, on processors without AVX-512. The instruction takes one factor
// unsigned: 128 is added to the weights, and 128 times the sum of the input's codes is taken away
// beforehand.
#if defined(__x86_64__)
#include "twins.h"

#include "avx512_emulated.h"

#include <immintrin.h>

#define SKEIN_TARGET SKEIN_TARGET_AVXVNNI
#define SKEIN_NAME(name) name##_avxvnni
#pragma clang diagnostic ignored "-Wunused-function"
#include "rows_f32.h"

#define VECTOR __m256i
#define KEEP(sums) __asm__ volatile("" : "+x"(sums))
#define PEAK_STEP(sums, w, x) _mm256_dpbusd_avx_epi32(sums, w, x)
enum { VECTORS = 2, PANELS_MAX = 4, PANELS_IN_COMPANY = 2, ROWS_MAX = 3 };

typedef __m256i input_codes;

SKEIN_INLINE __m256i begin_sums(int32_t sum) { return _mm256_set1_epi32(-128 * sum); }

SKEIN_INLINE input_codes spread_codes(int32_t four) { return _mm256_set1_epi32(four); }

SKEIN_INLINE __m256i add_products(__m256i sums, __m256i w, input_codes x) {
    return _mm256_dpbusd_avx_epi32(sums, _mm256_xor_si256(w, _mm256_set1_epi8((char)0x80)), x);
}

#define I8_CASES                                                                     \
    I8_CASE(1, 1) I8_CASE(2, 1) I8_CASE(4, 1) I8_CASE(1, 2) I8_CASE(2, 2) I8_CASE(1, 3) \
    I8_CASE(2, 3)
#include "product_i8.h"
#endif
