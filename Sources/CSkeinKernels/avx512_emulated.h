// The AVX-512 instructions that the kernels use, spelled out lane by lane, so that machines without
// them can test these kernels too. Only `cluster/sanitize` builds with it; it is slow.
//
// The intrinsics keep their names: what the compiler has under them needs the instructions.
#if defined(__x86_64__)
#include <immintrin.h>

#include <math.h>
#include <stdint.h>
#include <string.h>

// Vectors of 64 bytes are passed on the stack here, by the one compiler that builds all of it.
#pragma clang diagnostic ignored "-Wpsabi"

#define EMULATED static inline __attribute__((always_inline, target("avx2,fma")))

typedef union {
    __m512 floats;
    __m512i integers;
    float f32[16];
    int32_t i32[16];
    uint32_t u32[16];
    int64_t i64[8];
    uint64_t u64[8];
    uint16_t u16[32];
    uint8_t u8[64];
    int8_t i8[64];
} emulated_512;

EMULATED emulated_512 of_floats(__m512 floats) { return (emulated_512){.floats = floats}; }
EMULATED emulated_512 of_integers(__m512i integers) { return (emulated_512){.integers = integers}; }

// ---- loads, stores, constants ----------------------------------------------------------------

EMULATED __m512i emulated_load(const void *from, size_t byte_count) {
    emulated_512 out = {.u64 = {0}};
    memcpy(&out, from, byte_count);
    return out.integers;
}

EMULATED __m512i emulated_load_bytes(uint64_t mask, const void *from) {
    emulated_512 out = {.u64 = {0}};
    for (int l = 0; l < 64; l++) {
        if (mask >> l & 1) out.u8[l] = ((const uint8_t *)from)[l];
    }
    return out.integers;
}

EMULATED __m512i emulated_load_words(uint32_t mask, const void *from) {
    emulated_512 out = {.u64 = {0}};
    for (int l = 0; l < 32; l++) {
        if (mask >> l & 1) memcpy(&out.u16[l], (const uint8_t *)from + 2 * l, 2);
    }
    return out.integers;
}

EMULATED void emulated_store_floats(float *to, unsigned mask, __m128 from) {
    for (int l = 0; l < 4; l++) {
        if (mask >> l & 1) to[l] = from[l];
    }
}

EMULATED __m512i emulated_repeat(uint64_t pattern) {
    emulated_512 out;
    for (int l = 0; l < 8; l++) out.u64[l] = pattern;
    return out.integers;
}

EMULATED __m512 emulated_splat(float value) {
    emulated_512 out;
    for (int l = 0; l < 16; l++) out.f32[l] = value;
    return out.floats;
}

// ---- lanes by themselves ---------------------------------------------------------------------

EMULATED __m512 emulated_fma(__m512 a, __m512 b, __m512 c) {
    emulated_512 x = of_floats(a), y = of_floats(b), z = of_floats(c);
    for (int l = 0; l < 16; l++) z.f32[l] = fmaf(x.f32[l], y.f32[l], z.f32[l]);
    return z.floats;
}

EMULATED __m512i emulated_shift_left(__m512i a, int count) {
    emulated_512 x = of_integers(a);
    for (int l = 0; l < 16; l++) x.u32[l] <<= count;
    return x.integers;
}

EMULATED __m512i emulated_add_i32(__m512i a, __m512i b) {
    emulated_512 x = of_integers(a), y = of_integers(b);
    for (int l = 0; l < 16; l++) x.u32[l] += y.u32[l];
    return x.integers;
}

/// Bit `4 a + 2 b + c` of the table, for every bit.
EMULATED __m512i emulated_logic(__m512i a, __m512i b, __m512i c, int table) {
    __m512i out = emulated_repeat(0);
    for (int k = 0; k < 8; k++) {
        if (table >> k & 1) out |= (k & 4 ? a : ~a) & (k & 2 ? b : ~b) & (k & 1 ? c : ~c);
    }
    return out;
}

EMULATED __m512 emulated_from_i32(__m512i a) {
    emulated_512 x = of_integers(a);
    for (int l = 0; l < 16; l++) x.f32[l] = (float)x.i32[l];
    return x.floats;
}

EMULATED __m512i emulated_widen_u16(__m256i a) {
    uint16_t words[16];
    emulated_512 out;
    memcpy(words, &a, sizeof words);
    for (int l = 0; l < 16; l++) out.u32[l] = words[l];
    return out.integers;
}

// ---- products --------------------------------------------------------------------------------

/// Without saturation: four products of an unsigned and a signed byte each.
EMULATED __m512i emulated_dot_bytes(__m512i sums, __m512i a, __m512i b) {
    emulated_512 out = of_integers(sums), x = of_integers(a), y = of_integers(b);
    for (int l = 0; l < 64; l++) out.i32[l / 4] += (int32_t)x.u8[l] * y.i8[l];
    return out.integers;
}

EMULATED float emulated_flushed(float value) {
    return fabsf(value) < 0x1p-126f ? copysignf(0, value) : value;
}

EMULATED float emulated_bfloat16(uint16_t bits) {
    uint32_t word = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &word, sizeof value);
    return emulated_flushed(value);
}

/// The odd one of two products first, each fused with the sum; subnormals are zeros throughout.
EMULATED __m512 emulated_dot_bfloat16(__m512 sums, __m512i a, __m512i b) {
    emulated_512 out = of_floats(sums), x = of_integers(a), y = of_integers(b);
    for (int l = 0; l < 16; l++) {
        for (int odd = 1; odd >= 0; odd--) {
            float left = emulated_bfloat16(x.u16[2 * l + odd]);
            float right = emulated_bfloat16(y.u16[2 * l + odd]);
            float sum = emulated_flushed(out.f32[l]);
            out.f32[l] = emulated_flushed(fmaf(left, right, sum));
        }
    }
    return out.floats;
}

// ---- lanes that change places ----------------------------------------------------------------

EMULATED __m512 emulated_quarters(__m512 a, __m512 b, int places) {
    emulated_512 x = of_floats(a), y = of_floats(b), out;
    for (int l = 0; l < 16; l++) {
        int from = 4 * (places >> (2 * (l / 4)) & 3) + l % 4;
        out.f32[l] = l < 8 ? x.f32[from] : y.f32[from];
    }
    return out.floats;
}

EMULATED __m512 emulated_within_quarters(__m512 a, int places) {
    emulated_512 x = of_floats(a), out;
    for (int l = 0; l < 16; l++) out.f32[l] = x.f32[l / 4 * 4 + (places >> (2 * (l % 4)) & 3)];
    return out.floats;
}

EMULATED __m512 emulated_pick_floats(__m512i places, __m512 a) {
    emulated_512 from = of_integers(places), x = of_floats(a), out;
    for (int l = 0; l < 16; l++) out.f32[l] = x.f32[from.u32[l] & 15];
    return out.floats;
}

EMULATED __m512i emulated_pick_i64(__m512i places, __m512i a) {
    emulated_512 from = of_integers(places), x = of_integers(a), out;
    for (int l = 0; l < 8; l++) out.i64[l] = x.i64[from.u64[l] & 7];
    return out.integers;
}

EMULATED __m512i emulated_look_up(__m512i first, __m512i places, __m512i second) {
    emulated_512 from = of_integers(places), x = of_integers(first), y = of_integers(second), out;
    for (int l = 0; l < 64; l++) {
        out.u8[l] = (from.u8[l] & 64 ? y.u8 : x.u8)[from.u8[l] & 63];
    }
    return out.integers;
}

EMULATED __m512i emulated_unpack(__m512i a, __m512i b, int upper) {
    emulated_512 x = of_integers(a), y = of_integers(b), out;
    for (int l = 0; l < 64; l++) {
        int from = l / 16 * 16 + 8 * upper + l % 16 / 2;
        out.u8[l] = (l % 2 ? y.u8 : x.u8)[from];
    }
    return out.integers;
}

EMULATED __m256i emulated_half(__m512i a, int upper) {
    emulated_512 x = of_integers(a);
    __m256i out;
    memcpy(&out, &x.u8[32 * upper], sizeof out);
    return out;
}

EMULATED float emulated_sum_f32(__m512 a) {
    emulated_512 x = of_floats(a);
    float sum = 0;
    for (int l = 0; l < 16; l++) sum += x.f32[l];
    return sum;
}

EMULATED int32_t emulated_sum_i32(__m512i a) {
    emulated_512 x = of_integers(a);
    uint32_t sum = 0;
    for (int l = 0; l < 16; l++) sum += x.u32[l];
    return (int32_t)sum;
}

EMULATED int64_t emulated_sum_i64(__m512i a) {
    emulated_512 x = of_integers(a);
    uint64_t sum = 0;
    for (int l = 0; l < 8; l++) sum += x.u64[l];
    return (int64_t)sum;
}

// ---- the intrinsics' names -------------------------------------------------------------------

#undef _mm512_extracti64x4_epi64
#undef _mm512_permute_ps
#undef _mm512_setr_epi32
#undef _mm512_setr_epi64
#undef _mm512_shuffle_f32x4
#undef _mm512_ternarylogic_epi64

#define _mm512_add_epi32 emulated_add_i32
#define _mm512_add_epi64(a, b) ((a) + (b))
#define _mm512_add_ps(a, b) ((a) + (b))
#define _mm512_castps512_ps128(a) _mm256_castps256_ps128((__m256)emulated_half((__m512i)(a), 0))
#define _mm512_castsi512_si256(a) emulated_half(a, 0)
#define _mm512_cvtepi32_ps emulated_from_i32
#define _mm512_cvtepu16_epi32 emulated_widen_u16
#define _mm512_dpbf16_ps(sums, a, b) emulated_dot_bfloat16(sums, (__m512i)(a), (__m512i)(b))
#define _mm512_dpbusd_epi32 emulated_dot_bytes
#define _mm512_extracti64x4_epi64 emulated_half
#define _mm512_fmadd_ps emulated_fma
#define _mm512_loadu_ps(from) ((__m512)emulated_load(from, 64))
#define _mm512_loadu_si512(from) emulated_load(from, 64)
#define _mm512_maskz_loadu_epi16 emulated_load_words
#define _mm512_maskz_loadu_epi8 emulated_load_bytes
#define _mm512_mul_ps(a, b) ((a) * (b))
#define _mm512_permute_ps emulated_within_quarters
#define _mm512_permutex2var_epi8 emulated_look_up
#define _mm512_permutexvar_epi64 emulated_pick_i64
#define _mm512_permutexvar_ps emulated_pick_floats
#define _mm512_reduce_add_epi32 emulated_sum_i32
#define _mm512_reduce_add_epi64 emulated_sum_i64
#define _mm512_reduce_add_ps emulated_sum_f32
#define _mm512_set1_epi16(value) emulated_repeat(0x0001000100010001u * (uint16_t)(value))
#define _mm512_set1_epi32(value) emulated_repeat(0x0000000100000001u * (uint32_t)(value))
#define _mm512_set1_epi8(value) emulated_repeat(0x0101010101010101u * (uint8_t)(value))
#define _mm512_set1_ps emulated_splat
#define _mm512_setr_epi32(...) ((emulated_512){.i32 = {__VA_ARGS__}}.integers)
#define _mm512_setr_epi64(...) ((emulated_512){.i64 = {__VA_ARGS__}}.integers)
#define _mm512_setzero_ps() ((emulated_512){.u64 = {0}}.floats)
#define _mm512_setzero_si512() ((emulated_512){.u64 = {0}}.integers)
#define _mm512_shuffle_f32x4 emulated_quarters
#define _mm512_slli_epi32 emulated_shift_left
#define _mm512_storeu_si512(to, from) memcpy(to, &(__m512i){from}, 64)
#define _mm512_ternarylogic_epi64 emulated_logic
#define _mm512_unpackhi_epi8(a, b) emulated_unpack(a, b, 1)
#define _mm512_unpacklo_epi8(a, b) emulated_unpack(a, b, 0)
#define _mm512_xor_si512(a, b) ((a) ^ (b))
#define _mm_mask_storeu_ps emulated_store_floats
#endif
