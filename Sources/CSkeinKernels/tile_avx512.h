// Pieces that the AVX-512 products share: decoding, one tile of dot products, its reduction.
#if defined(__x86_64__)
#include "kernels.h"

#ifdef SKEIN_EMULATES_AVX512
#include "avx512_emulated.h"
#define SKEIN_KEEP_512(sum)
#else
#include <immintrin.h>
// The sum stays in its register, step by step; the compiler would rather copy or join steps.
#define SKEIN_KEEP_512(sum) __asm__ volatile("" : "+v"(sum))
#endif

#define SKEIN_512 SKEIN_TARGET_AVX512
#define SKEIN_512_INLINE static inline __attribute__((always_inline)) SKEIN_512

enum { TOKENS_MAX = 6, ROWS_MAX = 4 };

// The two bytes of the BF16 form of each magnitude; a byte permute looks up 64 codes at once.
static const uint8_t f8e4m3_upper[128] = {
    0x00, 0x3B, 0x3B, 0x3B, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C,
    0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D,
    0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E,
    0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F,
    0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
    0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41,
    0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42,
    0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x7F,
};
static const uint8_t f8e4m3_lower[128] = {
    0x00, 0x00, 0x80, 0xC0, 0x00, 0x20, 0x40, 0x60, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
    0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
    0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
    0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
    0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
    0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
    0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
    0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xC0,
};

typedef struct {
    __m512i upper[2], lower[2], order, sign;
} f8e4m3_tables;

SKEIN_512_INLINE f8e4m3_tables load_tables(void) {
    f8e4m3_tables tables;
    for (int i = 0; i < 2; i++) {
        tables.upper[i] = _mm512_loadu_si512(f8e4m3_upper + 64 * i);
        tables.lower[i] = _mm512_loadu_si512(f8e4m3_lower + 64 * i);
    }
    // Unpacking works within quarters: this order makes its two results codes 0-31 and 32-63.
    tables.order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    tables.sign = _mm512_set1_epi8((char)0x80);
    return tables;
}

/// Codes 0-31 and 32-63 as BF16.
SKEIN_512_INLINE void decode64(const f8e4m3_tables *tables, __m512i codes, __m512i halves[2]) {
    __m512i ordered = _mm512_permutexvar_epi64(tables->order, codes);
    __m512i lower = _mm512_permutex2var_epi8(tables->lower[0], ordered, tables->lower[1]);
    __m512i upper = _mm512_permutex2var_epi8(tables->upper[0], ordered, tables->upper[1]);
    upper = _mm512_ternarylogic_epi64(upper, ordered, tables->sign, 0xF8);  // upper | (code & sign)
    halves[0] = _mm512_unpacklo_epi8(lower, upper);
    halves[1] = _mm512_unpackhi_epi8(lower, upper);
}

SKEIN_512_INLINE __m512i load_codes(const uint8_t *codes, size_t count) {
    if (count >= 64) return _mm512_loadu_si512(codes);
    return _mm512_maskz_loadu_epi8(((__mmask64)1 << count) - 1, codes);
}

SKEIN_512_INLINE __m512 dot(__m512 sum, __m512i x, __m512i w) {
    return _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)w);
}

/// Four reductions at once, each in the order of skein_reduce.
SKEIN_512_INLINE __m128 reduce4(__m512 a, __m512 b, __m512 c, __m512 d) {
    __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
    __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xEE));
    __m512 four = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88),
                                _mm512_shuffle_f32x4(ab, cd, 0xDD));
    __m512 two = _mm512_add_ps(four, _mm512_permute_ps(four, 0x4E));
    __m512 one = _mm512_add_ps(two, _mm512_permute_ps(two, 0xB1));
    __m512i firsts = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, one));
}

/// Writes the reductions of a tile: sums[m][n] goes to outputs[m][n].
SKEIN_512_INLINE void store_sums(const __m512 sums[TOKENS_MAX][ROWS_MAX], float *const *outputs,
                                 const int rows, const int count) {
#pragma clang loop unroll(full)
    for (int m = 0; m < count; m++) {
        __m128 four = reduce4(sums[m][0], sums[m][rows > 1 ? 1 : 0], sums[m][rows > 2 ? 2 : 0],
                              sums[m][rows > 3 ? 3 : 0]);
        _mm_mask_storeu_ps(outputs[m], (__mmask8)((1 << rows) - 1), four);
    }
}

SKEIN_512_INLINE void clear(__m512 sums[TOKENS_MAX][ROWS_MAX], const int rows, const int count) {
#pragma clang loop unroll(full)
    for (int m = 0; m < count; m++) {
#pragma clang loop unroll(full)
        for (int n = 0; n < rows; n++) sums[m][n] = _mm512_setzero_ps();
    }
}

/// Where `count` rows from `first` on lie.
SKEIN_512_INLINE void find_rows(const skein_product *job, size_t first, size_t count, size_t column,
                                const uint16_t **inputs, float **outputs) {
#pragma clang loop vectorize(disable)
    for (size_t m = 0; m < count; m++) {
        inputs[m] = (const uint16_t *)job->input +
                    skein_numbered(job->input_rows, first + m) * job->input_stride;
        outputs[m] = job->output + column +
                     skein_numbered(job->output_rows, first + m) * job->output_stride;
    }
}
#endif
