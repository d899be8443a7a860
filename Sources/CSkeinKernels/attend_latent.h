// Attention over latent rows with vectors of sixteen; compiled for AVX2 and AVX-512 after
// rows_f32.h. The meaning is that of attend_latent_scalar.c, operation by operation.
//
// A page is widened to F32 once for the heads of a task; scores and sums then run over it in
// register tiles, of sizes that the including file gives: SCORE_HEADS by SCORE_ROWS sums of sixteen
// lanes each, and SUM_HEADS by SUM_VECTORS. That file also brings widen_codes, for FP8.

enum { HEADS_MAX = 8 };

SKEIN_INLINE void widen_rows(const skein_latent_rows *rows, const uint8_t *row, size_t count,
                             float *out, size_t stride) {
    size_t width = rows->width, coded = rows->coded_width;
    for (size_t j = 0; j < count; j++) {
        for (size_t k = 0; k < coded; k += SKEIN_TILE_COLUMNS) {
            widen_codes(row + k, skein_min(SKEIN_TILE_COLUMNS, coded - k),
                        skein_latent_scale(row, coded, k), out + k);
        }
        widen_bf16(row + skein_latent_plain(coded), width - coded, out + coded);
        for (size_t k = width; k < stride; k++) out[k] = 0;
        row += rows->row_bytes;
        out += stride;
    }
}

SKEIN_INLINE void score_tile(const float *queries, const float *rows, size_t stride, float scale,
                             float *scores, size_t score_stride, const int heads, const int count) {
    v16 lanes[SCORE_HEADS][SCORE_ROWS];
    for (int h = 0; h < heads; h++) for (int j = 0; j < count; j++) lanes[h][j] = splat(0.0f);
    for (size_t k = 0; k < stride; k += 16) {
        v16 row[SCORE_ROWS];
        for (int j = 0; j < count; j++) row[j] = *(const v16 *)(rows + (size_t)j * stride + k);
        for (int h = 0; h < heads; h++) {
            v16 query = *(const v16 *)(queries + (size_t)h * stride + k);
            for (int j = 0; j < count; j++) {
                lanes[h][j] = __builtin_elementwise_fma(query, row[j], lanes[h][j]);
            }
        }
    }
    for (int h = 0; h < heads; h++) {
        for (int j = 0; j < count; j++) {
            scores[(size_t)h * score_stride + (size_t)j] = reduce16(&lanes[h][j]) * scale;
        }
    }
}

/// Scores of one page: scores[h, j] for all heads of the task, whose queries stay in the first
/// cache while the rows pass by.
SKEIN_INLINE void score_page(const float *queries, const float *rows, size_t stride, float scale,
                             float *scores, size_t score_stride, size_t heads, size_t count) {
    for (size_t j = 0; j < count;) {
        bool is_tall = j + SCORE_ROWS <= count;
        const float *row = rows + j * stride;
        for (size_t h = 0; h < heads;) {
            bool is_full = h + SCORE_HEADS <= heads;
            const float *query = queries + h * stride;
            float *target = scores + h * score_stride + j;
            if (is_full && is_tall) {
                score_tile(query, row, stride, scale, target, score_stride, SCORE_HEADS,
                           SCORE_ROWS);
            } else if (is_full) {
                score_tile(query, row, stride, scale, target, score_stride, SCORE_HEADS, 1);
            } else if (is_tall) {
                score_tile(query, row, stride, scale, target, score_stride, 1, SCORE_ROWS);
            } else {
                score_tile(query, row, stride, scale, target, score_stride, 1, 1);
            }
            h += is_full ? SCORE_HEADS : 1;
        }
        j += is_tall ? SCORE_ROWS : 1;
    }
}

/// output[h, c] = output[h, c] * corrections[h] + sum over j of weights[h, j] * rows[j, c].
SKEIN_INLINE void sum_tile(float *output, size_t output_stride, const float *corrections,
                           const float *weights, size_t weight_stride, const float *rows,
                           size_t stride, size_t count, const int heads, const int vectors) {
    v16 sums[SUM_HEADS][SUM_VECTORS];
    for (int h = 0; h < heads; h++) {
        for (int v = 0; v < vectors; v++) {
            v16 before = *(const v16 *)(output + (size_t)h * output_stride + 16 * (size_t)v);
            sums[h][v] = before * splat(corrections[h]);
        }
    }
    for (size_t j = 0; j < count; j++) {
        v16 row[SUM_VECTORS];
        for (int v = 0; v < vectors; v++) {
            row[v] = *(const v16 *)(rows + j * stride + 16 * (size_t)v);
        }
        for (int h = 0; h < heads; h++) {
            v16 weight = splat(weights[(size_t)h * weight_stride + j]);
            for (int v = 0; v < vectors; v++) {
                sums[h][v] = __builtin_elementwise_fma(weight, row[v], sums[h][v]);
            }
        }
    }
    for (int h = 0; h < heads; h++) {
        for (int v = 0; v < vectors; v++) {
            *(v16 *)(output + (size_t)h * output_stride + 16 * (size_t)v) = sums[h][v];
        }
    }
}

SKEIN_INLINE void sum_page(float *output, size_t output_stride, const float *corrections,
                           const float *weights, size_t weight_stride, const float *rows,
                           size_t stride, size_t count, size_t heads, size_t latent) {
    for (size_t c = 0; c < latent;) {
        bool is_wide = c + 16 * SUM_VECTORS <= latent;
        for (size_t h = 0; h < heads;) {
            bool is_full = h + SUM_HEADS <= heads;
            float *target = output + h * output_stride + c;
            const float *weight = weights + h * weight_stride, *correction = corrections + h;
            if (is_full && is_wide) {
                sum_tile(target, output_stride, correction, weight, weight_stride, rows + c, stride,
                         count, SUM_HEADS, SUM_VECTORS);
            } else if (is_wide) {
                sum_tile(target, output_stride, correction, weight, weight_stride, rows + c, stride,
                         count, 1, SUM_VECTORS);
            } else if (is_full) {
                sum_tile(target, output_stride, correction, weight, weight_stride, rows + c, stride,
                         count, SUM_HEADS, 1);
            } else {
                sum_tile(target, output_stride, correction, weight, weight_stride, rows + c, stride,
                         count, 1, 1);
            }
            h += is_full ? SUM_HEADS : 1;
        }
        c += is_wide ? 16 * SUM_VECTORS : 16;
    }
}

/// Turns one head's scores of a page into weights; returns what earlier sums are multiplied by.
SKEIN_INLINE float soften(float *scores, size_t count, float *largest, float *sum) {
    float before = *largest, now = before;
    for (size_t j = 0; j < count; j++) now = scores[j] > now ? scores[j] : now;
    v16 difference = splat(before - now);
    float correction = exp16(difference)[0];
    v16 lanes = splat(0.0f);
    for (size_t j = 0; j < count; j += 16) {
        size_t some = skein_min(16, count - j);
        v16 x = load_some(scores + j, some, -__builtin_inff());
        v16 weight = exp16(x - splat(now));
        memcpy(scores + j, &weight, some * sizeof(float));
        lanes += weight;
    }
    *sum = __builtin_fmaf(*sum, correction, reduce16(&lanes));
    *largest = now;
    return correction;
}

SKEIN_TARGET void SKEIN_NAME(skein_attend_latent)(const skein_attend_task *task) {
    const skein_latent_rows *rows = task->rows;
    size_t heads = task->head_count, width = rows->width, stride = (width + 15) / 16 * 16;
    size_t padded = (rows->latent_width + 15) / 16 * 16, score_stride = rows->page_rows;
    float *page = task->scratch, *queries = page + rows->page_rows * stride;
    float *scores = queries + HEADS_MAX * stride, *output = scores + HEADS_MAX * score_stride;
    float largest[HEADS_MAX], sums[HEADS_MAX], corrections[HEADS_MAX];
    for (size_t h = 0; h < heads; h++) {
        memcpy(queries + h * stride, task->queries + h * width, width * sizeof(float));
        memset(queries + h * stride + width, 0, (stride - width) * sizeof(float));
        memset(output + h * padded, 0, padded * sizeof(float));
        largest[h] = -__builtin_inff();
        sums[h] = 0;
    }
    for (size_t begin = 0; begin <= task->position; begin += rows->page_rows) {
        size_t number = (size_t)task->pages[begin / rows->page_rows];
        size_t count = skein_min(rows->page_rows, task->position + 1 - begin);
        widen_rows(rows, rows->bytes + number * rows->page_rows * rows->row_bytes, count, page,
                   stride);
        score_page(queries, page, stride, task->scale, scores, score_stride, heads, count);
        for (size_t h = 0; h < heads; h++) {
            corrections[h] = soften(scores + h * score_stride, count, &largest[h], &sums[h]);
        }
        sum_page(output, padded, corrections, scores, score_stride, page, stride, count, heads,
                 rows->latent_width);
    }
    for (size_t h = 0; h < heads; h++) {
        float *target = task->output + h * rows->latent_width;
        for (size_t c = 0; c < rows->latent_width; c++) {
            target[c] = output[h * padded + c] / sums[h];
        }
    }
}
