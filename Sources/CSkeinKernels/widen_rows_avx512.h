// Cached rows in F32 with the vectors of AVX-512; after rows_f32.h.
#include "f8e4m3_f32_avx512.h"

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

#include "widen_rows.h"
