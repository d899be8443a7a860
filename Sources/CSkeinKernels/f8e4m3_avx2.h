// E4M3 codes as BF16 with AVX2.
//
// Of a normal number the upper byte of its BF16 form depends on the upper four bits of the code
// alone, and the lower byte on the lower four: two tables of sixteen bytes decode it. Subnormals
// and NaN do not fit; a block that has one is found by the magnitudes of its codes and decoded once
// more by a table of their own.
#if defined(__x86_64__)
#include "kernels.h"

#include <immintrin.h>

#define SKEIN_256 SKEIN_TARGET_AVX2
#define SKEIN_256_INLINE static inline __attribute__((always_inline)) SKEIN_256

/// The largest of the magnitudes so far, each less 8, so that a subnormal is larger than any.
typedef __m256i code_range;

SKEIN_256_INLINE code_range empty_range(void) { return _mm256_setzero_si256(); }

/// Whether every code so far was a normal number.
SKEIN_256_INLINE bool is_normal(code_range range) {
    __m256i most = _mm256_set1_epi8(0x7E - 8);
    __m256i is_within = _mm256_cmpeq_epi8(_mm256_max_epu8(range, most), most);
    return _mm256_testc_si256(is_within, _mm256_set1_epi8(-1));
}

/// Normal codes as BF16, in crossed order.
SKEIN_256_INLINE void decode32(__m256i codes, code_range *range, __m256i parts[2]) {
    const __m256i upper = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        0x3C, 0x3D, 0x3E, 0x3F, 0x40, 0x41, 0x42, 0x43, (char)0xBC, (char)0xBD, (char)0xBE,
        (char)0xBF, (char)0xC0, (char)0xC1, (char)0xC2, (char)0xC3));
    const __m256i lower = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, (char)0x80, (char)0x90, (char)0xA0,
        (char)0xB0, (char)0xC0, (char)0xD0, (char)0xE0, (char)0xF0));
    __m256i magnitude = _mm256_and_si256(codes, _mm256_set1_epi8(0x7F));
    *range = _mm256_max_epu8(*range, _mm256_sub_epi8(magnitude, _mm256_set1_epi8(8)));
    __m256i number = _mm256_and_si256(_mm256_srli_epi16(codes, 4), _mm256_set1_epi8(0x0F));
    __m256i high = _mm256_shuffle_epi8(upper, number);
    __m256i low = _mm256_shuffle_epi8(lower, magnitude);
    parts[0] = _mm256_unpacklo_epi8(low, high);
    parts[1] = _mm256_unpackhi_epi8(low, high);
}

/// Any codes as BF16, in crossed order: subnormals and NaN replace what does not fit.
SKEIN_256_INLINE void decode32_slowly(__m256i codes, __m256i parts[2]) {
    const __m256i small_upper = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        0x00, 0x3B, 0x3B, 0x3B, 0x3C, 0x3C, 0x3C, 0x3C, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i small_lower = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        0x00, 0x00, (char)0x80, (char)0xC0, 0x00, 0x20, 0x40, 0x60, 0, 0, 0, 0, 0, 0, 0, 0));
    code_range unused = empty_range();
    decode32(codes, &unused, parts);
    __m256i magnitude = _mm256_and_si256(codes, _mm256_set1_epi8(0x7F));
    __m256i sign = _mm256_and_si256(codes, _mm256_set1_epi8((char)0x80));
    __m256i is_small = _mm256_cmpgt_epi8(_mm256_set1_epi8(8), magnitude);
    __m256i is_nan = _mm256_cmpeq_epi8(magnitude, _mm256_set1_epi8(0x7F));
    __m256i upper = _mm256_shuffle_epi8(small_upper, magnitude);
    __m256i lower = _mm256_shuffle_epi8(small_lower, magnitude);
    upper = _mm256_or_si256(_mm256_blendv_epi8(upper, _mm256_set1_epi8(0x7F), is_nan), sign);
    lower = _mm256_blendv_epi8(lower, _mm256_set1_epi8((char)0xC0), is_nan);
    __m256i is_other = _mm256_or_si256(is_small, is_nan);
    parts[0] = _mm256_blendv_epi8(parts[0], _mm256_unpacklo_epi8(lower, upper),
                                  _mm256_unpacklo_epi8(is_other, is_other));
    parts[1] = _mm256_blendv_epi8(parts[1], _mm256_unpackhi_epi8(lower, upper),
                                  _mm256_unpackhi_epi8(is_other, is_other));
}

/// Codes as BF16, in crossed order: normal ones as `range` will tell, or any.
SKEIN_256_INLINE void decode32_either(__m256i codes, code_range *range, const bool slowly,
                                      __m256i parts[2]) {
    if (slowly) {
        decode32_slowly(codes, parts);
    } else {
        decode32(codes, range, parts);
    }
}

/// Thirty-two codes as F32, in order.
SKEIN_256_INLINE void decode32_f32(const uint8_t *codes, code_range *range, const bool slowly,
                                   __m256 numbers[4]) {
    // Bytes and then words are unpacked within halves: this order of four codes each makes the
    // results ascend.
    const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7), zero = _mm256_setzero_si256();
    __m256i some = _mm256_loadu_si256((const __m256i *)codes), parts[2];
    decode32_either(_mm256_permutevar8x32_epi32(some, order), range, slowly, parts);
    for (int part = 0; part < 2; part++) {
        numbers[2 * part] = _mm256_castsi256_ps(_mm256_unpacklo_epi16(zero, parts[part]));
        numbers[2 * part + 1] = _mm256_castsi256_ps(_mm256_unpackhi_epi16(zero, parts[part]));
    }
}
#endif
