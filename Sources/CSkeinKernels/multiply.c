// Products: prepares the rows of input once, then gives tiles of panels to the pool.
//
// A tile is some panels of the weight against all rows of the input, so that a weight is read once
// for every call. Tiles change who computes an element, never how.
#include "kernels.h"

#include <stdlib.h>

enum {
    // A tile is a stretch of memory, long enough for the prefetch to pay, where a weight is read
    // more than it is multiplied.
    STRETCH_BYTES = 256 << 10,
    TILES_PER_THREAD = 4,
    // From so many rows on a weight is multiplied more than it is read.
    MANY_ROWS = 16,
    // Panels of a tile then: rows of input are read from afar once for all of them.
    MANY_PANELS = 8,
    // Fewer rows than these are prepared by one thread.
    FEW_ROWS = 16,
    // Rows that one thread multiplies by one head.
    HEAD_ROWS = 64,
};

enum { SLOT_PREPARED = 0, SLOT_INNER = 1, SLOT_PREFIX = 2 };

/// The panels of a tile for at most `count` rows, a multiple of `unit`.
static size_t tile_panels(const skein_pool *pool, const skein_packed *weight, size_t count,
                          size_t unit) {
    size_t bytes = skein_columns_bytes(weight, skein_packed_columns(weight));
    size_t shared = skein_panel_count(weight) / (TILES_PER_THREAD * skein_pool_thread_count(pool));
    size_t most = count < MANY_ROWS ? STRETCH_BYTES / bytes : MANY_PANELS;
    size_t panels = skein_min(most, shared) / unit * unit;
    return panels == 0 ? unit : panels;
}

static size_t tiles_of(const skein_packed *weight, size_t panels) {
    return (skein_panel_count(weight) + panels - 1) / panels;
}

/// How an ISA multiplies this weight.
static const skein_arithmetic *arithmetic_of(const skein_pool *pool, const skein_packed *weight,
                                             int arithmetic) {
    const skein_kernels *kernels = skein_kernels_of(skein_pool_isa(pool));
    if (arithmetic == SKEIN_EXACT || weight->format == SKEIN_F32) return &kernels->exact;
    return weight->format == SKEIN_I8 ? &kernels->int8 : &kernels->serving;
}

// ---- preparing -------------------------------------------------------------------------------

typedef struct {
    const skein_arithmetic *way;
    const skein_packed *weight;
    const float *input;
    size_t input_stride, row_bytes;
    uint8_t *output;
} prepare_job;

static void prepare_tile(void *arguments, size_t row, size_t thread) {
    (void)thread;
    const prepare_job *job = arguments;
    job->way->prepare(job->weight, job->input + row * job->input_stride, 0, job->weight->columns,
                      job->output + row * job->row_bytes);
}

static uint8_t *prepare(skein_pool *pool, const skein_arithmetic *way, const skein_packed *weight,
                        const float *input, size_t input_stride, size_t count) {
    prepare_job job = {way, weight, input, input_stride, way->row_bytes(weight), NULL};
    job.output = skein_pool_shared_scratch(pool, SLOT_PREPARED, count * job.row_bytes);
    if (count < FEW_ROWS) {
        for (size_t row = 0; row < count; row++) prepare_tile(&job, row, 0);
    } else {
        skein_pool_run(pool, count, prepare_tile, &job);
    }
    return job.output;
}

// ---- one matrix ------------------------------------------------------------------------------

typedef struct {
    skein_pool *pool;
    const skein_arithmetic *way;
    skein_product product;
    size_t panels;
} multiply_job;

static void multiply_tile(void *arguments, size_t tile, size_t thread) {
    const multiply_job *job = arguments;
    skein_product product = job->product;
    product.panel_begin = tile * job->panels;
    product.panel_end = skein_min(product.panel_begin + job->panels,
                                  skein_panel_count(product.weight));
    product.output += product.panel_begin * SKEIN_PANEL_ROWS;
    product.scratch = skein_pool_thread_scratch(job->pool, thread);
    job->way->product(&product);
}

void skein_multiply(skein_pool *pool, const skein_packed *weight, int arithmetic,
                    const float *input, size_t input_stride, float *output, size_t output_stride,
                    size_t count) {
    if (count == 0) return;
    skein_pool_lock(pool);
    skein_floating_state state = skein_flush_subnormals();
    multiply_job job = {.pool = pool, .way = arithmetic_of(pool, weight, arithmetic),
                        .panels = tile_panels(pool, weight, count, 1)};
    job.product = (skein_product){
        .weight = weight, .output = output, .output_stride = output_stride, .count = count,
        .input = prepare(pool, job.way, weight, input, input_stride, count)};
    skein_pool_reserve(pool, job.way->scratch_bytes(weight, count));
    skein_pool_run(pool, tiles_of(weight, job.panels), multiply_tile, &job);
    skein_restore(state);
    skein_pool_unlock(pool);
}

// ---- heads -----------------------------------------------------------------------------------

typedef struct {
    skein_pool *pool;
    const skein_arithmetic *way;
    const skein_packed *heads;
    const float *input;
    float *output;
    size_t input_head_stride, input_stride, output_head_stride, output_stride, count, head_count;
    size_t prepared_bytes;
} heads_job;

/// Some rows against one head, whose matrix is small: each thread prepares its own input.
static void heads_tile(void *arguments, size_t tile, size_t thread) {
    const heads_job *job = arguments;
    size_t head = tile % job->head_count, first = tile / job->head_count * HEAD_ROWS;
    size_t count = skein_min(HEAD_ROWS, job->count - first);
    const skein_packed *weight = &job->heads[head];
    uint8_t *prepared = skein_pool_thread_scratch(job->pool, thread);
    size_t row_bytes = job->way->row_bytes(weight);
    for (size_t m = 0; m < count; m++) {
        const float *input =
            job->input + (first + m) * job->input_stride + head * job->input_head_stride;
        job->way->prepare(weight, input, 0, weight->columns, prepared + m * row_bytes);
    }
    skein_product product = {
        .weight = weight, .panel_end = skein_panel_count(weight), .input = prepared,
        .output = job->output + first * job->output_stride + head * job->output_head_stride,
        .output_stride = job->output_stride, .count = count,
        .scratch = prepared + job->prepared_bytes};
    job->way->product(&product);
}

void skein_multiply_heads(skein_pool *pool, const skein_packed *heads, size_t head_count,
                          const float *input, size_t input_head_stride, size_t input_stride,
                          float *output, size_t output_head_stride, size_t output_stride,
                          size_t count) {
    if (count == 0 || head_count == 0) return;
    heads_job job = {.pool = pool, .way = arithmetic_of(pool, heads, SKEIN_EXACT),
                     .heads = heads, .input = input, .output = output,
                     .input_head_stride = input_head_stride, .input_stride = input_stride,
                     .output_head_stride = output_head_stride, .output_stride = output_stride,
                     .count = count, .head_count = head_count};
    // Heads of one shape may have their blocks at other columns: room for the widest.
    size_t scratch = 0;
    for (size_t head = 0; head < head_count; head++) {
        size_t rows = skein_lines(HEAD_ROWS * job.way->row_bytes(&heads[head]));
        size_t bytes = job.way->scratch_bytes(&heads[head], HEAD_ROWS);
        if (rows > job.prepared_bytes) job.prepared_bytes = rows;
        if (bytes > scratch) scratch = bytes;
    }
    skein_pool_lock(pool);
    skein_pool_reserve(pool, job.prepared_bytes + scratch);
    skein_pool_run(pool, head_count * ((count + HEAD_ROWS - 1) / HEAD_ROWS), heads_tile, &job);
    skein_pool_unlock(pool);
}

// ---- gated units -----------------------------------------------------------------------------

typedef struct {
    skein_pool *pool;
    const skein_kernels *kernels;
    const skein_arithmetic *gate_way, *down_way;
    const skein_gated_rows *units;
    size_t unit_count;
    const size_t *tile_starts;  // [unit_count + 1], of the region that runs
    const size_t *row_starts;   // [unit_count], first inner row of each unit
    const size_t *panels;       // [unit_count], of a tile of the region that runs
    const uint8_t *input;
    size_t inner_bytes, kernel_scratch;
    uint8_t *inner;  // rows as the down projection takes them
    float *output;
    size_t output_stride;
} gated_job;

static size_t unit_of(const gated_job *job, size_t tile) {
    size_t low = 0, high = job->unit_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (job->tile_starts[middle] <= tile) low = middle; else high = middle;
    }
    return low;
}

static void gate_up_tile(void *arguments, size_t tile, size_t thread) {
    const gated_job *job = arguments;
    size_t number = unit_of(job, tile);
    const skein_gated_rows *unit = &job->units[number];
    const skein_packed *down = &unit->weight->down, *first = &unit->weight->gate;
    size_t begin = (tile - job->tile_starts[number]) * job->panels[number];
    size_t end = skein_min(begin + job->panels[number], skein_panel_count(first));
    size_t row = begin * SKEIN_PANEL_ROWS;
    size_t rows = skein_min(end * SKEIN_PANEL_ROWS, first->rows) - row;
    uint8_t *scratch = skein_pool_thread_scratch(job->pool, thread);
    float *gate = (float *)(uintptr_t)(scratch + job->kernel_scratch);
    float *up = gate + rows * unit->count;
    skein_product product = {
        .weight = first, .panel_begin = begin, .panel_end = end, .input = job->input,
        .input_rows = unit->input_rows, .output = gate, .output_stride = rows,
        .count = unit->count, .scratch = scratch};
    job->gate_way->product(&product);
    product.weight = &unit->weight->up;
    product.output = up;
    job->gate_way->product(&product);
    job->kernels->silu_product(gate, up, rows * unit->count);
    for (size_t i = 0; i < unit->count; i++) {
        job->down_way->prepare(down, gate + i * rows, row, rows,
                               job->inner + (job->row_starts[number] + i) * job->inner_bytes);
    }
}

static void down_tile(void *arguments, size_t tile, size_t thread) {
    const gated_job *job = arguments;
    size_t number = unit_of(job, tile);
    const skein_gated_rows *unit = &job->units[number];
    const skein_packed *down = &unit->weight->down;
    size_t begin = (tile - job->tile_starts[number]) * job->panels[number];
    skein_product product = {
        .weight = down, .panel_begin = begin,
        .panel_end = skein_min(begin + job->panels[number], skein_panel_count(down)),
        .input = job->inner + job->row_starts[number] * job->inner_bytes,
        .output = job->output + begin * SKEIN_PANEL_ROWS, .output_stride = job->output_stride,
        .output_rows = unit->output_rows, .count = unit->count,
        .scratch = skein_pool_thread_scratch(job->pool, thread)};
    job->down_way->product(&product);
}

/// Divides the units' matrices, each by its own rows; returns the scratch of the largest tile.
static size_t divide(gated_job *job, size_t *starts, size_t *panels, bool is_down) {
    size_t total = 0, largest = 0;
    for (size_t u = 0; u < job->unit_count; u++) {
        const skein_gated_weight *unit = job->units[u].weight;
        const skein_packed *weight = is_down ? &unit->down : &unit->gate;
        size_t count = job->units[u].count;
        // Whole blocks of an INT8 input, so that no two tiles share a scale.
        size_t whole = !is_down && unit->down.format == SKEIN_I8 ? SKEIN_I8_COLUMNS : 1;
        panels[u] = tile_panels(job->pool, weight, count,
                                (whole + SKEIN_PANEL_ROWS - 1) / SKEIN_PANEL_ROWS);
        starts[u] = total;
        if (count == 0) continue;
        total += tiles_of(weight, panels[u]);
        size_t floats = 2 * panels[u] * SKEIN_PANEL_ROWS * count;
        if (floats > largest) largest = floats;
    }
    starts[job->unit_count] = total;
    return largest * sizeof(float);
}

static size_t scratch_of(const gated_job *job, const skein_arithmetic *way, size_t most,
                         bool is_down) {
    size_t largest = 0;
    for (size_t u = 0; u < job->unit_count; u++) {
        const skein_gated_weight *unit = job->units[u].weight;
        size_t bytes = way->scratch_bytes(is_down ? &unit->down : &unit->gate, most);
        if (bytes > largest) largest = bytes;
    }
    return skein_lines(largest);
}

void skein_apply_gated(skein_pool *pool, const skein_gated_rows *units, size_t unit_count,
                       int arithmetic, const float *input, size_t input_stride,
                       size_t input_count, float *output, size_t output_stride) {
    if (unit_count == 0 || input_count == 0) return;
    skein_pool_lock(pool);
    skein_floating_state state = skein_flush_subnormals();
    const skein_gated_weight *shape = units[0].weight;
    gated_job job = {.pool = pool, .kernels = skein_kernels_of(skein_pool_isa(pool)),
                     .gate_way = arithmetic_of(pool, &shape->gate, arithmetic),
                     .down_way = arithmetic_of(pool, &shape->down, arithmetic), .units = units,
                     .unit_count = unit_count, .output = output, .output_stride = output_stride};
    size_t *starts = skein_pool_shared_scratch(pool, SLOT_PREFIX,
                                               (3 * unit_count + 1) * sizeof(size_t));
    size_t *rows = starts + unit_count + 1, *panels = rows + unit_count, total = 0, most = 0;
    for (size_t u = 0; u < unit_count; u++) {
        rows[u] = total;
        total += units[u].count;
        if (units[u].count > most) most = units[u].count;
    }
    job.tile_starts = starts;
    job.row_starts = rows;
    job.panels = panels;
    job.inner_bytes = job.down_way->row_bytes(&shape->down);
    job.inner = skein_pool_shared_scratch(pool, SLOT_INNER, total * job.inner_bytes);
    job.input = prepare(pool, job.gate_way, &shape->gate, input, input_stride, input_count);
    size_t products = divide(&job, starts, panels, false);
    job.kernel_scratch = scratch_of(&job, job.gate_way, most, false);
    skein_pool_reserve(pool, job.kernel_scratch + products);
    skein_pool_run(pool, starts[unit_count], gate_up_tile, &job);
    divide(&job, starts, panels, true);
    skein_pool_reserve(pool, scratch_of(&job, job.down_way, most, true));
    skein_pool_run(pool, starts[unit_count], down_tile, &job);
    skein_restore(state);
    skein_pool_unlock(pool);
}
