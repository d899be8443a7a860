// Attention over latent rows: gives parts, some heads of a row, to the pool.
#include "kernels.h"

/// So many tasks for each thread, where there are enough parts.
enum { TASKS_PER_THREAD = 4 };

typedef struct {
    skein_pool *pool;
    void (*kernel)(const skein_attend_task *);
    const skein_latent_rows *rows;
    const int32_t *pages;
    const size_t *page_starts, *positions;
    const int32_t *selected;
    size_t selected_count;  // of each row with more positions; all where nothing is selected
    size_t head_count, part_heads, parts_per_row, part_count, parts_per_tile;
    float scale;
    const float *queries;
    float *output;
} attend_job;

/// Whether a row attends to some of its positions only.
static bool is_sparse(const attend_job *job, size_t m) {
    return job->selected != NULL && job->positions[m] >= job->selected_count;
}

static skein_attend_part part_of(const attend_job *job, size_t number) {
    size_t m = number / job->parts_per_row;
    size_t head = number % job->parts_per_row * job->part_heads;
    size_t first = m * job->head_count + head;
    return (skein_attend_part){
        .position = is_sparse(job, m) ? job->selected_count - 1 : job->positions[m],
        .head_count = skein_min(job->part_heads, job->head_count - head),
        .queries = job->queries + first * job->rows->width,
        .output = job->output + first * job->rows->latent_width};
}

/// Whether two parts read the same latent rows, but for those behind the earlier one's position.
static bool read_together(const attend_job *job, size_t part, size_t other) {
    size_t m = part / job->parts_per_row, n = other / job->parts_per_row;
    if (is_sparse(job, m) || is_sparse(job, n)) return m == n;
    return job->page_starts[m] == job->page_starts[n];
}

/// Parts that read the same rows are one task: each page is widened once for them.
static void attend_tile(void *arguments, size_t tile, size_t thread) {
    const attend_job *job = arguments;
    size_t number = tile * job->parts_per_tile;
    size_t end = skein_min(number + job->parts_per_tile, job->part_count);
    while (number < end) {
        size_t first = number, m = first / job->parts_per_row;
        skein_attend_task task = {.rows = job->rows, .pages = job->pages + job->page_starts[m],
                                  .scale = job->scale,
                                  .scratch = skein_pool_thread_scratch(job->pool, thread)};
        if (is_sparse(job, m)) task.selected = job->selected + m * job->selected_count;
        while (number < end && read_together(job, first, number)) {
            task.parts[task.part_count++] = part_of(job, number++);
        }
        job->kernel(&task);
    }
}

/// Fewer heads a part where the threads would not all have one: each of them then widens pages, but
/// all are done sooner.
static size_t heads_of_part(size_t count, size_t head_count, size_t threads) {
    size_t heads = SKEIN_PART_HEADS;
    while (heads > 1 && count * ((head_count + heads - 1) / heads) < threads) heads /= 2;
    return heads;
}

void skein_attend_latent(skein_pool *pool, const skein_latent_rows *rows, const int32_t *pages,
                         const size_t *page_starts, const size_t *positions,
                         const int32_t *selected, size_t selected_count, size_t head_count,
                         float scale, const float *queries, float *output, size_t count) {
    if (count == 0) return;
    size_t threads = skein_pool_thread_count(pool);
    size_t heads = heads_of_part(count, head_count, threads);
    size_t parts_per_row = (head_count + heads - 1) / heads, parts = count * parts_per_row;
    size_t together = threads == 1 ? parts : parts / (TASKS_PER_THREAD * threads);
    together = skein_min(SKEIN_TASK_PARTS, together == 0 ? 1 : together);
    attend_job job = {pool, skein_kernels_of(skein_pool_isa(pool))->attend_latent, rows, pages,
                      page_starts, positions, selected, selected_count, head_count, heads,
                      parts_per_row, parts, together, scale, queries, output};
    // A page in F32 and the scores of a part's heads; for each head of all parts its query and its
    // output, in whole vectors.
    size_t stride = skein_lanes(rows->width);
    size_t floats = rows->page_rows * (stride + SKEIN_PART_HEADS) +
                    together * SKEIN_PART_HEADS * 2 * stride;
    skein_pool_lock(pool);
    skein_pool_reserve(pool, floats * sizeof(float));
    skein_pool_run(pool, (parts + together - 1) / together, attend_tile, &job);
    skein_pool_unlock(pool);
}
