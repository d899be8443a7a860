// Attention over latent rows, sixteen heads at a time; compiled for each vector ISA after
// product.h. The meaning is that of attend_scalar.c, operation by operation.
//
// Heads lie along lanes in scores, in the softmax and in the queries; the numbers of a latent do in
// the sums. A page is widened to F32 once for the parts of a task, and products run over it as they
// do over a weight.

/// Columns of a query that stay in the first cache while the rows of a page pass.
enum { QUERY_CHUNK = 128 };

SKEIN_INLINE v16 rounded_bf16(v16 x) {
    u32v bits = (u32v)x, rounded = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000;
    u32v quiet = (bits & 0xFFFF0000) | 0x400000;
    return (v16)((bits & 0x7FFFFFFF) > 0x7F800000 ? quiet : rounded);
}

/// A row as it is kept, in F32, padded with zeros to `stride` numbers.
SKEIN_INLINE void widen_row(const skein_latent_rows *rows, const uint8_t *row, float *out,
                            size_t stride) {
    size_t width = rows->width, coded = rows->coded_width;
    for (size_t k = 0; k < coded; k += SKEIN_TILE_COLUMNS) {
        decode_codes(row + k, skein_min(SKEIN_TILE_COLUMNS, coded - k),
                     skein_latent_scale(row, coded, k), out + k);
    }
    widen_bf16(row + skein_latent_plain(coded), width - coded, out + coded);
    for (size_t k = width; k < stride; k++) out[k] = 0;
}

/// Sixteen heads of one row over some positions: the largest scores, the sums of the weights, and
/// the sums of the weighted latents, [16, padded latent].
typedef struct {
    v16 largest, sum;
    float output[];
} span_state;

/// What a part of a task has of its own.
typedef struct {
    float *queries;   // [stride, 16]
    uint32_t *pairs;  // of these in BF16 for tiles, [stride / 2, 16]
    span_state *span, *total;
} part_state;

/// What the parts of a task have in common.
typedef struct {
    const skein_latent_rows *rows;
    size_t stride, padded;  // a row and a latent in whole groups and vectors
    float scale;
    float *page;    // [row, stride]
    float *scores;  // [row, 16], then weights
    // For tiles: the page in BF16, [row, tile_stride bytes], its latents with two positions in a
    // word, [32 positions, 16 columns, 16, 16], and weights in BF16, [32 positions, head, 32].
    uint8_t *tile_rows;
    size_t tile_stride;
    uint32_t *tile_latents, *tile_weights;
} page_space;

/// Turns the queries of a part round and rounds them to BF16.
SKEIN_INLINE void turn_queries(const skein_attend_part *part, const page_space *space,
                               float *turned) {
    size_t width = space->rows->width;
    for (size_t k = 0; k < space->stride; k++) {
        v16 line = splat(0.0f);
        if (k < width) {
            for (size_t h = 0; h < part->head_count; h++) line[h] = part->queries[h * width + k];
        }
        *(v16 *)(turned + k * 16) = rounded_bf16(line);
    }
}

SKEIN_INLINE void begin_span(const page_space *space, span_state *span) {
    memset(span->output, 0, 16 * space->padded * sizeof(float));
    span->largest = splat(-__builtin_inff());
    span->sum = splat(0.0f);
}

#define SCORE_CASE(rows) case rows: tile_groups(x, 1, queries, 16, columns, sums, rows); break;

/// scores[j, head] of the first `count` rows of the page, before the scale.
SKEIN_TARGET static void SKEIN_NAME(score_page)(const page_space *space, const float *turned,
                                                size_t count) {
    for (size_t k = 0; k < space->stride; k += QUERY_CHUNK) {
        size_t columns = skein_min(QUERY_CHUNK, space->stride - k);
        const float *queries = turned + k * 16;
        for (size_t first = 0; first < count; first += TILE_ROWS) {
            size_t some = skein_min(TILE_ROWS, count - first);
            float *scores = space->scores + first * 16;
            const float *x[TILE_ROWS];
            v16 sums[TILE_ROWS];
            for (size_t m = 0; m < some; m++) {
                x[m] = space->page + (first + m) * space->stride + k;
                sums[m] = k == 0 ? splat(0.0f) : *(const v16 *)(scores + m * 16);
            }
            switch (some) { TILE_CASES(SCORE_CASE) }
            for (size_t m = 0; m < some; m++) *(v16 *)(scores + m * 16) = sums[m];
        }
    }
}

/// Turns the scores of a page into weights, rounded to BF16; returns what earlier sums are
/// multiplied by.
SKEIN_INLINE v16 soften(const page_space *space, size_t count, span_state *state) {
    v16 before = state->largest, now = before, sum = splat(0.0f);
    for (size_t j = 0; j < count; j++) {
        v16 score = *(v16 *)(space->scores + j * 16) * splat(space->scale);
        *(v16 *)(space->scores + j * 16) = score;
        now = score > now ? score : now;
    }
    v16 correction = exp16(before - now);
    for (size_t j = 0; j < count; j++) {
        v16 weight = rounded_bf16(exp16(*(v16 *)(space->scores + j * 16) - now));
        *(v16 *)(space->scores + j * 16) = weight;
        sum += weight;
    }
    state->sum = __builtin_elementwise_fma(state->sum, correction, sum);
    state->largest = now;
    return correction;
}

#define SUM_CASE(rows) \
    case rows: tile_groups(x, 16, space->page + c, space->stride, count, sums, rows); break;

/// output[head, c] = output[head, c] * correction + the weighted rows.
SKEIN_TARGET static void SKEIN_NAME(sum_page)(const page_space *space, v16 correction, size_t heads,
                                              size_t count, float *output) {
    for (size_t c = 0; c < space->rows->latent_width; c += 16) {
        for (size_t first = 0; first < heads; first += TILE_ROWS) {
            size_t some = skein_min(TILE_ROWS, heads - first);
            float *target = output + first * space->padded + c;
            const float *x[TILE_ROWS];
            v16 sums[TILE_ROWS];
            for (size_t m = 0; m < some; m++) {
                x[m] = space->scores + first + m;
                sums[m] = *(v16 *)(target + m * space->padded) * splat(correction[first + m]);
            }
            switch (some) { TILE_CASES(SUM_CASE) }
            for (size_t m = 0; m < some; m++) *(v16 *)(target + m * space->padded) = sums[m];
        }
    }
}

/// A row of a page, or of as many selected positions.
SKEIN_INLINE const uint8_t *task_row(const skein_attend_task *task, size_t number) {
    size_t place = task->selected == NULL ? number : (size_t)task->selected[number];
    return skein_latent_row(task->rows, task->pages, place);
}

SKEIN_INLINE void widen_page(const skein_attend_task *task, const page_space *space, size_t begin,
                             size_t count) {
    for (size_t j = 0; j < count; j++) {
        widen_row(space->rows, task_row(task, begin + j), space->page + j * space->stride,
                  space->stride);
    }
}

#ifdef SKEIN_HAS_TILES
#include "attend_tiles.h"
#else
SKEIN_INLINE void pair_queries(const page_space *space, const float *turned, uint32_t *pairs) {
    (void)space, (void)turned, (void)pairs;
}

/// False: the page is to be widened.
SKEIN_INLINE bool make_tiles(const skein_attend_task *task, const page_space *space, size_t begin,
                             size_t count) {
    (void)task, (void)space, (void)begin, (void)count;
    return false;
}

SKEIN_INLINE void score_tiles(const page_space *space, const uint32_t *pairs, size_t count) {
    (void)space, (void)pairs, (void)count;
}

SKEIN_INLINE void sum_tiles(const page_space *space, v16 correction, size_t count, float *output) {
    (void)space, (void)correction, (void)count, (void)output;
}
#endif

/// Adds a span to those before it, or begins with it.
SKEIN_INLINE void merge_span(size_t padded, const span_state *span, bool is_first,
                             span_state *total) {
    if (is_first) {
        memcpy(total, span, sizeof *span + 16 * padded * sizeof(float));
        return;
    }
    v16 now = span->largest > total->largest ? span->largest : total->largest;
    v16 old = exp16(total->largest - now), added = exp16(span->largest - now);
    for (size_t h = 0; h < 16; h++) {
        float *output = total->output + h * padded;
        const float *more = span->output + h * padded;
        for (size_t c = 0; c < padded; c += 16) {
            v16 before = *(v16 *)(output + c) * splat(old[h]);
            *(v16 *)(output + c) =
                __builtin_elementwise_fma(*(const v16 *)(more + c), splat(added[h]), before);
        }
    }
    total->sum = __builtin_elementwise_fma(span->sum, added, total->sum * old);
    total->largest = now;
}

SKEIN_INLINE void end_part(const skein_attend_part *part, size_t latent, size_t padded,
                           const span_state *total) {
    for (size_t h = 0; h < part->head_count; h++) {
        for (size_t c = 0; c < latent; c++) {
            part->output[h * latent + c] = total->output[h * padded + c] / total->sum[h];
        }
    }
}

SKEIN_INLINE void attend_span(const skein_attend_task *task, const page_space *space,
                              const part_state *states, size_t span) {
    size_t page_rows = space->rows->page_rows, last = 0;
    size_t begin = span * SKEIN_SPAN_PAGES * page_rows;
    for (size_t p = 0; p < task->part_count; p++) {
        size_t position = task->parts[p].position;
        last = position > last ? position : last;
        begin_span(space, states[p].span);
    }
    size_t end = skein_min(last + 1, begin + SKEIN_SPAN_PAGES * page_rows);
    for (; begin < end; begin += page_rows) {
        size_t count = skein_min(page_rows, end - begin);
        bool is_tiled = make_tiles(task, space, begin, count);
        if (!is_tiled) widen_page(task, space, begin, count);
        for (size_t p = 0; p < task->part_count; p++) {
            const skein_attend_part *part = &task->parts[p];
            if (part->position < begin) continue;
            size_t seen = skein_min(count, part->position + 1 - begin);
            float *output = states[p].span->output;
            if (is_tiled) score_tiles(space, states[p].pairs, seen);
            else SKEIN_NAME(score_page)(space, states[p].queries, seen);
            v16 correction = soften(space, seen, states[p].span);
            if (is_tiled) sum_tiles(space, correction, seen, output);
            else SKEIN_NAME(sum_page)(space, correction, part->head_count, seen, output);
        }
    }
}

/// Divides the scratch of a task; returns what is left for its parts.
SKEIN_INLINE float *divide_scratch(const skein_attend_task *task, page_space *space) {
    const skein_latent_rows *rows = task->rows;
    size_t page_rows = skein_padded(rows->page_rows);
    *space = (page_space){.rows = rows, .stride = skein_padded(rows->width),
                          .padded = skein_lanes(rows->latent_width), .scale = task->scale,
                          .page = task->scratch};
    space->scores = space->page + page_rows * space->stride;
    space->tile_rows = (uint8_t *)(space->scores + page_rows * SKEIN_PART_HEADS);
    space->tile_stride = skein_latent_tile_bytes(rows);
    space->tile_latents = (uint32_t *)(uintptr_t)(space->tile_rows +
                                                  page_rows * space->tile_stride);
    space->tile_weights = space->tile_latents + page_rows / 2 * space->padded;
    return (float *)space->tile_weights + page_rows / 2 * SKEIN_PART_HEADS;
}

SKEIN_TARGET static void SKEIN_NAME(attend_latent)(const skein_attend_task *task) {
    const skein_latent_rows *rows = task->rows;
    page_space space;
    float *free = divide_scratch(task, &space);
    part_state states[SKEIN_TASK_PARTS];
    size_t span_floats = skein_span_floats(rows);
    for (size_t p = 0; p < task->part_count; p++) {
        states[p].queries = free;
        states[p].pairs = (uint32_t *)(free + 16 * space.stride);
        states[p].span = (span_state *)(uintptr_t)(free + 24 * space.stride);
        states[p].total = (span_state *)(uintptr_t)((float *)states[p].span + span_floats);
        free += 24 * space.stride + 2 * span_floats;
        turn_queries(&task->parts[p], &space, states[p].queries);
        pair_queries(&space, states[p].queries, states[p].pairs);
    }
    for (size_t span = task->span_begin; span < task->span_end; span++) {
        attend_span(task, &space, states, span);
        for (size_t p = 0; p < task->part_count; p++) {
            size_t position = task->parts[p].position;
            if (position < span * SKEIN_SPAN_PAGES * rows->page_rows) continue;
            if (task->parts[p].spans != NULL) {
                memcpy(task->parts[p].spans + span * span_floats, states[p].span,
                       span_floats * sizeof(float));
            } else {
                merge_span(space.padded, states[p].span, span == 0, states[p].total);
            }
        }
    }
    for (size_t p = 0; p < task->part_count; p++) {
        if (task->parts[p].spans != NULL) continue;
        end_part(&task->parts[p], rows->latent_width, space.padded, states[p].total);
    }
}

SKEIN_TARGET static void SKEIN_NAME(merge_spans)(const skein_latent_rows *rows,
                                                 const skein_attend_part *part) {
    size_t padded = skein_lanes(rows->latent_width), floats = skein_span_floats(rows);
    size_t count = part->position / (SKEIN_SPAN_PAGES * rows->page_rows) + 1;
    span_state *total = (span_state *)(uintptr_t)part->spans;
    for (size_t span = 1; span < count; span++) {
        merge_span(padded, (span_state *)(uintptr_t)(part->spans + span * floats), false, total);
    }
    end_part(part, rows->latent_width, padded, total);
}
