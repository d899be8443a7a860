// Products by tiles, for many rows of input; compiled after product_bf16.h. The meaning is that of
// product_scalar.c and of product_i8_scalar.c, operation by operation.
//
// A tile is sixteen lines of 64 bytes. One step multiplies sixteen rows of input, 64 bytes of each,
// by sixteen outputs: 32 BF16 columns, whose even and odd chains are summed from zero and whose sum
// is added to the tile, or 64 INT8 columns. The packed lines of BF16 and INT8 are tiles already;
// E4M3 and INT4 become pairs of columns (c0, c1) once for all rows of a band.
//
// Four tiles hold the sums of 32 rows and two panels; two hold rows of input, two a weight. Totals
// lie in scratch, tile by tile, until all columns are done.

enum {
    TILE_SIDE = 16,
    TILE_NUMBERS = TILE_SIDE * TILE_SIDE,
    STEP_BYTES = 64,                             // of a row of input
    STEP_LINES = TILE_SIDE * SKEIN_LINE_BYTES,   // bytes of a panel
    STRIP_ROWS = 2 * TILE_SIDE,
    BAND_ROWS = 512,      // whose totals lie in scratch, 256 KB of them
    GROUP_PANELS = 8,     // that share what is read of the input
    PIECE_COLUMNS = 128,  // of a coded weight that are pairs at once, where no block has more
    PIECE_BYTES = 1024,   // of a row that meet a weight as it is packed at once
    PIECE_BLOCKS = PIECE_BYTES / SKEIN_I8_COLUMNS,
    STRIP_TOTALS = GROUP_PANELS * 2 * TILE_NUMBERS,
};

/// `rest` holds totals [strip, panel, half of the strip's rows, 16, 16]; then the weight as tiles,
/// [panel, 32 or 64 columns, 16 lines], and rows of input side by side, where either does not lie
/// ready.
typedef struct {
    float sums[4 * TILE_NUMBERS];                 // of one block
    float row_scales[PIECE_BLOCKS * STRIP_ROWS];  // of an INT8 input
    float rest[];
} tile_scratch;

/// Columns of some panels and a strip of rows, which are multiplied at once.
typedef struct {
    const skein_product *job;
    skein_block block;                   // the first one
    size_t place, end;                   // in a packed row
    size_t panel, panels;
    const uint8_t *lines[GROUP_PANELS];  // tiles of the weight
    uint8_t *pairs, *rows;               // scratch
    size_t row, count;                   // of the strip
    const uint8_t *input;                // the strip's
    size_t input_stride;
    float *totals;                       // the strip's
    bool is_fetched;                     // BF16 and INT8 weights come from memory
} tile_piece;

SKEIN_INLINE bool is_tile_as_packed(const skein_packed *weight) {
    return weight->format == SKEIN_BF16 || weight->format == SKEIN_I8;
}

SKEIN_INLINE size_t bytes_of_columns(const skein_packed *weight, size_t columns) {
    return weight->format == SKEIN_I8 ? columns : 2 * columns;
}

/// Columns of the largest piece; a coded weight's has whole blocks.
SKEIN_INLINE size_t widest_piece(const skein_packed *weight) {
    if (is_tile_as_packed(weight)) return PIECE_BYTES / bytes_of_columns(weight, 1);
    size_t first = skein_padded(weight->first_columns);
    size_t widest = skein_padded(weight->block_columns);
    widest = skein_min(widest > first ? widest : first, skein_packed_columns(weight));
    return widest > PIECE_COLUMNS ? widest : PIECE_COLUMNS;
}

/// Panels that are tiles at once: 32 KB in the first cache, or two of wide blocks in the second.
SKEIN_INLINE size_t group_panels(const skein_packed *weight) {
    bool is_wide = !is_tile_as_packed(weight) && widest_piece(weight) > 2 * PIECE_COLUMNS;
    return is_wide ? 2 : GROUP_PANELS;
}

/// What a panel of a piece takes as tiles; BF16 weights lie ready.
SKEIN_INLINE size_t pairs_bytes(const skein_packed *weight) {
    return bytes_of_columns(weight, widest_piece(weight)) * SKEIN_PANEL_ROWS;
}

/// From one row of input to the next where they are copied: an odd number of lines.
SKEIN_INLINE size_t copied_stride(const skein_packed *weight) {
    return bytes_of_columns(weight, widest_piece(weight)) / 128 * 128 + 64;
}

SKEIN_INLINE size_t band_strips(size_t count) {
    return (skein_min(BAND_ROWS, count) + STRIP_ROWS - 1) / STRIP_ROWS;
}

SKEIN_TARGET static size_t SKEIN_NAME(tile_scratch_bytes)(const skein_packed *weight,
                                                          size_t count) {
    return sizeof(tile_scratch) + band_strips(count) * STRIP_TOTALS * sizeof(float) +
           group_panels(weight) * pairs_bytes(weight) + STRIP_ROWS * copied_stride(weight);
}

// ---- one block of a strip and two panels -------------------------------------------------------

/// Sums begin with zero; with -0 where a lone sum of chains is to stay as it is; with what the
/// columns before came to where the weight has no scales.
SKEIN_INLINE void begin_tiles(const float *totals, const int format, const int halves,
                              const int panels) {
    static const _Alignas(64) float minus_zeros[TILE_SIDE] = {
        -0.0f, -0.0f, -0.0f, -0.0f, -0.0f, -0.0f, -0.0f, -0.0f,
        -0.0f, -0.0f, -0.0f, -0.0f, -0.0f, -0.0f, -0.0f, -0.0f};
    const float *from = format == SKEIN_BF16 ? totals : minus_zeros;
    size_t stride = format == SKEIN_BF16 ? SKEIN_LINE_BYTES : 0;
    size_t next = format == SKEIN_BF16 ? TILE_NUMBERS : 0;
    if (format == SKEIN_BF16 || format == SKEIN_I4) {
        _tile_loadd(0, from, stride);
        if (halves == 2) _tile_loadd(1, from + next, stride);
        if (panels == 2) _tile_loadd(2, from + 2 * next, stride);
        if (halves == 2 && panels == 2) _tile_loadd(3, from + 3 * next, stride);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
}

SKEIN_INLINE void end_tiles(float *to, const int halves, const int panels) {
    _tile_stored(0, to, SKEIN_LINE_BYTES);
    if (halves == 2) _tile_stored(1, to + TILE_NUMBERS, SKEIN_LINE_BYTES);
    if (panels == 2) _tile_stored(2, to + 2 * TILE_NUMBERS, SKEIN_LINE_BYTES);
    if (halves == 2 && panels == 2) _tile_stored(3, to + 3 * TILE_NUMBERS, SKEIN_LINE_BYTES);
}

#define ADD_TILES(sums, rows, weight)                             \
    do {                                                          \
        if (format == SKEIN_I8) _tile_dpbssd(sums, rows, weight); \
        else _tile_dpbf16ps(sums, rows, weight);                  \
    } while (0)

/// Tiles 4 and 5 hold rows, 6 and 7 a panel each.
SKEIN_INLINE void add_steps(const uint8_t *rows, size_t stride, const uint8_t *const *lines,
                            size_t steps, bool is_fetched, const int format, const int halves,
                            const int panels) {
    for (size_t step = 0; step < steps; step++) {
        const uint8_t *x = rows + step * STEP_BYTES;
        for (int p = 0; p < panels && is_fetched; p++) {
            const uint8_t *ahead = lines[p] + step * STEP_LINES + PREFETCH_BYTES;
            for (int l = 0; l < TILE_SIDE; l++) __builtin_prefetch(ahead + l * SKEIN_LINE_BYTES);
        }
        _tile_loadd(4, x, stride);
        _tile_loadd(6, lines[0] + step * STEP_LINES, SKEIN_LINE_BYTES);
        ADD_TILES(0, 4, 6);
        if (halves == 2) {
            _tile_loadd(5, x + TILE_SIDE * stride, stride);
            ADD_TILES(1, 5, 6);
        }
        if (panels == 2) {
            _tile_loadd(7, lines[1] + step * STEP_LINES, SKEIN_LINE_BYTES);
            ADD_TILES(2, 4, 7);
            if (halves == 2) ADD_TILES(3, 5, 7);
        }
    }
}

/// totals = fma(scale, sums, totals), sixteen outputs of each row at a time.
SKEIN_INLINE void add_scaled_sums(const tile_scratch *scratch, const float *row_scales,
                                  const v16 *scales, float *totals, const int format,
                                  const int halves, const int panels) {
    for (int p = 0; p < panels; p++) {
        for (int m = 0; m < halves * TILE_SIDE; m++) {
            size_t place = (size_t)p * 2 * TILE_NUMBERS + (size_t)m * TILE_SIDE;
            const float *from = scratch->sums + place;
            v16 sum = *(const v16 *)from, scale = scales[p];
            if (format == SKEIN_I8) {
                sum = __builtin_convertvector((i16v)sum, v16);
                scale = scale * splat(row_scales[m]);
            }
            v16 *total = (v16 *)(totals + place);
            *total = __builtin_elementwise_fma(scale, sum, *total);
        }
    }
}

/// All blocks of a piece for one or two panels of its group.
SKEIN_INLINE void multiply_strip(const tile_piece *at, size_t p, const int format,
                                 const int halves, const int panels) {
    const skein_packed *weight = at->job->weight;
    tile_scratch *scratch = at->job->scratch;
    float *totals = at->totals + p * 2 * TILE_NUMBERS;
    const uint8_t *lines[2] = {at->lines[p], panels == 2 ? at->lines[p + 1] : NULL};
    const uint8_t *rows = at->input;
    const float *row_scales = scratch->row_scales;
    const size_t step_columns = format == SKEIN_I8 ? 64 : 32;
    skein_block block = at->block;
    for (size_t place = at->place; place < at->end; skein_next_block(weight, &block)) {
        size_t end = skein_min(at->end, block.place + block.padded);
        size_t steps = (end - place + step_columns - 1) / step_columns;
        begin_tiles(totals, format, halves, panels);
        bool is_fetched = (format == SKEIN_BF16 || format == SKEIN_I8) && at->is_fetched;
        add_steps(rows, at->input_stride, lines, steps, is_fetched, format, halves, panels);
        end_tiles(format == SKEIN_BF16 ? totals : scratch->sums, halves, panels);
        if (format != SKEIN_BF16) {
            v16 scales[2];
            for (size_t i = 0; i < (size_t)panels; i++) {
                scales[i] = scales_of(weight, skein_panel_scales(weight, at->panel + p + i),
                                      block.number);
            }
            add_scaled_sums(scratch, row_scales, scales, totals, format, halves, panels);
        }
        rows += steps * STEP_BYTES;
        row_scales += STRIP_ROWS;
        for (int i = 0; i < panels; i++) lines[i] += steps * STEP_LINES;
        place = end;
    }
}

#define STRIP_FORMAT(name, format)                                                     \
    SKEIN_TARGET static void SKEIN_NAME(name)(const tile_piece *at) {                  \
        for (size_t p = 0; p < at->panels; p += 2) {                                   \
            bool is_pair = p + 2 <= at->panels;                                        \
            switch ((at->count > TILE_SIDE ? 2 : 0) + is_pair) {                        \
                case 0: multiply_strip(at, p, format, 1, 1); break;                    \
                case 1: multiply_strip(at, p, format, 1, 2); break;                    \
                case 2: multiply_strip(at, p, format, 2, 1); break;                    \
                default: multiply_strip(at, p, format, 2, 2);                          \
            }                                                                          \
        }                                                                              \
    }

STRIP_FORMAT(strip_bf16, SKEIN_BF16)
STRIP_FORMAT(strip_f8e4m3, SKEIN_F8E4M3)
STRIP_FORMAT(strip_i8, SKEIN_I8)
STRIP_FORMAT(strip_i4, SKEIN_I4)

// ---- from rows and panels to tiles -------------------------------------------------------------

/// Eight INT4 codes of each output as four pairs of columns.
SKEIN_INLINE void expand_codes8(u32v words, const pair_tables *tables, u32v *pairs) {
    const u32v low_half = (u32v)0x0000FFFF;
    u32v places[4] = {words & low_half, words >> 8 & low_half, words >> 16, words >> 24};
    places[0] |= words << 12 & ~low_half;
    places[1] |= words << 4 & ~low_half;
    places[2] |= words >> 4 & ~low_half;
    places[3] |= words >> 12 & ~low_half;
    for (int i = 0; i < 4; i++) pairs[i] = look_up_halves(tables->numbers, places[i]);
}

/// The codes of a piece of one panel as pairs (c0, c1), a tile for each 32 columns.
SKEIN_INLINE void expand_lines(const uint8_t *lines, size_t count, const int format, u32v *pairs) {
    pair_tables tables = load_tables(0x01410040, 0x03430242);
    for (size_t i = 0; i < count; i++, lines += SKEIN_LINE_BYTES) {
        u32v words = *(const u32v_at_any *)lines;
        __builtin_prefetch(lines + PREFETCH_BYTES);
        if (format == SKEIN_I4) {
            expand_codes8(words, &tables, pairs + 4 * i);
        } else {
            u32v two[2];
            decode_codes4(words, &tables, two);
            pairs[2 * i] = two[0];
            pairs[2 * i + 1] = two[1];
        }
    }
}

/// Makes the panels of a piece tiles.
SKEIN_TARGET static void SKEIN_NAME(expand_piece)(tile_piece *at) {
    const skein_packed *weight = at->job->weight;
    size_t bytes = skein_columns_bytes(weight, at->end - at->place);
    size_t count = bytes / SKEIN_LINE_BYTES;
    // The last INT8 step may be half a tile; the other half is zeros.
    size_t missing = weight->format == SKEIN_I8 ? bytes % STEP_LINES : 0;
    for (size_t p = 0; p < at->panels; p++) {
        uint8_t *pairs = at->pairs + p * pairs_bytes(weight);
        const uint8_t *lines = skein_panel(weight, at->panel + p) +
                               skein_columns_bytes(weight, at->place);
        at->lines[p] = is_tile_as_packed(weight) && missing == 0 ? lines : pairs;
        if (missing != 0) {
            memcpy(pairs, lines, bytes);
            memset(pairs + bytes, 0, missing);
        } else if (weight->format == SKEIN_F8E4M3) {
            expand_lines(lines, count, SKEIN_F8E4M3, (u32v *)(uintptr_t)pairs);
        } else if (weight->format == SKEIN_I4) {
            expand_lines(lines, count, SKEIN_I4, (u32v *)(uintptr_t)pairs);
        }
    }
}

/// Copies a strip's rows side by side where they do not lie so, or are fewer than tiles have: what
/// a tile has beyond them comes to totals that nobody reads.
SKEIN_INLINE void gather_rows(tile_piece *at) {
    const skein_product *job = at->job;
    const skein_packed *weight = job->weight;
    bool is_i8 = weight->format == SKEIN_I8;
    size_t row_bytes = is_i8 ? skein_i8_row_bytes(weight) : SKEIN_NAME(pair_row_bytes)(weight);
    size_t begin = bytes_of_columns(weight, at->place);
    size_t bytes = skein_lines(bytes_of_columns(weight, at->end - at->place));
    bool is_ready = job->input_rows == NULL && at->count % TILE_SIDE == 0;
    at->input = is_ready ? job->input + at->row * row_bytes + begin : at->rows;
    at->input_stride = is_ready ? row_bytes : copied_stride(weight);
    for (size_t m = 0; m < at->count; m++) {
        const uint8_t *row = job->input + skein_numbered(job->input_rows, at->row + m) * row_bytes;
        if (!is_ready) memcpy(at->rows + m * at->input_stride, row + begin, bytes);
        if (!is_i8) continue;
        const float *scales = skein_i8_row_scales(weight, row) + at->block.number;
        float *target = ((tile_scratch *)job->scratch)->row_scales + m;
        for (size_t b = 0; b * SKEIN_I8_COLUMNS < at->end - at->place; b++) {
            target[b * STRIP_ROWS] = scales[b];
        }
    }
}

/// Columns from `end` on: so many, or whole blocks that have no more.
SKEIN_INLINE void next_piece(tile_piece *at) {
    const skein_packed *weight = at->job->weight;
    size_t most = is_tile_as_packed(weight) ? widest_piece(weight) : PIECE_COLUMNS;
    at->place = at->end;
    if (weight->format == SKEIN_BF16) {
        at->end = skein_min(at->place + most, skein_packed_columns(weight));
        return;
    }
    while (at->block.place < at->place) skein_next_block(weight, &at->block);
    at->end += at->block.padded;
    skein_block next = at->block;
    for (skein_next_block(weight, &next); skein_is_block(weight, &next);
         skein_next_block(weight, &next)) {
        if (next.place + next.padded > at->place + most) break;
        at->end += next.padded;
    }
}

SKEIN_INLINE void write_totals(const tile_piece *at, size_t first, size_t count,
                               const float *totals) {
    const skein_product *job = at->job;
    for (size_t m = 0; m < count; m++) {
        float *output = job->output + (at->panel - job->panel_begin) * SKEIN_PANEL_ROWS +
                        skein_numbered(job->output_rows, first + m) * job->output_stride;
        const float *from = totals + m / STRIP_ROWS * STRIP_TOTALS + m % STRIP_ROWS * TILE_SIDE;
        for (size_t p = 0; p < at->panels; p++, from += 2 * TILE_NUMBERS) {
            size_t left = job->weight->rows - (at->panel + p) * SKEIN_PANEL_ROWS;
            float *target = output + p * SKEIN_PANEL_ROWS;
            if (left >= SKEIN_PANEL_ROWS) *(v16 *)target = *(const v16 *)from;
            else memcpy(target, from, left * sizeof(float));
        }
    }
}

/// Some rows against a group of panels.
SKEIN_INLINE void multiply_band(tile_piece *at, size_t first, size_t count) {
    const skein_packed *weight = at->job->weight;
    float *totals = ((tile_scratch *)at->job->scratch)->rest;
    size_t strips = band_strips(count);
    at->pairs = (uint8_t *)(totals + strips * STRIP_TOTALS);
    at->rows = at->pairs + group_panels(weight) * pairs_bytes(weight);
    memset(totals, 0, strips * STRIP_TOTALS * sizeof(float));
    at->block = skein_first_block(weight);
    at->end = 0;
    for (next_piece(at); at->place < skein_packed_columns(weight); next_piece(at)) {
        SKEIN_NAME(expand_piece)(at);
        for (size_t strip = 0; strip < strips; strip++) {
            at->row = first + strip * STRIP_ROWS;
            at->count = skein_min(STRIP_ROWS, first + count - at->row);
            at->totals = totals + strip * STRIP_TOTALS;
            at->is_fetched = strip == 0;
            gather_rows(at);
            switch (weight->format) {
                case SKEIN_BF16: SKEIN_NAME(strip_bf16)(at); break;
                case SKEIN_I8: SKEIN_NAME(strip_i8)(at); break;
                case SKEIN_I4: SKEIN_NAME(strip_i4)(at); break;
                default: SKEIN_NAME(strip_f8e4m3)(at);
            }
        }
    }
    write_totals(at, first, count, totals);
}

SKEIN_TARGET static void SKEIN_NAME(product_tiles)(const skein_product *job) {
    skein_floating_state state = skein_flush_subnormals();
    tile_piece at = {.job = job, .panel = job->panel_begin};
    for (; at.panel < job->panel_end; at.panel += at.panels) {
        at.panels = skein_min(group_panels(job->weight), job->panel_end - at.panel);
        for (size_t row = 0; row < job->count; row += BAND_ROWS) {
            multiply_band(&at, row, skein_min(BAND_ROWS, job->count - row));
        }
    }
    skein_restore(state);
}

// ---- limits ------------------------------------------------------------------------------------

#define PEAK_TILES(name, add, step_columns)                                        \
    SKEIN_TARGET static double SKEIN_NAME(name)(size_t rounds) {                   \
        _tile_zero(0), _tile_zero(1), _tile_zero(2), _tile_zero(3);                \
        _tile_zero(4), _tile_zero(5), _tile_zero(6), _tile_zero(7);                \
        for (size_t i = 0; i < rounds; i++) {                                      \
            add(0, 4, 6);                                                          \
            add(1, 5, 6);                                                          \
            add(2, 4, 7);                                                          \
            add(3, 5, 7);                                                          \
        }                                                                          \
        return 2.0 * 4 * TILE_NUMBERS * (step_columns) * (double)rounds;           \
    }

/// Four tiles of sums.
PEAK_TILES(peak_tiles_bf16, _tile_dpbf16ps, 32)
PEAK_TILES(peak_tiles_i8, _tile_dpbssd, 64)
