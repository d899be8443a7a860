// Products by multiply-add of sixteen outputs at a time; compiled for each vector ISA after
// rows_f32.h. The meaning is that of product_scalar.c, operation by operation.
//
// Few rows of input meet a weight as it is read; for more of them a block of the weight is decoded
// to F32 once, in the first cache. The including file gives TILE_ROWS, the rows of input whose sums
// of one chain stay in registers; CHAINED_ROWS, those of which both chains do; and FUSED_ROWS,
// those of which both do while the weight is decoded beside them.
#include "product_few.h"

/// Where each row of input and of output is.
SKEIN_INLINE void find_rows(const skein_product *job, const float **inputs, float **outputs) {
    size_t row_bytes = SKEIN_NAME(row_bytes)(job->weight);
#pragma clang loop vectorize(disable)
    for (size_t m = 0; m < job->count; m++) {
        size_t row = skein_numbered(job->input_rows, m);
        inputs[m] = (const float *)(uintptr_t)(job->input + row * row_bytes);
        outputs[m] = job->output + skein_numbered(job->output_rows, m) * job->output_stride;
    }
}

// ---- many rows: a tile of rows against decoded numbers -----------------------------------------

/// One chain of a group: `w` has sixteen outputs of every step, `w_step` floats apart.
SKEIN_INLINE void tile_chain(const float *const *x, size_t x_step, const float *w, size_t w_step,
                             size_t first, size_t end, v16 *sums, const int rows) {
    for (int m = 0; m < rows; m++) sums[m] = splat(0.0f);
#pragma clang loop unroll_count(4)
    for (size_t k = first; k < end; k += 2) {
        v16 numbers = *(const v16 *)(w + k * w_step);
        for (int m = 0; m < rows; m++) {
            sums[m] = __builtin_elementwise_fma(splat(x[m][k * x_step]), numbers, sums[m]);
        }
    }
}

/// Both chains of a group side by side, for rows of which one alone would wait for its own sums.
SKEIN_INLINE void tile_chains(const float *const *x, size_t x_step, const float *w, size_t w_step,
                              size_t first, v16 *even, v16 *odd, const int rows) {
    for (int m = 0; m < rows; m++) even[m] = odd[m] = splat(0.0f);
#pragma clang loop unroll_count(2)
    for (size_t k = first; k < first + SKEIN_GROUP_COLUMNS; k += 2) {
        v16 numbers = *(const v16 *)(w + k * w_step), next = *(const v16 *)(w + (k + 1) * w_step);
        for (int m = 0; m < rows; m++) {
            even[m] = __builtin_elementwise_fma(splat(x[m][k * x_step]), numbers, even[m]);
            odd[m] = __builtin_elementwise_fma(splat(x[m][(k + 1) * x_step]), next, odd[m]);
        }
    }
}

/// sums[m] += the groups of `steps` steps.
SKEIN_INLINE void tile_groups(const float *const *x, size_t x_step, const float *w, size_t w_step,
                              size_t steps, v16 *sums, const int rows) {
#pragma clang loop unroll(disable)
    for (size_t group = 0; group < steps; group += SKEIN_GROUP_COLUMNS) {
        size_t end = skein_min(group + SKEIN_GROUP_COLUMNS, steps);
        v16 even[TILE_ROWS], odd[TILE_ROWS];
        bool is_whole = end == group + SKEIN_GROUP_COLUMNS;
        if (is_whole && rows <= CHAINED_ROWS) {
            tile_chains(x, x_step, w, w_step, group, even, odd, rows);
        } else if (is_whole) {
            tile_chain(x, x_step, w, w_step, group, group + SKEIN_GROUP_COLUMNS, even, rows);
            tile_chain(x, x_step, w, w_step, group + 1, group + SKEIN_GROUP_COLUMNS, odd, rows);
        } else {
            tile_chain(x, x_step, w, w_step, group, end, even, rows);
            tile_chain(x, x_step, w, w_step, group + 1, end, odd, rows);
        }
        for (int m = 0; m < rows; m++) sums[m] += even[m] + odd[m];
    }
}

/// A piece of a block and what becomes of its sums.
typedef struct {
    const float *numbers;  // [column, 16]
    size_t columns;
    bool begins, ends;     // the block
    bool is_first;         // block: totals begin
    bool is_scaled;
    bool is_lone;  // a block is one group, whose chains are not added to zero
    v16 scales;
} chunk;

/// Sums go by way of `carried` where a block has several chunks.
SKEIN_INLINE void tile_chunk(const chunk *at, const float *const *x, float *const *carried,
                             float *const *outputs, const int rows) {
    v16 sums[TILE_ROWS];
    for (int m = 0; m < rows; m++) {
        sums[m] = at->begins ? splat(at->is_lone ? -0.0f : 0.0f) : *(const v16 *)carried[m];
    }
    tile_groups(x, 1, at->numbers, 16, at->columns, sums, rows);
    for (int m = 0; m < rows; m++) {
        if (!at->ends || !at->is_scaled) {
            *(v16 *)carried[m] = sums[m];
        } else {
            v16 before = at->is_first ? splat(0.0f) : *(const v16 *)outputs[m];
            *(v16 *)outputs[m] = __builtin_elementwise_fma(at->scales, sums[m], before);
        }
    }
}

SKEIN_INLINE void decode_chunk(const uint8_t *lines, size_t unit_bytes, size_t columns,
                               const int format, const decoding way, float *out) {
    // Spelled out: compilers that unroll this late shift by vectors of counts.
#define DECODE_STEP(j) *(v16 *)(out + (k + j) * 16) = decode_step(lines, format, way, j);
    for (size_t k = 0; k < columns; k += SKEIN_UNIT_COLUMNS, lines += unit_bytes) {
        DECODE_STEP(0) DECODE_STEP(1) DECODE_STEP(2) DECODE_STEP(3)
        DECODE_STEP(4) DECODE_STEP(5) DECODE_STEP(6) DECODE_STEP(7)
    }
}

SKEIN_INLINE void decode_any(const skein_packed *weight, const uint8_t *lines, size_t columns,
                             float *out) {
    size_t unit = skein_columns_bytes(weight, SKEIN_UNIT_COLUMNS);
    switch (weight->format) {
        case SKEIN_F32: decode_chunk(lines, unit, columns, SKEIN_F32, AS_STORED, out); break;
        case SKEIN_BF16: decode_chunk(lines, unit, columns, SKEIN_BF16, AS_STORED, out); break;
        case SKEIN_I8: decode_chunk(lines, unit, columns, SKEIN_I8, AS_STORED, out); break;
        case SKEIN_I4: decode_chunk(lines, unit, columns, SKEIN_I4, AS_STORED, out); break;
        default:
            if (weight->holds_nan) {
                decode_chunk(lines, unit, columns, SKEIN_F8E4M3, ANY_CODES, out);
            } else {
                decode_chunk(lines, unit, columns, SKEIN_F8E4M3, TRUE_CODES, out);
            }
    }
}

/// A decoded chunk, where each row of input and of output is, and sixteen floats of each row for
/// what a block carries and for the outputs of a last panel that is not full.
typedef struct {
    float numbers[CHUNK_COLUMNS * SKEIN_PANEL_ROWS];
    const float *inputs[PASSED_ROWS];
    float *outputs[PASSED_ROWS];
    float carried[PASSED_ROWS][SKEIN_PANEL_ROWS];
    float edge[PASSED_ROWS][SKEIN_PANEL_ROWS];
} product_scratch;

static size_t SKEIN_NAME(scratch_bytes)(const skein_packed *weight, size_t count) {
    size_t enlarged = DIRECT_ROWS * (skein_packed_columns(weight) + 16) * sizeof(float);
    if (count <= DIRECT_ROWS || enlarged > sizeof(product_scratch)) return enlarged;
    return sizeof(product_scratch);
}

/// A case for each count of rows up to TILE_ROWS.
#define TILE_CASES_6(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#define TILE_CASES_12(CASE) \
    TILE_CASES_6(CASE) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)

#define CHUNK_CASE(rows) case rows: tile_chunk(at, x, carried, outputs, rows); break;

/// One chunk of one panel against all rows, in tiles of about one size: small ones wait for their
/// own sums.
SKEIN_TARGET static void SKEIN_NAME(multiply_chunk)(const skein_product *job, const chunk *at,
                                                    size_t place, size_t panel) {
    product_scratch *scratch = job->scratch;
    size_t column = (panel - job->panel_begin) * SKEIN_PANEL_ROWS;
    bool is_full = (panel + 1) * SKEIN_PANEL_ROWS <= job->weight->rows;
    size_t tiles = (job->count + TILE_ROWS - 1) / TILE_ROWS;
    for (size_t tile = 0, first = 0; tile < tiles; tile++) {
        size_t count = (job->count - first + tiles - tile - 1) / (tiles - tile);
        const float *x[TILE_ROWS];
        float *carried[TILE_ROWS], *outputs[TILE_ROWS];
#pragma clang loop vectorize(disable)
        for (size_t m = 0; m < count; m++) {
            size_t row = first + m;
            x[m] = scratch->inputs[row] + place;
            outputs[m] = is_full ? scratch->outputs[row] + column : scratch->edge[row];
            carried[m] = at->is_scaled ? scratch->carried[row] : outputs[m];
        }
        switch (count) { TILE_CASES(CHUNK_CASE) }
        first += count;
    }
}

/// Copies what was computed for a last panel that is not full.
SKEIN_INLINE void copy_edge(const skein_product *job, size_t panel) {
    const product_scratch *scratch = job->scratch;
    size_t width = job->weight->rows - panel * SKEIN_PANEL_ROWS;
    size_t column = (panel - job->panel_begin) * SKEIN_PANEL_ROWS;
    for (size_t m = 0; m < job->count; m++) {
        memcpy(scratch->outputs[m] + column, scratch->edge[m], width * sizeof(float));
    }
}

/// Some columns of a block of one panel, decoded chunk by chunk.
SKEIN_INLINE void multiply_piece(const skein_product *job, const skein_block *block, size_t begin,
                                 size_t columns, size_t panel) {
    const skein_packed *weight = job->weight;
    float *numbers = ((product_scratch *)job->scratch)->numbers;
    chunk at = {.numbers = numbers, .is_first = block->number == 0,
                .is_scaled = skein_format_of(weight)->scale_bytes != 0,
                .is_lone = weight->format == SKEIN_I4};
    if (at.is_scaled) {
        at.scales = scales_of(weight, skein_panel_scales(weight, panel), block->number);
    }
    for (size_t k = begin; k < begin + columns; k += CHUNK_COLUMNS) {
        at.columns = skein_min(CHUNK_COLUMNS, begin + columns - k);
        at.begins = k == 0;
        at.ends = k + at.columns == block->padded;
        size_t place = block->place + k;
        decode_any(weight, skein_panel(weight, panel) + skein_columns_bytes(weight, place),
                   at.columns, numbers);
        SKEIN_NAME(multiply_chunk)(job, &at, block->place + k, panel);
    }
}

/// At most PASSED_ROWS rows.
SKEIN_INLINE void multiply_decoded(const skein_product *job) {
    const skein_packed *weight = job->weight;
    product_scratch *scratch = job->scratch;
    find_rows(job, scratch->inputs, scratch->outputs);
    bool is_scaled = skein_format_of(weight)->scale_bytes != 0;
    skein_block block = skein_first_block(weight);
    for (; skein_is_block(weight, &block); skein_next_block(weight, &block)) {
        // Rows of input are read once for all panels; what a block with scales carries from one
        // chunk to the next is one panel's.
        size_t piece = is_scaled ? block.padded : CHUNK_COLUMNS;
        for (size_t k = 0; k < block.padded; k += piece) {
            size_t columns = skein_min(piece, block.padded - k);
            for (size_t panel = job->panel_begin; panel < job->panel_end; panel++) {
                multiply_piece(job, &block, k, columns, panel);
            }
        }
    }
    if (job->panel_end * SKEIN_PANEL_ROWS > weight->rows) copy_edge(job, job->panel_end - 1);
}

SKEIN_TARGET static void SKEIN_NAME(product)(const skein_product *job) {
    // Tiny codes, and true ones that become so, are read as subnormals; no input is one.
    bool is_coded = job->weight->format == SKEIN_F8E4M3;
    skein_floating_state state = is_coded ? skein_read_subnormals() : skein_flush_subnormals();
    size_t passes = (job->count + DIRECT_ROWS - 1) / DIRECT_ROWS;
    if (passes <= DIRECT_PASSES) {
        for (size_t first = 0; passes > 0; passes--) {
            size_t some = (job->count - first + passes - 1) / passes;
            skein_product pass =
                skein_some_rows(job, first, some, SKEIN_NAME(row_bytes)(job->weight));
            const float *inputs[DIRECT_ROWS];
            float *outputs[DIRECT_ROWS];
            find_rows(&pass, inputs, outputs);
            direct(&pass, inputs, outputs, pass.count);
            first += some;
        }
    } else {
        for (size_t first = 0; first < job->count; first += PASSED_ROWS) {
            skein_product pass = skein_some_rows(job, first, PASSED_ROWS,
                                                 SKEIN_NAME(row_bytes)(job->weight));
            multiply_decoded(&pass);
        }
    }
    skein_restore(state);
}
