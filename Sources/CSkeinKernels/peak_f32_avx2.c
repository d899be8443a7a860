// What the machine can do at most with AVX2.
#include "tile_avx2.h"
#include "twins.h"

#if defined(__x86_64__)
SKEIN_256 uint64_t skein_read_avx2(const uint8_t *bytes, size_t count) {
    __m256i sums[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                       _mm256_setzero_si256()};
    size_t i = 0;
    for (; i + 128 <= count; i += 128) {
        _mm_prefetch(bytes + i + 4096, _MM_HINT_T0);
        _mm_prefetch(bytes + i + 4096 + 64, _MM_HINT_T0);
        for (int l = 0; l < 4; l++) {
            __m256i words = _mm256_loadu_si256((const __m256i *)(bytes + i + 32 * l));
            sums[l] = _mm256_add_epi64(sums[l], words);
        }
    }
    uint64_t words[4], total = 0;
    for (int l = 0; l < 4; l++) {
        _mm256_storeu_si256((__m256i *)words, sums[l]);
        total += words[0] + words[1] + words[2] + words[3];
    }
    for (; i < count; i++) total += bytes[i];
    return total;
}

SKEIN_256 float skein_peak_f32_avx2(size_t rounds) {
    __m256 sums[12], x = _mm256_set1_ps(0.5f);
    for (int l = 0; l < 12; l++) sums[l] = _mm256_setzero_ps();
    for (size_t i = 0; i < rounds; i++) {
#pragma clang loop unroll(full)
        for (int l = 0; l < 12; l++) {
            sums[l] = _mm256_fmadd_ps(sums[l], x, x);
            __asm__ volatile("" : "+x"(sums[l]));
        }
    }
    for (int l = 1; l < 12; l++) sums[0] = _mm256_add_ps(sums[0], sums[l]);
    return _mm256_cvtss_f32(sums[0]);
}

/// There is no BF16 instruction here: two multiply-adds stand for each.
float skein_peak_bf16_avx2(size_t rounds) { return skein_peak_f32_avx2(2 * rounds); }

/// There is no signed dot product of bytes here: magnitudes times signed numbers, pairs, fours.
SKEIN_256 int32_t skein_peak_i8_avx2(size_t rounds) {
    __m256i sums[12], x = _mm256_set1_epi8(3), ones = _mm256_set1_epi16(1);
    for (int l = 0; l < 12; l++) sums[l] = _mm256_setzero_si256();
    for (size_t i = 0; i < rounds; i++) {
#pragma clang loop unroll(full)
        for (int l = 0; l < 12; l++) {
            __m256i pairs = _mm256_maddubs_epi16(x, sums[l]);
            sums[l] = _mm256_add_epi32(sums[l], _mm256_madd_epi16(pairs, ones));
            __asm__ volatile("" : "+x"(sums[l]));
        }
    }
    for (int l = 1; l < 12; l++) sums[0] = _mm256_add_epi32(sums[0], sums[l]);
    return _mm256_cvtsi256_si32(sums[0]);
}
#endif
