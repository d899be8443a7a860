// Products: rounds or quantises the input once, then gives tiles of weight rows to the pool.
//
// A tile is some rows of the weight against all rows of the input, so that a weight is read once
// for every call. Tiles change who computes an element, never how.
#include "kernels.h"

#include <stdlib.h>

// Rows of one tile: at most this many, fewer where their decoded BF16 form would leave L2. For few
// rows of input a tile is a stretch of memory, long enough for the prefetch to pay. AVX2 kernels
// decode a few rows at a time and copy the input for every tile: there larger ones pay.
enum { TILE_ROWS_MAX = 64, AVX2_TILE_ROWS_MAX = 128 };
enum { TILE_BYTES = 384 << 10, STRETCH_BYTES = 256 << 10 };
enum { TILES_PER_THREAD = 4 };

enum { SLOT_PACKED = 0, SLOT_INNER = 1, SLOT_PREFIX = 2 };

/// INT8 tiles are four bands, so that every band but the last ones has three beside it.
enum { I8_TILE_ROWS = 64 };

static size_t i8_tile_rows(const skein_pool *pool, const skein_weight *weight, size_t count) {
    size_t rows = I8_TILE_ROWS;
    if (count <= SKEIN_DIRECT_MAX) {
        size_t shared = weight->rows / (TILES_PER_THREAD * skein_pool_thread_count(pool));
        rows = skein_min(STRETCH_BYTES / skein_row_bytes(weight), shared);
    }
    return rows < I8_TILE_ROWS ? I8_TILE_ROWS : rows / I8_TILE_ROWS * I8_TILE_ROWS;
}

static size_t tile_rows(const skein_pool *pool, const skein_weight *weight, size_t count,
                        size_t bytes_per_element) {
    if (weight->format == SKEIN_I8) return i8_tile_rows(pool, weight, count);
    size_t rows = TILE_BYTES / (bytes_per_element * (weight->columns + SKEIN_STEP));
    size_t shared = weight->rows / (TILES_PER_THREAD * skein_pool_thread_count(pool));
    if (count <= SKEIN_DIRECT_MAX) {
        rows = skein_min(STRETCH_BYTES / skein_row_bytes(weight), shared);
    } else if (skein_pool_isa(pool) == SKEIN_ISA_AVX2 && shared >= AVX2_TILE_ROWS_MAX) {
        rows = skein_min(TILE_BYTES / skein_row_bytes(weight), AVX2_TILE_ROWS_MAX);
    } else {
        rows = skein_min(rows, TILE_ROWS_MAX);
    }
    return rows < 8 ? 8 : rows / 4 * 4;
}

/// Decoded rows of one tile, BF16 or eight of F32, and widened rows of input, each padded to whole
/// steps of its blocks.
static size_t product_scratch(const skein_weight *weight, size_t rows) {
    size_t floats = rows / 2 + 2 + SKEIN_WIDENED_ROWS;
    return (floats * skein_packed_stride(weight) + 4 * SKEIN_STEP) * sizeof(float) +
           SKEIN_BLOCK_BYTES;
}

static size_t tiles_of(size_t rows, size_t tile) { return (rows + tile - 1) / tile; }

// ---- packing ---------------------------------------------------------------------------------

typedef struct {
    const skein_kernels *kernels;
    const float *input;
    size_t input_stride, columns, block_columns, packed_bytes;
    bool is_i8;
    uint8_t *output;
} pack_job;

/// Writes columns begin ..< begin + count of a row into its padded place.
static void pack_columns(const skein_kernels *kernels, uint16_t *row, const float *values,
                         size_t begin, size_t count, size_t columns, size_t block_columns) {
    while (count > 0) {
        size_t block = begin / block_columns, into = begin % block_columns;
        size_t block_count = skein_min(block_columns, columns - block * block_columns);
        size_t piece = skein_min(count, block_count - into);
        uint16_t *target = row + block * skein_padded(block_columns);
        kernels->pack_bf16(target + into, values, piece);
        if (into + piece == block_count) {
            size_t rest = skein_padded(block_count) - block_count;
            memset(target + block_count, 0, rest * sizeof(uint16_t));
        }
        begin += piece;
        values += piece;
        count -= piece;
    }
}

/// Quantises columns begin ..< begin + count, whole groups but at the row's end.
static void quantize_columns(const skein_kernels *kernels, int8_t *row, const float *values,
                             size_t begin, size_t count, size_t columns) {
    float *scales = skein_i8_row_scales(row, columns);
    int32_t *sums = skein_i8_row_sums(row, columns);
    for (size_t end = begin + count; begin < end; begin += SKEIN_GROUP_COLUMNS) {
        size_t group = begin / SKEIN_GROUP_COLUMNS;
        size_t width = skein_min(SKEIN_GROUP_COLUMNS, end - begin);
        kernels->quantize_i8(values, width, row + begin, scales + group, sums + group);
        values += width;
    }
}

/// From one packed row to the next, in the unit of a product's stride.
static size_t packed_stride(const skein_weight *weight) {
    return weight->format == SKEIN_I8 ? skein_i8_stride(weight->columns)
                                      : skein_packed_stride(weight);
}

static size_t packed_element(const skein_weight *weight) {
    return weight->format == SKEIN_I8 ? sizeof(int8_t) : sizeof(uint16_t);
}

static void pack_tile(void *arguments, size_t row, size_t thread) {
    (void)thread;
    const pack_job *job = arguments;
    const float *input = job->input + row * job->input_stride;
    void *output = job->output + row * job->packed_bytes;
    if (job->is_i8) {
        quantize_columns(job->kernels, output, input, 0, job->columns, job->columns);
    } else {
        pack_columns(job->kernels, output, input, 0, job->columns, job->columns,
                     job->block_columns);
    }
}

static void *pack(skein_pool *pool, const skein_weight *weight, const float *input,
                  size_t input_stride, size_t count) {
    size_t bytes = packed_stride(weight) * packed_element(weight);
    pack_job job = {skein_kernels_of(skein_pool_isa(pool)), input, input_stride, weight->columns,
                    weight->block_columns, bytes, weight->format == SKEIN_I8, NULL};
    job.output = skein_pool_shared_scratch(pool, SLOT_PACKED, count * bytes);
    if (count < 16) {
        for (size_t row = 0; row < count; row++) pack_tile(&job, row, 0);
    } else {
        skein_pool_run(pool, count, pack_tile, &job);
    }
    return job.output;
}

// ---- one matrix ------------------------------------------------------------------------------

typedef struct {
    skein_pool *pool;
    void (*kernel)(const skein_product *);
    skein_product product;
    size_t tile_rows;
} multiply_job;

static void multiply_tile(void *arguments, size_t tile, size_t thread) {
    const multiply_job *job = arguments;
    skein_product product = job->product;
    product.row_begin = tile * job->tile_rows;
    product.row_end = skein_min(product.row_begin + job->tile_rows, product.weight->rows);
    product.output += product.row_begin;
    product.scratch = skein_pool_thread_scratch(job->pool, thread);
    job->kernel(&product);
}

/// The product of a packed input with this weight.
static void (*packed_kernel(const skein_kernels *kernels, const skein_weight *weight))(
    const skein_product *) {
    if (weight->format == SKEIN_I8) return kernels->product_i8_group;
    return weight->format == SKEIN_BF16 ? kernels->product_bf16 : kernels->product_f8e4m3_block;
}

static void multiply(skein_pool *pool, const skein_weight *weight, const void *input,
                     size_t input_stride, float *output, size_t output_stride, size_t count,
                     bool in_f32) {
    const skein_kernels *kernels = skein_kernels_of(skein_pool_isa(pool));
    multiply_job job = {pool, kernels->product_f32, {0}, 0};
    if (!in_f32) job.kernel = packed_kernel(kernels, weight);
    job.product = (skein_product){.weight = weight, .input = input, .input_stride = input_stride,
                                  .output = output, .output_stride = output_stride, .count = count};
    job.tile_rows = tile_rows(pool, weight, count, in_f32 ? 4 : 2);
    skein_pool_reserve(pool, product_scratch(weight, job.tile_rows));
    skein_pool_run(pool, tiles_of(weight->rows, job.tile_rows), multiply_tile, &job);
}

void skein_multiply(skein_pool *pool, const skein_weight *weight, const float *input,
                    size_t input_stride, float *output, size_t output_stride, size_t count) {
    if (count == 0) return;
    if (weight->format == SKEIN_F32) {
        skein_multiply_f32(pool, weight, input, input_stride, output, output_stride, count);
        return;
    }
    skein_pool_lock(pool);
    skein_floating_state state = skein_flush_subnormals();
    void *packed = pack(pool, weight, input, input_stride, count);
    multiply(pool, weight, packed, packed_stride(weight), output, output_stride, count, false);
    skein_restore(state);
    skein_pool_unlock(pool);
}

void skein_multiply_f32(skein_pool *pool, const skein_weight *weight, const float *input,
                        size_t input_stride, float *output, size_t output_stride, size_t count) {
    if (count == 0) return;
    skein_pool_lock(pool);
    multiply(pool, weight, input, input_stride, output, output_stride, count, true);
    skein_pool_unlock(pool);
}

// ---- heads -----------------------------------------------------------------------------------

typedef struct {
    skein_pool *pool;
    const skein_weight *weight;
    const skein_heads *heads;
    const float *input;
    float *output;
    size_t input_stride, output_stride, count;
} heads_job;

static skein_weight head_view(const heads_job *job, size_t head) {
    skein_weight view = *job->weight;
    size_t first = head * job->heads->head_rows + job->heads->first_row;
    view.bytes += first * skein_row_bytes(&view);
    view.first_row += first;
    view.rows = job->heads->used_rows;
    return view;
}

static void heads_tile(void *arguments, size_t head, size_t thread) {
    const heads_job *job = arguments;
    skein_weight view = head_view(job, head);
    skein_product product = {
        .weight = &view, .row_begin = 0, .row_end = view.rows,
        .input = job->input + head * job->heads->input_head_stride,
        .input_stride = job->input_stride,
        .output = job->output + head * job->heads->output_head_stride,
        .output_stride = job->output_stride, .count = job->count,
        .scratch = skein_pool_thread_scratch(job->pool, thread)};
    skein_kernels_of(skein_pool_isa(job->pool))->product_f32(&product);
}

static void heads_transposed_tile(void *arguments, size_t head, size_t thread) {
    const heads_job *job = arguments;
    skein_weight view = head_view(job, head);
    skein_transposed product = {
        .weight = &view, .rows = view.rows,
        .input = job->input + head * job->heads->input_head_stride,
        .input_stride = job->input_stride,
        .output = job->output + head * job->heads->output_head_stride,
        .output_stride = job->output_stride, .count = job->count,
        .scratch = skein_pool_thread_scratch(job->pool, thread)};
    skein_kernels_of(skein_pool_isa(job->pool))->transposed_f32(&product);
}

void skein_multiply_heads(skein_pool *pool, const skein_weight *weight, const skein_heads *heads,
                          const float *input, size_t input_stride, float *output,
                          size_t output_stride, size_t count) {
    if (count == 0) return;
    heads_job job = {pool, weight, heads, input, output, input_stride, output_stride, count};
    skein_pool_lock(pool);
    skein_pool_reserve(pool, product_scratch(weight, 4));
    skein_pool_run(pool, heads->head_count, heads_tile, &job);
    skein_pool_unlock(pool);
}

void skein_multiply_heads_transposed(skein_pool *pool, const skein_weight *weight,
                                     const skein_heads *heads, const float *input,
                                     size_t input_stride, float *output, size_t output_stride,
                                     size_t count) {
    if (count == 0) return;
    heads_job job = {pool, weight, heads, input, output, input_stride, output_stride, count};
    skein_pool_lock(pool);
    skein_pool_reserve(pool, heads->used_rows * 64 * sizeof(float));
    skein_pool_run(pool, heads->head_count, heads_transposed_tile, &job);
    skein_pool_unlock(pool);
}

// ---- gated units -----------------------------------------------------------------------------

typedef struct {
    skein_pool *pool;
    const skein_kernels *kernels;
    const skein_gated_rows *units;
    size_t unit_count;
    const size_t *tile_starts;  // [unit_count + 1], of the region that runs
    const size_t *row_starts;   // [unit_count], first inner row of each unit
    const void *input;
    size_t input_stride, inner_width, inner_element, tile_rows, kernel_scratch;
    void *inner;  // packed as the down projection takes it, or F32
    float *output;
    size_t output_stride;
    bool in_f32;
} gated_job;

static size_t unit_of(const gated_job *job, size_t tile) {
    size_t low = 0, high = job->unit_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (job->tile_starts[middle] <= tile) low = middle; else high = middle;
    }
    return low;
}

static void run_product(const gated_job *job, const skein_product *product) {
    if (job->in_f32) job->kernels->product_f32(product);
    else packed_kernel(job->kernels, product->weight)(product);
}

static void gate_up_tile(void *arguments, size_t tile, size_t thread) {
    const gated_job *job = arguments;
    size_t number = unit_of(job, tile);
    const skein_gated_rows *unit = &job->units[number];
    const skein_weight *down = &unit->weight->down;
    size_t begin = (tile - job->tile_starts[number]) * job->tile_rows;
    size_t end = skein_min(begin + job->tile_rows, unit->weight->gate.rows), rows = end - begin;
    char *scratch = skein_pool_thread_scratch(job->pool, thread);
    float *gate = (float *)(scratch + job->kernel_scratch), *up = gate + rows * unit->count;
    skein_product product = {
        .weight = &unit->weight->gate, .row_begin = begin, .row_end = end, .input = job->input,
        .input_stride = job->input_stride, .input_rows = unit->input_rows, .output = gate,
        .output_stride = rows, .count = unit->count, .scratch = scratch};
    run_product(job, &product);
    product.weight = &unit->weight->up;
    product.output = up;
    run_product(job, &product);
    job->kernels->silu_product(gate, up, rows * unit->count);
    for (size_t i = 0; i < unit->count; i++) {
        size_t row = (job->row_starts[number] + i) * job->inner_width;
        if (job->in_f32) {
            memcpy((float *)job->inner + row + begin, gate + i * rows, rows * sizeof(float));
        } else if (down->format == SKEIN_I8) {
            quantize_columns(job->kernels, (int8_t *)job->inner + row, gate + i * rows, begin, rows,
                             down->columns);
        } else {
            pack_columns(job->kernels, (uint16_t *)job->inner + row, gate + i * rows, begin, rows,
                         down->columns, down->block_columns);
        }
    }
}

static void down_tile(void *arguments, size_t tile, size_t thread) {
    const gated_job *job = arguments;
    size_t number = unit_of(job, tile);
    const skein_gated_rows *unit = &job->units[number];
    const skein_weight *down = &unit->weight->down;
    size_t begin = (tile - job->tile_starts[number]) * job->tile_rows;
    size_t row = job->row_starts[number] * job->inner_width;
    skein_product product = {
        .weight = down, .row_begin = begin,
        .row_end = skein_min(begin + job->tile_rows, down->rows),
        .input = (uint8_t *)job->inner + row * job->inner_element,
        .input_stride = job->inner_width, .output = job->output + begin,
        .output_stride = job->output_stride, .output_rows = unit->output_rows,
        .count = unit->count, .scratch = skein_pool_thread_scratch(job->pool, thread)};
    run_product(job, &product);
}

static size_t start_tiles(const gated_job *job, size_t *starts, bool is_down) {
    size_t total = 0;
    for (size_t u = 0; u < job->unit_count; u++) {
        const skein_gated_weight *weight = job->units[u].weight;
        starts[u] = total;
        if (job->units[u].count == 0) continue;
        total += tiles_of(is_down ? weight->down.rows : weight->gate.rows, job->tile_rows);
    }
    starts[job->unit_count] = total;
    return total;
}

void skein_apply_gated(skein_pool *pool, const skein_gated_rows *units, size_t unit_count,
                       const float *input, size_t input_stride, size_t input_count, float *output,
                       size_t output_stride, bool in_f32) {
    if (unit_count == 0 || input_count == 0) return;
    skein_pool_lock(pool);
    skein_floating_state state = skein_flush_subnormals();
    const skein_gated_weight *shape = units[0].weight;
    gated_job job = {.pool = pool, .kernels = skein_kernels_of(skein_pool_isa(pool)),
                     .units = units, .unit_count = unit_count, .input = input,
                     .input_stride = input_stride, .output = output,
                     .output_stride = output_stride, .in_f32 = in_f32};
    size_t *starts = skein_pool_shared_scratch(pool, SLOT_PREFIX,
                                               (2 * unit_count + 1) * sizeof(size_t));
    size_t *rows = starts + unit_count + 1, total = 0, most = 0;
    for (size_t u = 0; u < unit_count; u++) {
        rows[u] = total;
        total += units[u].count;
        if (units[u].count > most) most = units[u].count;
    }
    job.tile_starts = starts;
    job.row_starts = rows;
    size_t element = in_f32 ? sizeof(float) : packed_element(&shape->down);
    job.inner_width = in_f32 ? shape->down.columns : packed_stride(&shape->down);
    job.inner_element = element;
    job.inner = skein_pool_shared_scratch(pool, SLOT_INNER, total * job.inner_width * element);
    if (!in_f32) {
        job.input = pack(pool, &shape->gate, input, input_stride, input_count);
        job.input_stride = packed_stride(&shape->gate);
    }
    job.tile_rows = tile_rows(pool, &shape->gate, most, element);
    if (shape->down.format == SKEIN_I8) {
        // Whole groups of the down projection's input, so that no two tiles share a scale.
        size_t groups = skein_groups(job.tile_rows);
        job.tile_rows = groups * SKEIN_GROUP_COLUMNS;
    }
    job.kernel_scratch = (product_scratch(&shape->gate, job.tile_rows) + 63) / 64 * 64;
    skein_pool_reserve(pool, job.kernel_scratch + 2 * job.tile_rows * most * sizeof(float));
    skein_pool_run(pool, start_tiles(&job, starts, false), gate_up_tile, &job);
    job.tile_rows = tile_rows(pool, &shape->down, most, element);
    skein_pool_reserve(pool, product_scratch(&shape->down, job.tile_rows));
    skein_pool_run(pool, start_tiles(&job, starts, true), down_tile, &job);
    skein_restore(state);
    skein_pool_unlock(pool);
}
