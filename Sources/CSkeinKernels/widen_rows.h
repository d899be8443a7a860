// Cached rows in F32; compiled for AVX2 and AVX-512 after rows_f32.h and the ISA's widen_codes,
// which gives the numbers of a tile's codes.

SKEIN_INLINE void widen_rows(const skein_latent_rows *rows, const uint8_t *row, size_t count,
                             float *out, size_t stride) {
    size_t width = rows->width, coded = rows->coded_width;
    for (size_t j = 0; j < count; j++) {
        for (size_t k = 0; k < coded; k += SKEIN_TILE_COLUMNS) {
            widen_codes(row + k, skein_min(SKEIN_TILE_COLUMNS, coded - k),
                        skein_latent_scale(row, coded, k), out + k);
        }
        widen_bf16(row + skein_latent_plain(coded), width - coded, out + coded);
        for (size_t k = width; k < stride; k++) out[k] = 0;
        row += rows->row_bytes;
        out += stride;
    }
}
