// Instructions that the kernels use and this machine may lack, spelled out lane by lane, so that
// machines without them can test these kernels too. Only `cluster/sanitize` builds with it; it is
// slow. The intrinsics keep their names: what the compiler has under them needs the instructions.
#if defined(__x86_64__) && defined(SKEIN_EMULATES_AVX512)
#include <immintrin.h>

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Vectors of 64 bytes are passed on the stack here, by the one compiler that builds all of it.
#pragma clang diagnostic ignored "-Wpsabi"

#define EMULATED static inline __attribute__((always_inline, target("avx2,fma"), unused))

typedef union {
    __m512 floats;
    __m512i integers;
    float f32[16];
    int32_t i32[16];
    uint32_t u32[16];
    uint16_t u16[32];
    uint8_t u8[64];
    int8_t i8[64];
} emulated_512;

/// Without saturation: four products of an unsigned and a signed byte each.
EMULATED __m512i emulated_dot_bytes(__m512i sums, __m512i a, __m512i b) {
    emulated_512 out = {.integers = sums}, x = {.integers = a}, y = {.integers = b};
    for (int l = 0; l < 64; l++) out.i32[l / 4] += (int32_t)x.u8[l] * y.i8[l];
    return out.integers;
}

EMULATED __m256i emulated_dot_bytes_256(__m256i sums, __m256i a, __m256i b) {
    int32_t out[8];
    uint8_t x[32];
    int8_t y[32];
    memcpy(out, &sums, sizeof out);
    memcpy(x, &a, sizeof x);
    memcpy(y, &b, sizeof y);
    for (int l = 0; l < 32; l++) out[l / 4] += (int32_t)x[l] * y[l];
    memcpy(&sums, out, sizeof out);
    return sums;
}

EMULATED __m512i emulated_repeat(uint32_t pattern) {
    emulated_512 out;
    for (int l = 0; l < 16; l++) out.u32[l] = pattern;
    return out.integers;
}

/// Two steps of a chain, the high half of a pair first. Each is one rounding, under the flushing of
/// subnormals that the thread has set.
EMULATED __m512 emulated_dot_pairs(__m512 sums, __m512i a, __m512i b) {
    emulated_512 out = {.floats = sums}, x = {.integers = a}, y = {.integers = b};
    for (int half = 16; half >= 0; half -= 16) {
        emulated_512 p, q;
        for (int l = 0; l < 16; l++) {
            p.u32[l] = x.u32[l] >> half << 16;
            q.u32[l] = y.u32[l] >> half << 16;
        }
        for (int l = 0; l < 16; l++) out.f32[l] = __builtin_fmaf(p.f32[l], q.f32[l], out.f32[l]);
    }
    return out.floats;
}

/// Bytes of `low` and `high`, one after the other.
EMULATED __m512i emulated_choose_of_two(__m512i low, __m512i places, __m512i high) {
    emulated_512 out, at = {.integers = places}, a = {.integers = low}, b = {.integers = high};
    for (int l = 0; l < 64; l++) {
        out.u8[l] = at.u8[l] & 64 ? b.u8[at.u8[l] & 63] : a.u8[at.u8[l] & 63];
    }
    return out.integers;
}

EMULATED __m512i emulated_choose_bytes(__m512i places, __m512i from) {
    emulated_512 out, at = {.integers = places}, a = {.integers = from};
    for (int l = 0; l < 64; l++) out.u8[l] = a.u8[at.u8[l] & 63];
    return out.integers;
}

EMULATED __m512i emulated_choose_halves(__m512i places, __m512i from) {
    emulated_512 out, at = {.integers = places}, a = {.integers = from};
    for (int l = 0; l < 32; l++) out.u16[l] = a.u16[at.u16[l] & 31];
    return out.integers;
}

#define _mm512_dpbf16_ps(sums, a, b) emulated_dot_pairs(sums, (__m512i)(a), (__m512i)(b))
#define _mm512_permutex2var_epi8 emulated_choose_of_two
#define _mm512_permutexvar_epi8 emulated_choose_bytes
#define _mm512_permutexvar_epi16 emulated_choose_halves

// ---- tiles -------------------------------------------------------------------------------------

/// The tiles of this thread: eight of sixteen lines, no other shape.
static _Thread_local struct {
    bool is_configured;
    emulated_512 lines[8][16];
} emulated_tiles __attribute__((unused));

typedef struct {
    uint8_t palette, start, reserved[14];
    uint16_t columns[16];  // in bytes
    uint8_t rows[16];
} emulated_tile_shapes;

EMULATED void emulated_tile_configure(const void *bytes) {
    emulated_tile_shapes shapes;
    memcpy(&shapes, bytes, sizeof shapes);
    if (shapes.palette != 1 || shapes.start != 0) abort();
    for (int t = 0; t < 8; t++) if (shapes.rows[t] != 16 || shapes.columns[t] != 64) abort();
    memset(emulated_tiles.lines, 0, sizeof emulated_tiles.lines);
    emulated_tiles.is_configured = true;
}

EMULATED void emulated_tile_release(void) { emulated_tiles.is_configured = false; }

/// The processor faults where tiles have no shape.
EMULATED emulated_512 *emulated_tile(int tile) {
    if (!emulated_tiles.is_configured) abort();
    return emulated_tiles.lines[tile];
}

EMULATED void emulated_tile_zero(int tile) {
    memset(emulated_tile(tile), 0, sizeof emulated_tiles.lines[0]);
}

EMULATED void emulated_tile_load(int tile, const void *from, size_t stride) {
    emulated_512 *lines = emulated_tile(tile);
    for (size_t m = 0; m < 16; m++) memcpy(&lines[m], (const uint8_t *)from + m * stride, 64);
}

EMULATED void emulated_tile_store(int tile, void *to, size_t stride) {
    const emulated_512 *lines = emulated_tile(tile);
    for (size_t m = 0; m < 16; m++) memcpy((uint8_t *)to + m * stride, &lines[m], 64);
}

/// An even and an odd chain from zero; their sum enters the tile by one addition.
EMULATED void emulated_tile_dot_pairs(int sums, int a, int b) {
    emulated_512 *out = emulated_tile(sums), *x = emulated_tile(a), *y = emulated_tile(b);
    for (int m = 0; m < 16; m++) {
        float chains[2][16] = {{0}};
        for (int k = 0; k < 32; k++) {
            emulated_512 numbers, factor;
            factor.u32[0] = (uint32_t)x[m].u16[k] << 16;
            for (int n = 0; n < 16; n++) {
                numbers.u32[n] = (uint32_t)y[k / 2].u16[2 * n + k % 2] << 16;
            }
            for (int n = 0; n < 16; n++) {
                chains[k % 2][n] = __builtin_fmaf(factor.f32[0], numbers.f32[n], chains[k % 2][n]);
            }
        }
        for (int n = 0; n < 16; n++) out[m].f32[n] += chains[0][n] + chains[1][n];
    }
}

EMULATED void emulated_tile_dot_codes(int sums, int a, int b) {
    emulated_512 *out = emulated_tile(sums), *x = emulated_tile(a), *y = emulated_tile(b);
    for (int m = 0; m < 16; m++) {
        for (int k = 0; k < 64; k++) {
            for (int n = 0; n < 16; n++) {
                out[m].i32[n] += (int32_t)x[m].i8[k] * y[k / 4].i8[4 * n + k % 4];
            }
        }
    }
}

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#undef _tile_dpbssd
#define _tile_loadconfig emulated_tile_configure
#define _tile_release emulated_tile_release
#define _tile_zero emulated_tile_zero
#define _tile_loadd emulated_tile_load
#define _tile_stored emulated_tile_store
#define _tile_dpbf16ps emulated_tile_dot_pairs
#define _tile_dpbssd emulated_tile_dot_codes

#define _mm256_dpbusd_avx_epi32 emulated_dot_bytes_256
#define _mm512_dpbusd_epi32 emulated_dot_bytes
#define _mm512_set1_epi32(value) emulated_repeat((uint32_t)(value))
#define _mm512_set1_epi8(value) emulated_repeat(0x01010101u * (uint8_t)(value))
#define _mm512_xor_si512(a, b) ((a) ^ (b))
#endif
