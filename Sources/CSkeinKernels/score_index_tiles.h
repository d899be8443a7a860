// The lightning indexer's scores by tiles of sixteen heads and sixteen positions; compiled within
// score_index.h. Zeros behind the last number of a key may turn a sum of -0 into +0; neither is
// above zero, and so both count as one.

/// What lies in front of a task's other scratch.
typedef struct {
    page_space keys;    // for narrow_row
    size_t row_bytes;   // of a query or a key in BF16
    uint8_t *rows;      // sixteen keys
    uint8_t *queries;   // [query, head]
    uint32_t *pairs;    // (k, k + 1) of sixteen keys, [half of 32 keys, width / 2, 16]
    float *sums;        // of four tiles
} index_tiles;

/// Divides the scratch; returns what is left.
SKEIN_INLINE float *place_index_tiles(const skein_index_task *task, index_tiles *at) {
    size_t stride = skein_padded(task->keys->width);
    at->keys = (page_space){.rows = task->keys, .stride = stride, .page = task->scratch};
    at->row_bytes = 2 * stride;
    at->sums = task->scratch + stride;
    at->pairs = (uint32_t *)(at->sums + 4 * TILE_NUMBERS);
    at->rows = (uint8_t *)(at->pairs + 2 * TILE_SIDE * stride / 2);
    at->queries = at->rows + TILE_SIDE * at->row_bytes;
    size_t heads = SKEIN_TASK_PARTS * skein_lanes(task->head_count);
    return (float *)(uintptr_t)(at->queries + heads * at->row_bytes);
}

/// Queries that are BF16 numbers in F32, [query, head, width], as rows of tiles.
SKEIN_INLINE void narrow_queries(const skein_index_task *task, const float *queries,
                                 const index_tiles *at) {
    size_t heads = task->head_count, width = task->keys->width;
    for (size_t q = 0; q < task->query_count; q++) {
        for (size_t h = 0; h < heads; h++, queries += width) {
            uint8_t *out = at->queries + (q * skein_lanes(heads) + h) * at->row_bytes;
            for (size_t k = 0; k < at->keys.stride; k += 16) {
                size_t some = k >= width ? 0 : skein_min(16, width - k);
                u32v bits = (u32v)load_some(queries + k, some, 0.0f) >> 16;
                u16v halves = __builtin_convertvector(bits, u16v);
                memcpy(out + 2 * k, &halves, sizeof halves);
            }
        }
    }
}

/// At most 32 keys as pairs; false where a number is not a finite BF16 one.
SKEIN_INLINE bool pair_keys(const index_tiles *at, const uint8_t *from, size_t count) {
    size_t words = at->keys.stride / 2, row_bytes = at->keys.rows->row_bytes;
    for (size_t first = 0; first < count; first += TILE_SIDE) {
        uint32_t *out = at->pairs + first * words;
        for (size_t j = 0; j < skein_min(TILE_SIDE, count - first); j++) {
            if (!narrow_row(&at->keys, from + (first + j) * row_bytes,
                            at->rows + j * at->row_bytes)) return false;
        }
        for (size_t j = 0; j < TILE_SIDE; j += 8) {
            for (size_t k = 0; k < words; k += 8) {
                turn8(at->rows + (j * words + k) * 4, 4 * words, (float *)out + k * 16 + j, 64);
            }
        }
    }
    return true;
}

/// Adds at most 32 heads to the scores of sixteen or 32 keys; heads follow each other.
SKEIN_INLINE void add_heads(const index_tiles *at, const uint8_t *queries, const float *weights,
                            size_t count, v16 *totals, const int halves, const int panels) {
    const uint8_t *lines[2] = {(const uint8_t *)at->pairs,
                               (const uint8_t *)(at->pairs + TILE_SIDE * at->keys.stride / 2)};
    begin_tiles(NULL, SKEIN_F8E4M3, halves, panels);
    add_steps(queries, at->row_bytes, lines, at->row_bytes / STEP_BYTES, false, SKEIN_BF16, halves,
              panels);
    end_tiles(at->sums, halves, panels);
    for (int p = 0; p < panels; p++) {
        for (size_t m = 0; m < count; m++) {
            v16 sum = *(const v16 *)(at->sums + (size_t)p * 2 * TILE_NUMBERS + m * TILE_SIDE);
            v16 above = sum > splat(0.0f) ? sum : splat(0.0f);
            totals[p] = __builtin_elementwise_fma(splat(weights[m]), above, totals[p]);
        }
    }
}

/// The scores of at most 32 keys that are pairs.
SKEIN_INLINE void score_pairs(const index_tiles *at, const uint8_t *queries, const float *weights,
                              size_t head_count, size_t count, float *scores) {
    v16 totals[2] = {splat(0.0f), splat(0.0f)};
    int panels = count > TILE_SIDE ? 2 : 1;
    for (size_t h = 0; h < head_count; h += STRIP_ROWS) {
        size_t some = skein_min(STRIP_ROWS, head_count - h);
        const uint8_t *rows = queries + h * at->row_bytes;
        switch ((some > TILE_SIDE ? 2 : 0) + panels) {
            case 1: add_heads(at, rows, weights + h, some, totals, 1, 1); break;
            case 2: add_heads(at, rows, weights + h, some, totals, 1, 2); break;
            case 3: add_heads(at, rows, weights + h, some, totals, 2, 1); break;
            default: add_heads(at, rows, weights + h, some, totals, 2, 2);
        }
    }
    memcpy(scores, totals, count * sizeof(float));
}

/// A page of keys; false where tiles cannot do it, whatever is written then.
SKEIN_TARGET static bool SKEIN_NAME(score_key_tiles)(const skein_index_task *task,
                                                     const index_tiles *at, size_t begin,
                                                     size_t count) {
    const skein_latent_rows *keys = task->keys;
    const uint8_t *from = skein_latent_row(keys, task->pages, begin);
    size_t query_bytes = skein_lanes(task->head_count) * at->row_bytes;
    for (size_t first = 0; first < count; first += 2 * TILE_SIDE) {
        size_t some = skein_min(2 * TILE_SIDE, count - first);
        if (!pair_keys(at, from + first * keys->row_bytes, some)) return false;
        for (size_t q = 0; q < task->query_count; q++) {
            const skein_index_query *query = &task->queries[q];
            if (query->position < begin + first) continue;
            size_t seen = skein_min(some, query->position + 1 - begin - first);
            score_pairs(at, at->queries + q * query_bytes, query->weights, task->head_count, seen,
                        query->scores + begin + first);
        }
    }
    return true;
}
