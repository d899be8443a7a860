// Attention over latent rows: gives parts, some heads of a row, to the pool.
#include "kernels.h"

/// So many tasks for each thread, where there are enough parts.
enum { TASKS_PER_THREAD = 4 };

/// As products use it, never at the same time.
enum { SLOT_SPANS = 0 };

typedef struct {
    skein_pool *pool;
    const skein_kernels *kernels;
    const skein_latent_rows *rows;
    const int32_t *pages;
    const size_t *page_starts, *positions;
    const int32_t *selected;
    size_t selected_count;  // of each row with more positions; all where nothing is selected
    size_t head_count, parts_per_row, part_count, parts_per_tile;
    size_t span_count;  // of the longest row where spans are tiles of their own, else 1
    float *spans;       // [part, span], where they are
    float scale;
    const float *queries;
    float *output;
} attend_job;

/// Whether a row attends to some of its positions only.
static bool is_sparse(const attend_job *job, size_t m) {
    return job->selected != NULL && job->positions[m] >= job->selected_count;
}

/// The last of the positions that a row attends to, as they are counted.
static size_t last_position(const attend_job *job, size_t m) {
    return is_sparse(job, m) ? job->selected_count - 1 : job->positions[m];
}

static size_t spans_of(const attend_job *job, size_t position) {
    return position / (SKEIN_SPAN_PAGES * job->rows->page_rows) + 1;
}

static skein_attend_part part_of(const attend_job *job, size_t number) {
    size_t m = number / job->parts_per_row;
    size_t head = number % job->parts_per_row * SKEIN_PART_HEADS;
    size_t first = m * job->head_count + head;
    size_t kept = number * job->span_count * skein_span_floats(job->rows);
    return (skein_attend_part){
        .position = last_position(job, m),
        .head_count = skein_min(SKEIN_PART_HEADS, job->head_count - head),
        .queries = job->queries + first * job->rows->width,
        .output = job->output + first * job->rows->latent_width,
        .spans = job->spans == NULL ? NULL : job->spans + kept};
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
    size_t number = tile / job->span_count * job->parts_per_tile;
    size_t end = skein_min(number + job->parts_per_tile, job->part_count);
    while (number < end) {
        size_t first = number, m = first / job->parts_per_row;
        skein_attend_task task = {.rows = job->rows, .pages = job->pages + job->page_starts[m],
                                  .scale = job->scale,
                                  .scratch = skein_pool_thread_scratch(job->pool, thread)};
        if (is_sparse(job, m)) task.selected = job->selected + m * job->selected_count;
        while (number < end && read_together(job, first, number)) {
            skein_attend_part part = part_of(job, number++);
            size_t spans = spans_of(job, part.position);
            task.span_end = spans > task.span_end ? spans : task.span_end;
            task.parts[task.part_count++] = part;
        }
        if (job->spans != NULL) {
            task.span_begin = tile % job->span_count;
            task.span_end = skein_min(task.span_end, task.span_begin + 1);
        }
        job->kernels->attend_latent(&task);
    }
}

static void merge_tile(void *arguments, size_t number, size_t thread) {
    (void)thread;
    const attend_job *job = arguments;
    skein_attend_part part = part_of(job, number);
    job->kernels->merge_spans(job->rows, &part);
}

/// Gives each span to the pool where there are too few parts for its threads.
static void divide_spans(attend_job *job, size_t count) {
    size_t longest = 1;
    for (size_t m = 0; m < count; m++) {
        size_t spans = spans_of(job, last_position(job, m));
        longest = spans > longest ? spans : longest;
    }
    if (longest == 1 || job->part_count >= TASKS_PER_THREAD * skein_pool_thread_count(job->pool)) {
        return;
    }
    job->span_count = longest;
    job->spans = skein_pool_shared_scratch(
        job->pool, SLOT_SPANS,
        job->part_count * longest * skein_span_floats(job->rows) * sizeof(float));
}

void skein_attend_latent(skein_pool *pool, const skein_latent_rows *rows, const int32_t *pages,
                         const size_t *page_starts, const size_t *positions,
                         const int32_t *selected, size_t selected_count, size_t head_count,
                         float scale, const float *queries, float *output, size_t count) {
    if (count == 0) return;
    size_t threads = skein_pool_thread_count(pool);
    size_t parts_per_row = (head_count + SKEIN_PART_HEADS - 1) / SKEIN_PART_HEADS;
    size_t parts = count * parts_per_row;
    attend_job job = {.pool = pool, .kernels = skein_kernels_of(skein_pool_isa(pool)),
                      .rows = rows, .pages = pages, .page_starts = page_starts,
                      .positions = positions, .selected = selected,
                      .selected_count = selected_count, .head_count = head_count,
                      .parts_per_row = parts_per_row, .part_count = parts, .span_count = 1,
                      .scale = scale, .queries = queries, .output = output};
    skein_pool_lock(pool);
    divide_spans(&job, count);
    size_t tasks = parts * job.span_count / (TASKS_PER_THREAD * threads);
    job.parts_per_tile = skein_min(SKEIN_TASK_PARTS, threads == 1 ? parts : tasks == 0 ? 1 : tasks);
    size_t tiles = (parts + job.parts_per_tile - 1) / job.parts_per_tile;
    skein_pool_reserve(pool, skein_attend_scratch_bytes(rows, job.parts_per_tile));
    skein_pool_run(pool, tiles * job.span_count, attend_tile, &job);
    if (job.spans != NULL) skein_pool_run(pool, parts, merge_tile, &job);
    skein_pool_unlock(pool);
}
