// The meaning of attention over latent rows: one query row, several heads, pages in order.
//
// Scores: lane l takes elements 16 s + l by fma. Each page is one block of an online softmax; the
// weighted sum of a page goes row by row. So a query's result depends on its own position only. Of
// selected positions as many as a page has rows are a block.
#include "kernels.h"
#include "twins.h"

static float score(const float *query, const float *row, size_t width) {
    float lanes[SKEIN_LANES] = {0};
    for (size_t k = 0; k < width; k++) {
        float *lane = &lanes[k % SKEIN_LANES];
        *lane = __builtin_fmaf(query[k], row[k], *lane);
    }
    return skein_reduce(lanes);
}

static void attend_head(const skein_attend_task *task, size_t position, const float *query,
                        float *output) {
    const skein_latent_rows *rows = task->rows;
    float largest = -__builtin_inff(), sum = 0;
    float *weights = task->scratch, *page = weights + rows->page_rows;
    for (size_t c = 0; c < rows->latent_width; c++) output[c] = 0;
    for (size_t begin = 0; begin <= position; begin += rows->page_rows) {
        size_t count = skein_min(rows->page_rows, position + 1 - begin);
        float before = largest;
        for (size_t j = 0; j < count; j++) {
            float *row = page + j * rows->width;
            size_t place = task->selected == NULL ? begin + j : (size_t)task->selected[begin + j];
            skein_unpack_latent(row, skein_latent_row(rows, task->pages, place), rows->width,
                                rows->coded_width);
            weights[j] = score(query, row, rows->width) * task->scale;
            largest = weights[j] > largest ? weights[j] : largest;
        }
        float correction = before - largest, lanes[SKEIN_LANES] = {0};
        skein_kernels_scalar.exp(&correction, 1);
        for (size_t j = 0; j < count; j++) weights[j] -= largest;
        skein_kernels_scalar.exp(weights, count);
        for (size_t j = 0; j < count; j++) lanes[j % SKEIN_LANES] += weights[j];
        sum = __builtin_fmaf(sum, correction, skein_reduce(lanes));
        for (size_t c = 0; c < rows->latent_width; c++) {
            float value = output[c] * correction;
            for (size_t j = 0; j < count; j++) {
                value = __builtin_fmaf(weights[j], page[j * rows->width + c], value);
            }
            output[c] = value;
        }
    }
    for (size_t c = 0; c < rows->latent_width; c++) output[c] /= sum;
}

void skein_attend_latent_scalar(const skein_attend_task *task) {
    for (size_t p = 0; p < task->part_count; p++) {
        const skein_attend_part *part = &task->parts[p];
        for (size_t h = 0; h < part->head_count; h++) {
            attend_head(task, part->position, part->queries + h * task->rows->width,
                        part->output + h * task->rows->latent_width);
        }
    }
}
