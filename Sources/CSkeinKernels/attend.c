// Attention over latent rows: gives (row, some heads) to the pool.
#include "kernels.h"

// Heads of one task share each latent row while it is in L1.
enum { TASK_HEADS = 8 };

typedef struct {
    skein_pool *pool;
    void (*kernel)(const skein_attend_task *);
    const skein_latent_rows *rows;
    const int32_t *pages;
    const size_t *page_starts, *positions;
    size_t head_count, tasks_per_row;
    float scale;
    const float *queries;
    float *output;
} attend_job;

static void attend_tile(void *arguments, size_t tile, size_t thread) {
    const attend_job *job = arguments;
    size_t m = tile / job->tasks_per_row;
    size_t head = tile % job->tasks_per_row * TASK_HEADS;
    size_t first = m * job->head_count + head;
    skein_attend_task task = {
        .rows = job->rows, .pages = job->pages + job->page_starts[m],
        .position = job->positions[m], .head_count = skein_min(TASK_HEADS, job->head_count - head),
        .scale = job->scale, .queries = job->queries + first * job->rows->width,
        .output = job->output + first * job->rows->latent_width,
        .scratch = skein_pool_thread_scratch(job->pool, thread)};
    job->kernel(&task);
}

void skein_attend_latent(skein_pool *pool, const skein_latent_rows *rows, const int32_t *pages,
                         const size_t *page_starts, const size_t *positions, size_t head_count,
                         float scale, const float *queries, float *output, size_t count) {
    if (count == 0) return;
    attend_job job = {pool, skein_kernels_of(skein_pool_isa(pool))->attend_latent, rows, pages,
                      page_starts, positions, head_count,
                      (head_count + TASK_HEADS - 1) / TASK_HEADS, scale, queries, output};
    // A page in F32, and for each head its query, its scores and its output, in whole vectors.
    size_t stride = (rows->width + SKEIN_LANES - 1) / SKEIN_LANES * SKEIN_LANES;
    size_t floats = rows->page_rows * stride + TASK_HEADS * (2 * stride + rows->page_rows);
    skein_pool_lock(pool);
    skein_pool_reserve(pool, floats * sizeof(float));
    skein_pool_run(pool, count * job.tasks_per_row, attend_tile, &job);
    skein_pool_unlock(pool);
}
