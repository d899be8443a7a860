// The lightning indexer's scores with vectors of sixteen keys; compiled for AVX2 and AVX-512 after
// widen_rows.h. The meaning is that of score_index_scalar.c, operation by operation.
//
// A page of keys is widened to F32 and turned round once for the queries of a task, so that a
// vector has the same number of sixteen keys. Products then run over it in register tiles, of sizes
// that the including file gives: INDEX_HEADS by INDEX_VECTORS.

/// Turns eight rows of eight numbers round.
SKEIN_INLINE void turn8(const float *from, size_t from_stride, float *to, size_t to_stride) {
    v8 a[8], b[8];
    for (size_t i = 0; i < 8; i++) memcpy(&a[i], from + i * from_stride, sizeof a[i]);
    for (int i = 0; i < 8; i += 2) {
        b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int i = 0; i < 8; i += 4) {
        for (int j = i; j < i + 2; j++) {
            a[j] = __builtin_shufflevector(b[j], b[j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            a[j + 2] = __builtin_shufflevector(b[j], b[j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        b[i] = __builtin_shufflevector(a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        b[i + 4] = __builtin_shufflevector(a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    for (size_t i = 0; i < 8; i++) memcpy(to + i * to_stride, &b[i], sizeof b[i]);
}

/// totals[j] += weights[h] * max(0, queries[h] . keys[j]), some heads and vectors of keys.
SKEIN_INLINE void score_heads(const float *queries, const float *weights, size_t width,
                              const float *keys, size_t key_stride, float *totals, const int heads,
                              const int vectors) {
    v16 sums[INDEX_HEADS][INDEX_VECTORS];
    for (int h = 0; h < heads; h++) {
        for (int v = 0; v < vectors; v++) sums[h][v] = splat(0.0f);
    }
    for (size_t k = 0; k < width; k++) {
        v16 key[INDEX_VECTORS];
        for (int v = 0; v < vectors; v++) {
            key[v] = *(const v16 *)(keys + k * key_stride + 16 * (size_t)v);
        }
        for (int h = 0; h < heads; h++) {
            v16 query = splat(queries[(size_t)h * width + k]);
            for (int v = 0; v < vectors; v++) {
                sums[h][v] = __builtin_elementwise_fma(query, key[v], sums[h][v]);
            }
        }
    }
    for (int v = 0; v < vectors; v++) {
        v16 total = *(const v16 *)(totals + 16 * v);
        for (int h = 0; h < heads; h++) {
            v16 above = sums[h][v] > splat(0.0f) ? sums[h][v] : splat(0.0f);
            total = __builtin_elementwise_fma(splat(weights[h]), above, total);
        }
        *(v16 *)(totals + 16 * v) = total;
    }
}

/// Some vectors of keys for all heads of a query: they stay in the first cache meanwhile.
SKEIN_INLINE void score_keys(const skein_index_query *query, size_t head_count, size_t width,
                             const float *keys, size_t key_stride, float *totals,
                             const int vectors) {
    size_t h = 0;
    for (; h + INDEX_HEADS <= head_count; h += INDEX_HEADS) {
        score_heads(query->queries + h * width, query->weights + h, width, keys, key_stride, totals,
                    INDEX_HEADS, vectors);
    }
    for (; h < head_count; h++) {
        score_heads(query->queries + h * width, query->weights + h, width, keys, key_stride, totals,
                    1, vectors);
    }
}

SKEIN_TARGET void SKEIN_NAME(skein_score_index)(const skein_index_task *task) {
    const skein_latent_rows *rows = task->keys;
    size_t width = rows->width, stride = skein_lanes(width);
    size_t key_stride = skein_lanes(rows->page_rows);
    float *page = task->scratch, *keys = page + key_stride * stride;
    float *totals = keys + key_stride * stride;
    for (size_t begin = task->begin; begin < task->end; begin += rows->page_rows) {
        size_t count = skein_min(rows->page_rows, task->end - begin);
        // Rows beyond have numbers of no meaning, which come to no score that is kept.
        widen_rows(rows, skein_latent_row(rows, task->pages, begin), count, page, stride);
        for (size_t j = 0; j < count; j += 8) {
            for (size_t k = 0; k < stride; k += 8) {
                turn8(page + j * stride + k, stride, keys + k * key_stride + j, key_stride);
            }
        }
        for (size_t q = 0; q < task->query_count; q++) {
            const skein_index_query *query = &task->queries[q];
            if (query->position < begin) continue;
            size_t seen = skein_min(count, query->position + 1 - begin);
            memset(totals, 0, key_stride * sizeof(float));
            size_t j = 0;
            for (; j + 16 * (INDEX_VECTORS - 1) < seen; j += 16 * INDEX_VECTORS) {
                score_keys(query, task->head_count, width, keys + j, key_stride, totals + j,
                           INDEX_VECTORS);
            }
            for (; j < seen; j += 16) {
                score_keys(query, task->head_count, width, keys + j, key_stride, totals + j, 1);
            }
            memcpy(query->scores + begin, totals, seen * sizeof(float));
        }
    }
}
