// What the machine can do at most with AVX-512.
#include "tile_avx512.h"
#include "twins.h"

#if defined(__x86_64__)

SKEIN_512 uint64_t skein_read_avx512(const uint8_t *bytes, size_t count) {
    __m512i sums[4];
    for (int l = 0; l < 4; l++) sums[l] = _mm512_setzero_si512();
    size_t i = 0;
    for (; i + 256 <= count; i += 256) {
#pragma clang loop unroll(full)
        for (int l = 0; l < 4; l++) {
            _mm_prefetch(bytes + i + 4096 + 64 * l, _MM_HINT_T0);
            sums[l] = _mm512_add_epi64(sums[l], _mm512_loadu_si512(bytes + i + 64 * l));
        }
    }
    uint64_t total = 0;
    for (int l = 0; l < 4; l++) total += (uint64_t)_mm512_reduce_add_epi64(sums[l]);
    for (; i < count; i++) total += bytes[i];
    return total;
}

SKEIN_512 float skein_peak_f32_avx512(size_t rounds) {
    __m512 sums[12], x = _mm512_set1_ps(0.5f);
    for (int l = 0; l < 12; l++) sums[l] = _mm512_setzero_ps();
    for (size_t i = 0; i < rounds; i++) {
#pragma clang loop unroll(full)
        for (int l = 0; l < 12; l++) {
            sums[l] = _mm512_fmadd_ps(sums[l], x, x);
            SKEIN_KEEP_512(sums[l]);
        }
    }
    for (int l = 1; l < 12; l++) sums[0] = _mm512_add_ps(sums[0], sums[l]);
    return _mm512_reduce_add_ps(sums[0]);
}

SKEIN_512 float skein_peak_bf16_avx512(size_t rounds) {
    __m512 sums[12];
    __m512i x = _mm512_set1_epi16(0x3F00);
    for (int l = 0; l < 12; l++) sums[l] = _mm512_setzero_ps();
    for (size_t i = 0; i < rounds; i++) {
#pragma clang loop unroll(full)
        for (int l = 0; l < 12; l++) {
            sums[l] = dot(sums[l], x, x);
            SKEIN_KEEP_512(sums[l]);
        }
    }
    for (int l = 1; l < 12; l++) sums[0] = _mm512_add_ps(sums[0], sums[l]);
    return _mm512_reduce_add_ps(sums[0]);
}

SKEIN_512 int32_t skein_peak_i8_avx512(size_t rounds) {
    __m512i sums[12], x = _mm512_set1_epi8(3);
    for (int l = 0; l < 12; l++) sums[l] = _mm512_setzero_si512();
    for (size_t i = 0; i < rounds; i++) {
#pragma clang loop unroll(full)
        for (int l = 0; l < 12; l++) {
            sums[l] = _mm512_dpbusd_epi32(sums[l], x, x);
            SKEIN_KEEP_512(sums[l]);
        }
    }
    for (int l = 1; l < 12; l++) sums[0] = _mm512_add_epi32(sums[0], sums[l]);
    return _mm512_reduce_add_epi32(sums[0]);
}
#endif
