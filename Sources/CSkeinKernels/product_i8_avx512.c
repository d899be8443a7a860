// INT8 products by vpdpbusd. The instruction takes one factor unsigned: 128 is added to the
// weights, and 128 times the sum of the input's codes is taken away beforehand.
#if defined(__x86_64__)
#include "twins.h"

#include "avx512_emulated.h"

#include <immintrin.h>

#ifdef SKEIN_EMULATES_AVX512
#define SKEIN_TARGET SKEIN_TARGET_AVX2
#define KEEP(sums) __asm__ volatile("" : : "r"(&sums) : "memory")
#else
#define SKEIN_TARGET __attribute__((target(SKEIN_AVX512_FEATURES ",avx512vnni")))
#define KEEP(sums) __asm__ volatile("" : "+v"(sums))
#endif
#define SKEIN_NAME(name) name##_avx512
#pragma clang diagnostic ignored "-Wunused-function"
#include "rows_f32.h"

#define VECTOR __m512i
#define PEAK_STEP(sums, w, x) _mm512_dpbusd_epi32(sums, w, x)
enum { VECTORS = 1, PANELS_MAX = 4, PANELS_IN_COMPANY = 4, ROWS_MAX = 6 };

typedef __m512i input_codes;

SKEIN_INLINE __m512i begin_sums(int32_t sum) { return _mm512_set1_epi32(-128 * sum); }

SKEIN_INLINE input_codes spread_codes(int32_t four) { return _mm512_set1_epi32(four); }

SKEIN_INLINE __m512i add_products(__m512i sums, __m512i w, input_codes x) {
    return _mm512_dpbusd_epi32(sums, _mm512_xor_si512(w, _mm512_set1_epi8((char)0x80)), x);
}

#define I8_ROWS(panels)                                                              \
    I8_CASE(panels, 1) I8_CASE(panels, 2) I8_CASE(panels, 3) I8_CASE(panels, 4)      \
    I8_CASE(panels, 5) I8_CASE(panels, 6)
#define I8_CASES I8_ROWS(1) I8_ROWS(2) I8_ROWS(4)
#include "product_i8.h"
#endif
