// The meaning of attention over latent rows: one query row, one head after the other, pages in
// order.
//
// Scores and sums are products in the one order: over the numbers of a row, and over the positions
// of a page, in groups of 32 with an even and an odd chain. Queries and weights are rounded to BF16
// first. Each page is one block of an online softmax, and so many pages are a span, which begins
// again; spans are merged in order. So a query's result depends on its own position only. Of
// selected positions as many as a page has rows are a page.
#include "kernels.h"
#include "twins.h"

/// Some head over the positions of a span, or of all spans so far.
typedef struct {
    float largest, sum, *output;
} head_state;

static float bf16(float value) { return skein_float_of_bf16(skein_bf16_of_float(value)); }

static float exponential(float value) {
    skein_kernels_scalar.exp(&value, 1);
    return value;
}

/// sum + the products of x[i] and w[i * w_step], i < count.
static float add_products(float sum, const float *x, const float *w, size_t w_step, size_t count) {
    for (size_t begin = 0; begin < count; begin += SKEIN_GROUP_COLUMNS) {
        float even = 0, odd = 0;
        size_t end = skein_min(begin + SKEIN_GROUP_COLUMNS, count);
        for (size_t i = begin; i < end; i += 2) even = __builtin_fmaf(x[i], w[i * w_step], even);
        for (size_t i = begin + 1; i < end; i += 2) odd = __builtin_fmaf(x[i], w[i * w_step], odd);
        sum += even + odd;
    }
    return sum;
}

/// A score is a product like that of a weight: its last group is padded with zeros.
static float score(const float *query, const float *row, size_t width) {
    size_t padded = skein_padded(width);
    float x[SKEIN_GROUP_COLUMNS] = {0}, w[SKEIN_GROUP_COLUMNS] = {0};
    size_t whole = width / SKEIN_GROUP_COLUMNS * SKEIN_GROUP_COLUMNS;
    float sum = add_products(0, query, row, 1, whole);
    if (padded == whole) return sum;
    memcpy(x, query + whole, (width - whole) * sizeof(float));
    memcpy(w, row + whole, (width - whole) * sizeof(float));
    return add_products(sum, x, w, 1, SKEIN_GROUP_COLUMNS);
}

static void add_page(const skein_attend_task *task, const float *query, const float *page,
                     size_t count, float *weights, head_state *state) {
    size_t width = task->rows->width;
    float before = state->largest, sum = 0;
    for (size_t j = 0; j < count; j++) {
        weights[j] = score(query, page + j * width, width) * task->scale;
        state->largest = weights[j] > state->largest ? weights[j] : state->largest;
    }
    float correction = exponential(before - state->largest);
    for (size_t j = 0; j < count; j++) {
        weights[j] = bf16(exponential(weights[j] - state->largest));
        sum += weights[j];
    }
    state->sum = __builtin_fmaf(state->sum, correction, sum);
    for (size_t c = 0; c < task->rows->latent_width; c++) {
        state->output[c] =
            add_products(state->output[c] * correction, weights, page + c, width, count);
    }
}

static void merge(const head_state *span, bool is_first, size_t latent, head_state *total) {
    float now = is_first || span->largest > total->largest ? span->largest : total->largest;
    float old = is_first ? 0 : exponential(total->largest - now);
    float added = is_first ? 1 : exponential(span->largest - now);
    for (size_t c = 0; c < latent; c++) {
        total->output[c] = is_first ? span->output[c]
                                    : __builtin_fmaf(span->output[c], added,
                                                     total->output[c] * old);
    }
    total->sum = is_first ? span->sum : __builtin_fmaf(span->sum, added, total->sum * old);
    total->largest = now;
}

static void attend_head(const skein_attend_task *task, size_t position, const float *query,
                        float *output) {
    const skein_latent_rows *rows = task->rows;
    size_t latent = rows->latent_width, span_rows = SKEIN_SPAN_PAGES * rows->page_rows;
    float *rounded = task->scratch, *weights = rounded + rows->width;
    float *page = weights + rows->page_rows;
    head_state total = {.output = output};
    head_state span = {.output = page + rows->page_rows * rows->width};
    for (size_t k = 0; k < rows->width; k++) rounded[k] = bf16(query[k]);
    for (size_t begin = 0; begin <= position; begin += rows->page_rows) {
        if (begin % span_rows == 0) {
            span.largest = -__builtin_inff();
            span.sum = 0;
            memset(span.output, 0, latent * sizeof(float));
        }
        size_t count = skein_min(rows->page_rows, position + 1 - begin);
        for (size_t j = 0; j < count; j++) {
            size_t place = task->selected == NULL ? begin + j : (size_t)task->selected[begin + j];
            skein_unpack_latent(page + j * rows->width,
                                skein_latent_row(rows, task->pages, place), rows->width,
                                rows->coded_width);
        }
        add_page(task, rounded, page, count, weights, &span);
        size_t next = begin + rows->page_rows;
        if (next % span_rows != 0 && next <= position) continue;
        merge(&span, next <= span_rows, latent, &total);
    }
    for (size_t c = 0; c < latent; c++) output[c] /= total.sum;
}

/// Spans are not kept here: the tile of a row's first one computes all of them.
void skein_attend_latent_scalar(const skein_attend_task *task) {
    if (task->span_begin != 0) return;
    for (size_t p = 0; p < task->part_count; p++) {
        const skein_attend_part *part = &task->parts[p];
        for (size_t h = 0; h < part->head_count; h++) {
            attend_head(task, part->position, part->queries + h * task->rows->width,
                        part->output + h * task->rows->latent_width);
        }
    }
}

void skein_merge_spans_scalar(const skein_latent_rows *rows, const skein_attend_part *part) {
    (void)rows, (void)part;
}
