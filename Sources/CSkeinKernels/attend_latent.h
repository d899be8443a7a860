// Attention over latent rows with vectors of sixteen; compiled for AVX2 and AVX-512 after
// rows_f32.h. The meaning is that of attend_latent_scalar.c, operation by operation.
//
// A page is widened to F32 once for the parts of a task; scores and sums then run over it in
// register tiles, of sizes that the including file gives: SCORE_HEADS by SCORE_ROWS sums, of whose
// sixteen lanes SCORE_LANES at a time, and SUM_HEADS by SUM_VECTORS. It comes after widen_rows.h.

/// Some lanes of a score.
typedef float score_lanes __attribute__((vector_size(4 * SCORE_LANES), aligned(4)));

SKEIN_INLINE void score_tile(const float *queries, const float *rows, size_t stride, float scale,
                             float *scores, size_t score_stride, const int heads, const int count) {
    v16 sums[SCORE_HEADS][SCORE_ROWS];
#pragma clang loop unroll(disable)
    for (size_t first = 0; first < 16; first += SCORE_LANES) {
        score_lanes lanes[SCORE_HEADS][SCORE_ROWS];
        for (int h = 0; h < heads; h++) {
            for (int j = 0; j < count; j++) lanes[h][j] = (score_lanes){0};
        }
        for (size_t k = first; k < stride; k += 16) {
            score_lanes row[SCORE_ROWS];
            for (int j = 0; j < count; j++) {
                row[j] = *(const score_lanes *)(rows + (size_t)j * stride + k);
            }
            for (int h = 0; h < heads; h++) {
                score_lanes query = *(const score_lanes *)(queries + (size_t)h * stride + k);
                for (int j = 0; j < count; j++) {
                    lanes[h][j] = __builtin_elementwise_fma(query, row[j], lanes[h][j]);
                }
            }
        }
        for (int h = 0; h < heads; h++) {
            for (int j = 0; j < count; j++) {
                *(score_lanes *)((float *)&sums[h][j] + first) = lanes[h][j];
            }
        }
    }
    for (int h = 0; h < heads; h++) {
        for (int j = 0; j < count; j++) {
            scores[(size_t)h * score_stride + (size_t)j] = reduce16(&sums[h][j]) * scale;
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

/// One part of a task, as far as its pages have been read.
typedef struct {
    float *queries, *output;  // [head, stride], [head, padded]
    float largest[SKEIN_PART_HEADS], sums[SKEIN_PART_HEADS];
} part_state;

/// What parts and pages have in common.
typedef struct {
    const skein_latent_rows *rows;
    size_t stride, padded;  // a row and a latent in whole vectors
    float scale;
    float *page, *scores;
} page_space;

SKEIN_INLINE void begin_part(const skein_attend_part *part, const page_space *space,
                             part_state *state) {
    size_t width = space->rows->width, stride = space->stride, padded = space->padded;
    for (size_t h = 0; h < part->head_count; h++) {
        memcpy(state->queries + h * stride, part->queries + h * width, width * sizeof(float));
        memset(state->queries + h * stride + width, 0, (stride - width) * sizeof(float));
        memset(state->output + h * padded, 0, padded * sizeof(float));
        state->largest[h] = -__builtin_inff();
        state->sums[h] = 0;
    }
}

/// Adds the first `count` rows of the widened page.
SKEIN_INLINE void add_page(const skein_attend_part *part, const page_space *space, size_t count,
                           part_state *state) {
    size_t stride = space->stride, score_stride = space->rows->page_rows;
    size_t heads = part->head_count;
    float corrections[SKEIN_PART_HEADS];
    score_page(state->queries, space->page, stride, space->scale, space->scores, score_stride,
               heads, count);
    for (size_t h = 0; h < heads; h++) {
        corrections[h] = soften(space->scores + h * score_stride, count, &state->largest[h],
                                &state->sums[h]);
    }
    sum_page(state->output, space->padded, corrections, space->scores, score_stride, space->page,
             stride, count, heads, space->rows->latent_width);
}

SKEIN_INLINE void end_part(const skein_attend_part *part, const page_space *space,
                           const part_state *state) {
    size_t latent = space->rows->latent_width;
    for (size_t h = 0; h < part->head_count; h++) {
        const float *output = state->output + h * space->padded;
        for (size_t c = 0; c < latent; c++) {
            part->output[h * latent + c] = output[c] / state->sums[h];
        }
    }
}

/// The rows of a page, or of as many selected positions.
SKEIN_INLINE void widen_block(const skein_attend_task *task, size_t begin, size_t count, float *out,
                              size_t stride) {
    const skein_latent_rows *rows = task->rows;
    if (task->selected == NULL) {
        widen_rows(rows, skein_latent_row(rows, task->pages, begin), count, out, stride);
        return;
    }
    for (size_t j = 0; j < count; j++) {
        const uint8_t *row =
            skein_latent_row(rows, task->pages, (size_t)task->selected[begin + j]);
        widen_rows(rows, row, 1, out + j * stride, stride);
    }
}

SKEIN_TARGET void SKEIN_NAME(skein_attend_latent)(const skein_attend_task *task) {
    const skein_latent_rows *rows = task->rows;
    page_space space = {.rows = rows, .stride = skein_lanes(rows->width),
                        .padded = skein_lanes(rows->latent_width), .scale = task->scale,
                        .page = task->scratch};
    space.scores = space.page + rows->page_rows * space.stride;
    float *free = space.scores + SKEIN_PART_HEADS * rows->page_rows;
    part_state states[SKEIN_TASK_PARTS];
    size_t last = 0;
    for (size_t p = 0; p < task->part_count; p++) {
        states[p].queries = free;
        states[p].output = free + SKEIN_PART_HEADS * space.stride;
        free += SKEIN_PART_HEADS * (space.stride + space.padded);
        begin_part(&task->parts[p], &space, &states[p]);
        if (task->parts[p].position > last) last = task->parts[p].position;
    }
    for (size_t begin = 0; begin <= last; begin += rows->page_rows) {
        size_t count = skein_min(rows->page_rows, last + 1 - begin);
        widen_block(task, begin, count, space.page, space.stride);
        for (size_t p = 0; p < task->part_count; p++) {
            size_t position = task->parts[p].position;
            if (position < begin) continue;
            size_t seen = skein_min(rows->page_rows, position + 1 - begin);
            add_page(&task->parts[p], &space, seen, &states[p]);
        }
    }
    for (size_t p = 0; p < task->part_count; p++) end_part(&task->parts[p], &space, &states[p]);
}
