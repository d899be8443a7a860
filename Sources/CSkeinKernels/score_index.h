// The lightning indexer's scores, sixteen positions at a time; compiled for each vector ISA after
// attend.h. The meaning is that of score_index_scalar.c, operation by operation.
//
// A page of keys is widened to F32 and turned round once for the queries of a task, so that a
// vector has the same number of sixteen keys; products then run over it as over a weight.

#define INDEX_CASE(rows) case rows: tile_groups(x, 1, keys, key_stride, width, sums, rows); break;

/// The scores of sixteen keys: heads follow each other.
SKEIN_INLINE v16 score_keys(const float *queries, const float *weights, size_t head_count,
                            size_t width, const float *keys, size_t key_stride) {
    v16 total = splat(0.0f);
    for (size_t first = 0; first < head_count; first += TILE_ROWS) {
        size_t some = skein_min(TILE_ROWS, head_count - first);
        const float *x[TILE_ROWS];
        v16 sums[TILE_ROWS];
        for (size_t m = 0; m < some; m++) {
            x[m] = queries + (first + m) * width;
            sums[m] = splat(0.0f);
        }
        switch (some) { TILE_CASES(INDEX_CASE) }
        for (size_t m = 0; m < some; m++) {
            v16 above = sums[m] > splat(0.0f) ? sums[m] : splat(0.0f);
            total = __builtin_elementwise_fma(splat(weights[first + m]), above, total);
        }
    }
    return total;
}

#ifdef SKEIN_HAS_TILES
#include "score_index_tiles.h"
#else
typedef struct {
    char nothing;
} index_tiles;

SKEIN_INLINE float *place_index_tiles(const skein_index_task *task, index_tiles *at) {
    (void)at;
    return task->scratch;
}

SKEIN_INLINE void narrow_queries(const skein_index_task *task, const float *queries,
                                 const index_tiles *at) {
    (void)task, (void)queries, (void)at;
}

SKEIN_INLINE bool SKEIN_NAME(score_key_tiles)(const skein_index_task *task, const index_tiles *at,
                                              size_t begin, size_t count) {
    (void)task, (void)at, (void)begin, (void)count;
    return false;
}
#endif

SKEIN_TARGET static void SKEIN_NAME(score_index)(const skein_index_task *task) {
    const skein_latent_rows *rows = task->keys;
    size_t width = rows->width, stride = skein_lanes(width), heads = task->head_count;
    size_t key_stride = skein_lanes(rows->page_rows);
    index_tiles tiles;
    float *page = place_index_tiles(task, &tiles), *keys = page + key_stride * stride;
    float *queries = keys + key_stride * stride;
    for (size_t q = 0; q < task->query_count; q++) {
        const float *from = task->queries[q].queries;
        for (size_t k = 0; k < heads * width; k += 16) {
            size_t some = skein_min(16, heads * width - k);
            v16 rounded = rounded_bf16(load_some(from + k, some, 0.0f));
            memcpy(queries + q * heads * width + k, &rounded, some * sizeof(float));
        }
    }
    narrow_queries(task, queries, &tiles);
    for (size_t begin = task->begin; begin < task->end; begin += rows->page_rows) {
        size_t count = skein_min(rows->page_rows, task->end - begin);
        if (SKEIN_NAME(score_key_tiles)(task, &tiles, begin, count)) continue;
        // Rows beyond have numbers of no meaning, which come to no score that is kept.
        const uint8_t *from = skein_latent_row(rows, task->pages, begin);
        for (size_t j = 0; j < count; j++) {
            widen_row(rows, from + j * rows->row_bytes, page + j * stride, stride);
        }
        for (size_t j = 0; j < count; j += 8) {
            for (size_t k = 0; k < stride; k += 8) {
                turn8(page + j * stride + k, 4 * stride, keys + k * key_stride + j,
                      4 * key_stride);
            }
        }
        for (size_t q = 0; q < task->query_count; q++) {
            const skein_index_query *query = &task->queries[q];
            if (query->position < begin) continue;
            size_t seen = skein_min(count, query->position + 1 - begin);
            for (size_t j = 0; j < seen; j += 16) {
                v16 scores = score_keys(queries + q * heads * width, query->weights, heads, width,
                                        keys + j, key_stride);
                memcpy(query->scores + begin + j, &scores,
                       skein_min(16, seen - j) * sizeof(float));
            }
        }
    }
}
