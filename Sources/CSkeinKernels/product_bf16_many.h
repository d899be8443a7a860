// Products by vdpbf16ps for many rows of input; compiled after product_bf16.h. Columns of two
// panels become pairs once, in the first cache, and meet the rows six at a time.

/// Columns of a panel that are pairs at once: 4 KB of them.
enum { PAIR_CHUNK = 128 };

/// Scratch: the pairs of two panels; then for each row what two panels carry from one chunk of a
/// block to the next, and the outputs of a last panel that is not full.
typedef struct {
    u32v pairs[2][PAIR_CHUNK / PAIR_COLUMNS * 2];
    float rows[];
} pair_scratch;

/// Columns of a block of one or two panels, and what becomes of their sums.
typedef struct {
    const u32v *pairs[2];
    size_t place, columns;    // in a packed row
    size_t panel, panels;
    bool begins, ends;        // the block
    bool is_first;            // block: totals begin
    bool is_scaled, is_lone;  // as in product.h
    v16 scales[2];
} pair_chunk;

static size_t SKEIN_NAME(pair_scratch_bytes)(const skein_packed *weight, size_t count) {
    (void)weight;
    if (count <= PAIR_ROWS) return 0;
    return sizeof(pair_scratch) + 3 * count * SKEIN_PANEL_ROWS * sizeof(float);
}

/// Both chains of one group, from zero.
SKEIN_INLINE void pair_chains(const pair_chunk *at, size_t group, const uint32_t *const *x,
                              v16 (*even)[2], v16 (*odd)[2], const int rows, const int panels) {
    for (int m = 0; m < rows; m++) {
        for (int p = 0; p < panels; p++) even[m][p] = odd[m][p] = splat(0.0f);
    }
    size_t begin = group / 2, end = begin + SKEIN_GROUP_COLUMNS / 2;
#pragma clang loop unroll_count(2)
    for (size_t i = begin; i < end; i += 2) {
        for (int m = 0; m < rows; m++) {
            u32v one = (u32v)x[m][i];
            for (int p = 0; p < panels; p++) {
                even[m][p] = add_pairs(even[m][p], at->pairs[p][i], one);
            }
        }
        for (int m = 0; m < rows; m++) {
            u32v one = (u32v)x[m][i + 1];
            for (int p = 0; p < panels; p++) {
                odd[m][p] = add_pairs(odd[m][p], at->pairs[p][i + 1], one);
            }
        }
    }
}

/// Sums are carried in memory, from group to group too: registers hold the chains.
SKEIN_INLINE void pair_tile(const pair_chunk *at, const uint32_t *const *x,
                            float *const (*carried)[2], float *const (*outputs)[2], const int rows,
                            const int panels) {
#pragma clang loop unroll(disable)
    for (size_t group = 0; group < at->columns; group += SKEIN_GROUP_COLUMNS) {
        v16 even[PAIR_ROWS][2], odd[PAIR_ROWS][2];
        pair_chains(at, group, x, even, odd, rows, panels);
        for (int m = 0; m < rows; m++) {
            for (int p = 0; p < panels; p++) {
                v16 before = at->begins && group == 0 ? splat(at->is_lone ? -0.0f : 0.0f)
                                                      : *(const v16 *)carried[m][p];
                *(v16 *)carried[m][p] = before + (even[m][p] + odd[m][p]);
            }
        }
    }
    if (!at->ends || !at->is_scaled) return;
    for (int m = 0; m < rows; m++) {
        for (int p = 0; p < panels; p++) {
            v16 before = at->is_first ? splat(0.0f) : *(const v16 *)outputs[m][p];
            *(v16 *)outputs[m][p] =
                __builtin_elementwise_fma(at->scales[p], *(const v16 *)carried[m][p], before);
        }
    }
}

#define PAIR_TILE_CASE(panels, rows) \
    case (panels) * 8 + (rows): pair_tile(at, x, carried, outputs, rows, panels); break;
#define PAIR_TILE_CASES(panels)                                                             \
    PAIR_TILE_CASE(panels, 1) PAIR_TILE_CASE(panels, 2) PAIR_TILE_CASE(panels, 3)           \
    PAIR_TILE_CASE(panels, 4) PAIR_TILE_CASE(panels, 5) PAIR_TILE_CASE(panels, 6)

/// One chunk against all rows.
SKEIN_TARGET static void SKEIN_NAME(multiply_pairs)(const skein_product *job,
                                                    const pair_chunk *at) {
    float *rows = ((pair_scratch *)job->scratch)->rows;
    float *edges = rows + 2 * job->count * SKEIN_PANEL_ROWS;
    for (size_t first = 0; first < job->count; first += PAIR_ROWS) {
        size_t count = skein_min(PAIR_ROWS, job->count - first);
        const uint32_t *x[PAIR_ROWS];
        float *carried[PAIR_ROWS][2], *outputs[PAIR_ROWS][2];
        for (size_t m = 0; m < count; m++) {
            size_t row = first + m;
            x[m] = pairs_of_row(job, row) + at->place / 2;
            for (size_t p = 0; p < at->panels; p++) {
                size_t panel = at->panel + p;
                bool is_full = (panel + 1) * SKEIN_PANEL_ROWS <= job->weight->rows;
                outputs[m][p] = is_full ? job->output + job->output_stride *
                                              skein_numbered(job->output_rows, row) +
                                              (panel - job->panel_begin) * SKEIN_PANEL_ROWS
                                        : edges + row * SKEIN_PANEL_ROWS;
                carried[m][p] = at->is_scaled ? rows + (2 * row + p) * SKEIN_PANEL_ROWS
                                              : outputs[m][p];
            }
        }
        switch (at->panels * 8 + count) { PAIR_TILE_CASES(1) PAIR_TILE_CASES(2) }
    }
}

/// Copies what was computed for a last panel that is not full.
SKEIN_INLINE void copy_edge_of_pairs(const skein_product *job, size_t panel) {
    size_t width = job->weight->rows - panel * SKEIN_PANEL_ROWS;
    const float *rows = ((const pair_scratch *)job->scratch)->rows;
    const float *edges = rows + 2 * job->count * SKEIN_PANEL_ROWS;
    for (size_t m = 0; m < job->count; m++) {
        memcpy(job->output + (panel - job->panel_begin) * SKEIN_PANEL_ROWS +
                   skein_numbered(job->output_rows, m) * job->output_stride,
               edges + m * SKEIN_PANEL_ROWS, width * sizeof(float));
    }
}

SKEIN_INLINE void decode_pairs_chunk(const skein_packed *weight, size_t panel, size_t place,
                                     size_t columns, const int format, u32v *pairs) {
    pair_tables tables = load_chain_tables(format);
    const uint8_t *lines = skein_panel(weight, panel) + skein_columns_bytes(weight, place);
    size_t unit_bytes = skein_columns_bytes(weight, SKEIN_UNIT_COLUMNS);
    for (size_t k = 0; k < columns; k += SKEIN_UNIT_COLUMNS, lines += unit_bytes, pairs += 4) {
        for (size_t line = 0; line < unit_bytes; line += SKEIN_LINE_BYTES) {
            __builtin_prefetch(lines + line + PREFETCH_BYTES);
        }
        u32v some[4];
        decode_pairs(lines, format, &tables, some);
        memcpy(pairs, some, sizeof some);
    }
}

SKEIN_INLINE void decode_any_pairs(const skein_packed *weight, size_t panel, size_t place,
                                   size_t columns, u32v *out) {
    switch (weight->format) {
        case SKEIN_BF16: decode_pairs_chunk(weight, panel, place, columns, SKEIN_BF16, out); break;
        case SKEIN_I4: decode_pairs_chunk(weight, panel, place, columns, SKEIN_I4, out); break;
        default: decode_pairs_chunk(weight, panel, place, columns, SKEIN_F8E4M3, out);
    }
}

/// Columns `begin` ..< `end` of a block of one or two panels, chunk by chunk.
SKEIN_INLINE void multiply_pair_piece(const skein_product *job, const skein_block *block,
                                      size_t begin, size_t end, size_t panel) {
    const skein_packed *weight = job->weight;
    pair_scratch *scratch = job->scratch;
    pair_chunk at = {.panel = panel, .panels = skein_min(2, job->panel_end - panel),
                     .is_first = block->number == 0,
                     .is_scaled = skein_format_of(weight)->scale_bytes != 0,
                     .is_lone = weight->format == SKEIN_I4};
    for (size_t p = 0; p < at.panels && at.is_scaled; p++) {
        at.scales[p] = scales_of(weight, skein_panel_scales(weight, panel + p), block->number);
    }
    for (size_t k = begin; k < end; k += PAIR_CHUNK) {
        at.place = block->place + k;
        at.columns = skein_min(PAIR_CHUNK, end - k);
        at.begins = k == 0;
        at.ends = k + at.columns == block->padded;
        for (size_t p = 0; p < at.panels; p++) {
            decode_any_pairs(weight, panel + p, at.place, at.columns, scratch->pairs[p]);
            at.pairs[p] = scratch->pairs[p];
        }
        SKEIN_NAME(multiply_pairs)(job, &at);
    }
}

SKEIN_INLINE void multiply_many(const skein_product *job) {
    const skein_packed *weight = job->weight;
    bool is_scaled = skein_format_of(weight)->scale_bytes != 0;
    skein_block block = skein_first_block(weight);
    for (; skein_is_block(weight, &block); skein_next_block(weight, &block)) {
        // Rows of input are read once for all panels; what a block with scales carries from one
        // chunk to the next is one pair's of panels.
        size_t piece = is_scaled ? block.padded : PAIR_CHUNK;
        for (size_t k = 0; k < block.padded; k += piece) {
            size_t end = skein_min(k + piece, block.padded);
            for (size_t panel = job->panel_begin; panel < job->panel_end; panel += 2) {
                multiply_pair_piece(job, &block, k, end, panel);
            }
        }
    }
    if (job->panel_end * SKEIN_PANEL_ROWS > weight->rows) {
        copy_edge_of_pairs(job, job->panel_end - 1);
    }
}

SKEIN_TARGET static void SKEIN_NAME(product_pairs)(const skein_product *job) {
    skein_floating_state state = skein_flush_subnormals();
    if (job->count <= PAIR_ROWS) multiply_few(job);
    else multiply_many(job);
    skein_restore(state);
}

/// Independent chains of vdpbf16ps.
SKEIN_TARGET static double SKEIN_NAME(peak_pairs)(size_t rounds) {
    enum { SUMS = 16 };
    v16 sums[SUMS];
    u32v x = (u32v)0x3F003F00;
    need(&x);
    u32v factor = x;
    for (int l = 0; l < SUMS; l++) sums[l] = splat(0.0f);
    for (size_t i = 0; i < rounds; i++) {
#pragma clang loop unroll(full)
        for (int l = 0; l < SUMS; l++) sums[l] = add_pairs(sums[l], factor, factor);
    }
    need(sums);
    return 2.0 * 32 * SUMS * (double)rounds;
}
