// Packs a stored matrix into panels, on all threads.
#include "kernels.h"

const skein_format skein_formats[SKEIN_FORMAT_COUNT] = {
    [SKEIN_F32] = {.bits = 32},
    [SKEIN_BF16] = {.bits = 16},
    [SKEIN_F8E4M3] = {.bits = 8, .scale_bytes = 4},
    [SKEIN_I8] = {.bits = 8, .scale_bytes = 4, .has_row_scales = true},
    [SKEIN_I4] = {.bits = 4, .scale_bytes = 2, .has_row_scales = true, .padding = 0x88},
};

skein_packed skein_packed_shape(const skein_weight *weight, int format, bool transposed) {
    size_t rows = transposed ? weight->columns : weight->rows;
    size_t columns = transposed ? weight->rows : weight->columns;
    skein_packed packed = {.rows = rows, .columns = columns, .first_columns = columns,
                           .block_columns = columns, .format = format,
                           .has_row_scales = skein_formats[format].has_row_scales};
    if (format == SKEIN_I8) {
        packed.first_columns = packed.block_columns = SKEIN_I8_COLUMNS;
    } else if (skein_formats[format].scale_bytes != 0) {
        size_t across = transposed ? weight->block_columns : weight->block_rows;
        size_t first_row = transposed ? 0 : weight->first_row;
        packed.block_columns = transposed ? weight->block_rows : weight->block_columns;
        packed.first_columns = packed.block_columns;
        if (transposed) packed.first_columns -= weight->first_row % weight->block_rows;
        // A panel whose outputs have blocks of their own has a scale for each.
        bool is_even = across % SKEIN_PANEL_ROWS == 0 && first_row % SKEIN_PANEL_ROWS == 0;
        packed.has_row_scales = packed.has_row_scales || !is_even;
    }
    return packed;
}

size_t skein_packed_code_bytes(const skein_packed *packed) {
    return skein_panel_count(packed) * skein_columns_bytes(packed, skein_packed_columns(packed));
}

size_t skein_packed_scale_bytes(const skein_packed *packed) {
    return skein_panel_count(packed) * skein_block_count(packed) * skein_scale_lanes(packed) *
           skein_format_of(packed)->scale_bytes;
}

// ---- one panel -------------------------------------------------------------------------------

typedef struct {
    skein_pool *pool;
    const skein_kernels *kernels;
    const skein_weight *weight;
    skein_packed packed;
    uint8_t *codes, *scales;
    bool transposed;
    _Atomic(bool) holds_nan;
} pack_job;

static size_t row_bytes(const skein_weight *weight) {
    return (weight->columns * skein_formats[weight->format].bits + 7) / 8;
}

/// The numbers of one output in their stored form, each block in its padded place.
static void gather_row(const pack_job *job, size_t row, uint8_t *out) {
    const skein_packed *packed = &job->packed;
    const skein_weight *weight = job->weight;
    size_t bits = skein_format_of(packed)->bits, bytes = bits / 8;
    memset(out, skein_format_of(packed)->padding, skein_packed_columns(packed) * bits / 8);
    if (row >= packed->rows) return;
    skein_block block = skein_first_block(packed);
    for (; skein_is_block(packed, &block); skein_next_block(packed, &block)) {
        uint8_t *target = out + block.place * bits / 8;
        if (!job->transposed) {
            const uint8_t *from = weight->bytes + row * row_bytes(weight);
            memcpy(target, from + block.column * bits / 8, (block.width * bits + 7) / 8);
        } else {
            for (size_t c = 0; c < block.width; c++) {
                memcpy(target + c * bytes,
                       weight->bytes + (block.column + c) * row_bytes(weight) + row * bytes, bytes);
            }
        }
    }
}

/// The scale of a block of an output, read with subnormals as zero.
static float block_scale(const pack_job *job, size_t row, size_t block) {
    const skein_weight *weight = job->weight;
    if (row >= job->packed.rows) return 0;
    size_t down = weight->first_row, across = 0;
    if (job->transposed) {
        down = weight->first_row / weight->block_rows + block;
        across = row / weight->block_columns;
    } else {
        down = (weight->first_row + row) / weight->block_rows;
        across = block;
    }
    float scale = weight->scales[down * weight->scale_columns + across];
    return (skein_bits_of_float(scale) & 0x7F800000) == 0 ? 0.0f * scale : scale;
}

static void pack_scales(const pack_job *job, size_t panel) {
    const skein_packed *packed = &job->packed;
    size_t lanes = skein_scale_lanes(packed), width = skein_format_of(packed)->scale_bytes;
    size_t blocks = skein_block_count(packed);
    uint8_t *target = job->scales + panel * blocks * lanes * width;
    for (size_t block = 0; block < blocks; block++) {
        for (size_t lane = 0; lane < lanes; lane++, target += width) {
            float scale = block_scale(job, panel * SKEIN_PANEL_ROWS + lane, block);
            uint32_t bits = skein_bits_of_float(scale);
            uint16_t half = (uint16_t)(bits >> 16);
            memcpy(target, width == 4 ? (void *)&bits : (void *)&half, width);
        }
    }
}

static bool holds_nan(const uint8_t *codes, size_t count) {
    bool found = false;
    for (size_t i = 0; i < count; i++) found |= (codes[i] & 0x7F) == 0x7F;
    return found;
}

static void pack_panel(void *arguments, size_t panel, size_t thread) {
    pack_job *job = arguments;
    const skein_packed *packed = &job->packed;
    const skein_weight *weight = job->weight;
    size_t columns = skein_packed_columns(packed), bits = skein_format_of(packed)->bits;
    size_t words = columns * bits / 32, first = panel * SKEIN_PANEL_ROWS;
    uint8_t *lines = job->codes + panel * skein_columns_bytes(packed, columns);
    size_t stored_bytes = row_bytes(weight);
    bool is_plain = !job->transposed && columns == weight->columns &&
                    first + SKEIN_PANEL_ROWS <= packed->rows;
    if (is_plain) {
        job->kernels->interleave(lines, weight->bytes + first * stored_bytes, stored_bytes, words);
    } else {
        uint8_t *rows = skein_pool_thread_scratch(job->pool, thread);
        for (size_t n = 0; n < SKEIN_PANEL_ROWS; n++) {
            gather_row(job, first + n, rows + n * words * 4);
        }
        job->kernels->interleave(lines, rows, words * 4, words);
    }
    if (skein_format_of(packed)->scale_bytes != 0) pack_scales(job, panel);
    if (packed->format == SKEIN_F8E4M3 && holds_nan(lines, words * SKEIN_LINE_BYTES)) {
        atomic_store_explicit(&job->holds_nan, true, memory_order_relaxed);
    }
}

/// Rounds the rows of a panel to INT8, each group of columns by its largest magnitude.
static void quantize_panel(void *arguments, size_t panel, size_t thread) {
    const pack_job *job = arguments;
    const skein_packed *packed = &job->packed;
    size_t columns = packed->columns, padded = skein_packed_columns(packed);
    size_t groups = skein_block_count(packed), first = panel * SKEIN_PANEL_ROWS;
    int8_t *codes = skein_pool_thread_scratch(job->pool, thread);
    float *numbers = (float *)(uintptr_t)(codes + SKEIN_PANEL_ROWS * padded);
    memset(codes, 0, SKEIN_PANEL_ROWS * padded);
    float *scales = (float *)(uintptr_t)job->scales + panel * groups * SKEIN_PANEL_ROWS;
    memset(scales, 0, groups * SKEIN_PANEL_ROWS * sizeof(float));
    for (size_t n = 0; n < SKEIN_PANEL_ROWS && first + n < packed->rows; n++) {
        skein_decode_row_by(job->kernels, job->weight, first + n, numbers);
        for (size_t group = 0; group < groups; group++) {
            int32_t sum;
            size_t begin = group * SKEIN_I8_COLUMNS;
            job->kernels->quantize_i8(numbers + begin,
                                      skein_min(SKEIN_I8_COLUMNS, columns - begin),
                                      codes + n * padded + begin,
                                      scales + group * SKEIN_PANEL_ROWS + n, &sum);
        }
    }
    job->kernels->interleave(job->codes + panel * skein_columns_bytes(packed, padded),
                             (const uint8_t *)codes, padded, padded / 4);
}

skein_packed skein_pack(skein_pool *pool, const skein_weight *weight, int format, bool transposed,
                        uint8_t *codes, uint8_t *scales) {
    pack_job job = {.pool = pool, .kernels = skein_kernels_of(skein_pool_isa(pool)),
                    .weight = weight, .packed = skein_packed_shape(weight, format, transposed),
                    .codes = codes, .scales = scales, .transposed = transposed};
    size_t columns = skein_packed_columns(&job.packed);
    bool is_made = format == SKEIN_I8 && weight->format != SKEIN_I8;
    skein_pool_lock(pool);
    skein_pool_reserve(pool, (SKEIN_PANEL_ROWS + 1) * columns * 4 + 64);
    skein_pool_run(pool, skein_panel_count(&job.packed), is_made ? quantize_panel : pack_panel,
                   &job);
    skein_pool_unlock(pool);
    job.packed.codes = codes;
    job.packed.scales = scales;
    job.packed.holds_nan = job.holds_nan;
    return job.packed;
}

void skein_decode_packed_row(const skein_packed *weight, size_t row, float *out) {
    const uint8_t *panel = skein_panel(weight, row / SKEIN_PANEL_ROWS);
    size_t output = row % SKEIN_PANEL_ROWS;
    skein_block block = skein_first_block(weight);
    for (; skein_is_block(weight, &block); skein_next_block(weight, &block)) {
        float scale = skein_packed_scale(weight, row, block.number);
        for (size_t c = 0; c < block.width; c++) {
            out[block.column + c] = skein_packed_number(weight, panel, output, block.place + c) *
                                    scale;
        }
    }
}
