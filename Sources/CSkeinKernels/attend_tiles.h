// Attention by tiles; compiled within attend.h. Scores are tiles of sixteen positions and sixteen
// heads, sums such of sixteen heads and sixteen numbers; both in the one order, as tiles sum.
//
// A row must not depend on positions behind its own. Their weights are zeros, which are harmless
// only where the page holds nothing but finite numbers; other pages go the way of attend.h.

/// Pairs (k, k + 1) of queries that are BF16 numbers in F32.
SKEIN_INLINE void pair_queries(const page_space *space, const float *turned, uint32_t *pairs) {
    for (size_t k = 0; k < space->stride; k += 2, turned += 32, pairs += 16) {
        u32v low = *(const u32v_at_any *)turned, high = *(const u32v_at_any *)(turned + 16);
        *(u32v_at_any *)pairs = low >> 16 | (high & 0xFFFF0000);
    }
}

/// A row in BF16, padded with zeros; false where a number is not finite or not a BF16 one.
SKEIN_INLINE bool narrow_row(const page_space *space, const uint8_t *row, uint8_t *out) {
    size_t width = space->rows->width;
    u32v bad = (u32v)0;
    if (space->rows->coded_width == 0) {
        memcpy(out, row, 2 * width);
        memset(out + 2 * width, 0, 2 * (space->stride - width));
        for (size_t k = 0; k < space->stride; k += 32) {
            u32v words = *(const u32v_at_any *)(out + 2 * k);
            // Adding one to the exponent of a number that is not finite reaches its sign.
            bad |= ((words & 0x7F807F80) + 0x00800080) & 0x80008000;
        }
    } else {
        widen_row(space->rows, row, space->page, space->stride);
        for (size_t k = 0; k < space->stride; k += 16) {
            u32v bits = *(const u32v_at_any *)(space->page + k);
            u16v halves = __builtin_convertvector(bits >> 16, u16v);
            memcpy(out + 2 * k, &halves, sizeof halves);
            bad |= (((bits & 0x7F800000) + 0x00800000) & 0x80000000) | (bits & 0xFFFF);
        }
    }
    uint32_t any = 0;
    for (int l = 0; l < 16; l++) any |= bad[l];
    return any == 0;
}

/// Two rows of latents as one of pairs, sixteen columns of each tile.
SKEIN_INLINE void pair_latents(const page_space *space, size_t j) {
    const uint8_t *rows = space->tile_rows + j * space->tile_stride;
    uint32_t *out = space->tile_latents + j / 32 * 16 * space->padded + j % 32 / 2 * 16;
    for (size_t c = 0; c < space->padded; c += 16, out += TILE_NUMBERS) {
        u16v even, odd;
        memcpy(&even, rows + 2 * c, sizeof even);
        memcpy(&odd, rows + space->tile_stride + 2 * c, sizeof odd);
        *(u32v_at_any *)out = __builtin_convertvector(even, u32v) |
                              __builtin_convertvector(odd, u32v) << 16;
    }
}

/// Makes a page tiles; false where that is not possible.
SKEIN_TARGET static bool SKEIN_NAME(make_page_tiles)(const skein_attend_task *task,
                                                     const page_space *space, size_t begin,
                                                     size_t count) {
    size_t padded = skein_padded(count);
    for (size_t j = 0; j < count; j++) {
        uint8_t *out = space->tile_rows + j * space->tile_stride;
        if (!narrow_row(space, task_row(task, begin + j), out)) return false;
    }
    memset(space->tile_rows + count * space->tile_stride, 0,
           (padded - count) * space->tile_stride);
    for (size_t j = 0; j < padded; j += 2) pair_latents(space, j);
    return true;
}

SKEIN_INLINE bool make_tiles(const skein_attend_task *task, const page_space *space, size_t begin,
                             size_t count) {
    return SKEIN_NAME(make_page_tiles)(task, space, begin, count);
}

/// scores[j, head] of so many sixteens of positions.
SKEIN_INLINE void score_some(const page_space *space, const uint32_t *pairs, size_t first,
                             const int sixteens) {
    const uint8_t *rows = space->tile_rows + first * space->tile_stride;
    float *scores = space->scores + first * SKEIN_PART_HEADS;
    size_t next = TILE_SIDE * space->tile_stride;
    _tile_zero(0), _tile_zero(1), _tile_zero(2), _tile_zero(3);
    for (size_t k = 0; k < space->stride; k += 32, rows += STEP_BYTES, pairs += TILE_NUMBERS) {
        _tile_loadd(6, pairs, SKEIN_LINE_BYTES);
        _tile_loadd(4, rows, space->tile_stride);
        _tile_dpbf16ps(0, 4, 6);
        if (sixteens > 1) {
            _tile_loadd(5, rows + next, space->tile_stride);
            _tile_dpbf16ps(1, 5, 6);
        }
        if (sixteens > 2) {
            _tile_loadd(4, rows + 2 * next, space->tile_stride);
            _tile_dpbf16ps(2, 4, 6);
            _tile_loadd(5, rows + 3 * next, space->tile_stride);
            _tile_dpbf16ps(3, 5, 6);
        }
    }
    end_tiles(scores, sixteens > 1 ? 2 : 1, sixteens > 2 ? 2 : 1);
}

/// Scores of positions behind `count` have no meaning. Rows come by 32, so that there are no three
/// sixteens.
SKEIN_TARGET static void SKEIN_NAME(score_page_tiles)(const page_space *space,
                                                      const uint32_t *pairs, size_t count) {
    for (size_t first = 0; first < count; first += 4 * TILE_SIDE) {
        size_t left = count - first;
        if (left > 2 * TILE_SIDE) score_some(space, pairs, first, 4);
        else if (left > TILE_SIDE) score_some(space, pairs, first, 2);
        else score_some(space, pairs, first, 1);
    }
}

SKEIN_INLINE void score_tiles(const page_space *space, const uint32_t *pairs, size_t count) {
    SKEIN_NAME(score_page_tiles)(space, pairs, count);
}

/// The weights of 32 positions, of which `count` are seen, as [head, 32] in BF16.
SKEIN_INLINE void turn_weights(const float *weights, size_t count, uint32_t *out) {
    _Alignas(64) float pairs[TILE_NUMBERS];
    for (size_t j = 0; j < 32; j += 2) {
        u32v low = (u32v)0, high = (u32v)0;
        if (j < count) low = *(const u32v_at_any *)(weights + j * 16) >> 16;
        if (j + 1 < count) high = *(const u32v_at_any *)(weights + j * 16 + 16) & 0xFFFF0000;
        *(u32v_at_any *)(pairs + j / 2 * 16) = low | high;
    }
    for (size_t i = 0; i < 16; i += 8) {
        for (size_t h = 0; h < 16; h += 8) {
            turn8(pairs + i * 16 + h, 64, (float *)out + h * 16 + i, 64);
        }
    }
}

/// The positions of a group that is not full, one after the other: sums of sixteen heads, [16, 16].
SKEIN_INLINE void add_positions(const uint32_t *latents, const float *weights, size_t count,
                                float *sums) {
    v16 numbers[SKEIN_GROUP_COLUMNS];
    for (size_t j = 0; j < count; j++) {
        u32v words = *(const u32v_at_any *)(latents + j / 2 * 16);
        numbers[j] = (v16)(j % 2 == 0 ? words << 16 : words & 0xFFFF0000);
    }
    for (size_t h = 0; h < SKEIN_PART_HEADS; h++) {
        const float *x = weights + h;
        tile_groups(&x, 16, (const float *)numbers, 16, count, (v16 *)(sums + h * 16), 1);
    }
}

/// A group of 32 positions that is not full, sixteen columns. Zeros behind the last position turn a
/// chain's -0 into +0, which matters only where the sum before it is -0: these go one by one.
SKEIN_INLINE void add_last_group(const page_space *space, size_t first, size_t count, size_t c,
                                 float *sums) {
    const uint32_t *latents = space->tile_latents + first / 2 * space->padded + c * 16;
    i16v is_minus_zero = (i16v)0;
    for (int h = 0; h < SKEIN_PART_HEADS; h++) {
        is_minus_zero |= *(const u32v_at_any *)(sums + h * 16) == 0x80000000;
    }
    int32_t any = 0;
    for (int l = 0; l < 16; l++) any |= is_minus_zero[l];
    if (any != 0) {
        add_positions(latents, space->scores + first * SKEIN_PART_HEADS, count, sums);
        return;
    }
    _tile_loadd(0, sums, SKEIN_LINE_BYTES);
    _tile_loadd(4, space->tile_weights + first / 32 * TILE_NUMBERS, SKEIN_LINE_BYTES);
    _tile_loadd(6, latents, SKEIN_LINE_BYTES);
    _tile_dpbf16ps(0, 4, 6);
    _tile_stored(0, sums, SKEIN_LINE_BYTES);
}

/// output[head, c] of sixteen columns of a page.
SKEIN_INLINE void sum_column(const page_space *space, size_t count, size_t c, float *output) {
    size_t stride = space->padded * sizeof(float), whole = count / 32 * 32;
    const uint32_t *latents = space->tile_latents + c * 16, *weights = space->tile_weights;
    _Alignas(64) float sums[TILE_NUMBERS];
    _tile_loadd(0, output + c, stride);
    for (size_t j = 0; j < whole; j += 32) {
        _tile_loadd(4, weights + j / 32 * TILE_NUMBERS, SKEIN_LINE_BYTES);
        _tile_loadd(6, latents + j / 2 * space->padded, SKEIN_LINE_BYTES);
        _tile_dpbf16ps(0, 4, 6);
    }
    _tile_stored(0, sums, SKEIN_LINE_BYTES);
    if (whole != count) add_last_group(space, whole, count - whole, c, sums);
    for (size_t h = 0; h < SKEIN_PART_HEADS; h++) {
        memcpy(output + h * space->padded + c, sums + h * 16, 16 * sizeof(float));
    }
}

/// The same of 64 columns and whole groups.
SKEIN_INLINE void sum_columns4(const page_space *space, size_t count, size_t c, float *output) {
    size_t stride = space->padded * sizeof(float);
    const uint32_t *latents = space->tile_latents + c * 16, *weights = space->tile_weights;
    _tile_loadd(0, output + c, stride);
    _tile_loadd(1, output + c + 16, stride);
    _tile_loadd(2, output + c + 32, stride);
    _tile_loadd(3, output + c + 48, stride);
    for (size_t j = 0; j < count; j += 32, latents += 16 * space->padded) {
        _tile_loadd(4, weights + j / 32 * TILE_NUMBERS, SKEIN_LINE_BYTES);
        _tile_loadd(6, latents, SKEIN_LINE_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, latents + TILE_NUMBERS, SKEIN_LINE_BYTES);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(6, latents + 2 * TILE_NUMBERS, SKEIN_LINE_BYTES);
        _tile_dpbf16ps(2, 4, 6);
        _tile_loadd(7, latents + 3 * TILE_NUMBERS, SKEIN_LINE_BYTES);
        _tile_dpbf16ps(3, 4, 7);
    }
    _tile_stored(0, output + c, stride);
    _tile_stored(1, output + c + 16, stride);
    _tile_stored(2, output + c + 32, stride);
    _tile_stored(3, output + c + 48, stride);
}

/// output[head, c] = output[head, c] * correction + the weighted rows.
SKEIN_TARGET static void SKEIN_NAME(sum_page_tiles)(const page_space *space, v16 correction,
                                                    size_t count, float *output) {
    for (size_t h = 0; h < SKEIN_PART_HEADS; h++) {
        // Times one nothing changes, and most pages hold no larger score than those before.
        if (correction[h] == 1.0f) continue;
        for (size_t c = 0; c < space->padded; c += 16) {
            *(v16 *)(output + h * space->padded + c) *= splat(correction[h]);
        }
    }
    for (size_t j = 0; j < count; j += 32) {
        turn_weights(space->scores + j * SKEIN_PART_HEADS, skein_min(32, count - j),
                     space->tile_weights + j / 32 * TILE_NUMBERS);
    }
    bool is_whole = count % SKEIN_GROUP_COLUMNS == 0;
    for (size_t c = 0; c < space->padded;) {
        bool is_wide = is_whole && c + 64 <= space->padded;
        if (is_wide) sum_columns4(space, count, c, output);
        else sum_column(space, count, c, output);
        c += is_wide ? 64 : 16;
    }
}

SKEIN_INLINE void sum_tiles(const page_space *space, v16 correction, size_t count, float *output) {
    SKEIN_NAME(sum_page_tiles)(space, correction, count, output);
}
