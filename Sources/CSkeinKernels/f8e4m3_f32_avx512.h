// E4M3 codes as F32 with AVX-512; included after tile_avx512.h and rows_f32.h.

/// Sixty-four codes by byte permutes: 0-31 and 32-63 as BF16, then each widened.
SKEIN_INLINE void decode64_f32(__m512i codes, v16 *out) {
    const f8e4m3_tables tables = load_tables();
    __m512i halves[2];
    decode64(&tables, codes, halves);
    for (int half = 0; half < 2; half++) {
        __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(halves[half]));
        __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(halves[half], 1));
        out[2 * half] = (v16)_mm512_slli_epi32(low, 16);
        out[2 * half + 1] = (v16)_mm512_slli_epi32(high, 16);
    }
}
