// Attention over latent rows with the vectors of this ISA.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX512
#define SKEIN_NAME(name) name##_avx512
#include "twins.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "tile_avx512.h"
#include "rows_f32.h"
#include "f8e4m3_f32_avx512.h"
enum { SCORE_LANES = 16, SCORE_HEADS = 4, SCORE_ROWS = 4, SUM_HEADS = 4, SUM_VECTORS = 4 };

/// The codes of one tile, times its scale.
SKEIN_INLINE void widen_codes(const uint8_t *codes, size_t count, float scale, float *out) {
    for (size_t k = 0; k < count; k += 64) {
        v16 numbers[4];
        size_t left = count - k;
        decode64_f32(load_codes(codes + k, left), numbers);
        for (int v = 0; v < 4; v++) numbers[v] *= splat(scale);
        if (left >= 64) {
            for (size_t v = 0; v < 4; v++) *(v16 *)(out + k + 16 * v) = numbers[v];
        } else {
            memcpy(out + k, numbers, left * sizeof(float));
        }
    }
}

#include "attend_latent.h"
#endif
