// Which positions a row attends to (DeepSeek-V3.2's lightning indexer): gives queries and stretches
// of keys to the pool, then selects for each row.
#include "kernels.h"

enum {
    /// Positions of a sequence that are scored as one tile.
    TILE_POSITIONS = 1024,
    /// Scores that are kept at once, unless a single task has more.
    SCORES_MAX = 4 << 20,
    /// As products use it.
    SLOT_SCORES = 0,
};

typedef struct {
    skein_pool *pool;
    void (*kernel)(const skein_index_task *);
    const skein_latent_rows *keys;
    const int32_t *pages;
    const size_t *page_starts, *positions;
    size_t head_count;
    const float *queries, *weights;
    size_t kept;
    int32_t *selected;
    float *scores;      // [end - begin, score_stride]
    size_t begin, end;  // rows
    size_t score_stride, tile_positions, stretch_count;
} select_job;

/// Places of a sortable form: 0 for NaN, which comes last.
static inline uint32_t rank_of(float score) {
    if (score != score) return 0;
    uint32_t bits = skein_bits_of_float(score + 0.0f);  // -0 equals 0
    return bits >> 31 ? ~bits : bits | 0x80000000;
}

/// The rank of the `kept`th largest score, found byte by byte from the top; `*equals` of the scores
/// with that rank are among the largest.
static uint32_t last_rank(const float *scores, size_t count, size_t kept, size_t *equals) {
    uint32_t prefix = 0, mask = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        size_t counts[256] = {0};
        for (size_t i = 0; i < count; i++) {
            uint32_t rank = rank_of(scores[i]);
            if ((rank & mask) == prefix) counts[rank >> shift & 0xFF]++;
        }
        uint32_t byte = 0xFF;
        for (; kept > counts[byte]; byte--) kept -= counts[byte];
        prefix |= byte << shift;
        mask |= 0xFFu << shift;
    }
    *equals = kept;
    return prefix;
}

void skein_select_largest(const float *scores, size_t count, size_t kept, int32_t *places) {
    if (kept == 0) return;
    size_t equals = 0, found = 0;
    uint32_t last = last_rank(scores, count, kept, &equals);
    for (size_t i = 0; i < count && found < kept; i++) {
        uint32_t rank = rank_of(scores[i]);
        bool is_kept = rank > last || (rank == last && equals > 0);
        if (rank == last && is_kept) equals--;
        if (is_kept) places[found++] = (int32_t)i;
    }
}

static void select_tile(void *arguments, size_t tile, size_t thread) {
    (void)thread;
    const select_job *job = arguments;
    size_t m = job->begin + tile;
    if (job->positions[m] < job->kept) return;
    skein_select_largest(job->scores + tile * job->score_stride, job->positions[m] + 1, job->kept,
                         job->selected + m * job->kept);
}

/// Scores a stretch of keys for some rows; those of one sequence are one task.
static void score_tile(void *arguments, size_t tile, size_t thread) {
    const select_job *job = arguments;
    size_t begin = tile % job->stretch_count * job->tile_positions;
    size_t m = job->begin + tile / job->stretch_count * SKEIN_TASK_PARTS;
    size_t end = skein_min(m + SKEIN_TASK_PARTS, job->end);
    while (m < end) {
        size_t start = job->page_starts[m];
        skein_index_task task = {.keys = job->keys, .pages = job->pages + start,
                                 .head_count = job->head_count, .begin = begin,
                                 .scratch = skein_pool_thread_scratch(job->pool, thread)};
        for (; m < end && job->page_starts[m] == start; m++) {
            size_t position = job->positions[m];
            if (position < job->kept || position < begin) continue;
            size_t stop = skein_min(position + 1, begin + job->tile_positions);
            task.end = stop > task.end ? stop : task.end;
            task.queries[task.query_count++] = (skein_index_query){
                .position = position,
                .queries = job->queries + m * job->head_count * job->keys->width,
                .weights = job->weights + m * job->head_count,
                .scores = job->scores + (m - job->begin) * job->score_stride};
        }
        if (task.query_count > 0) job->kernel(&task);
    }
}

/// Scores rows begin ..< end; the pool is locked.
static void score_rows(select_job *job) {
    size_t groups = (job->end - job->begin + SKEIN_TASK_PARTS - 1) / SKEIN_TASK_PARTS;
    skein_pool_reserve(job->pool, skein_index_scratch_bytes(job->keys, job->head_count));
    skein_pool_run(job->pool, groups * job->stretch_count, score_tile, job);
}

/// Divides the positions up to the `last` one.
static void divide(select_job *job, size_t last) {
    size_t page_rows = job->keys->page_rows;
    job->score_stride = skein_lanes(last + 1);
    job->tile_positions = (TILE_POSITIONS + page_rows - 1) / page_rows * page_rows;
    job->stretch_count = (last + job->tile_positions) / job->tile_positions;
}

void skein_select_positions(skein_pool *pool, const skein_latent_rows *keys, const int32_t *pages,
                            const size_t *page_starts, const size_t *positions, size_t head_count,
                            const float *queries, const float *weights, size_t kept,
                            int32_t *selected, size_t count) {
    size_t last = 0;
    for (size_t m = 0; m < count; m++) last = positions[m] > last ? positions[m] : last;
    if (count == 0 || last < kept) return;
    select_job job = {.pool = pool, .kernel = skein_kernels_of(skein_pool_isa(pool))->score_index,
                      .keys = keys, .pages = pages, .page_starts = page_starts,
                      .positions = positions, .head_count = head_count, .queries = queries,
                      .weights = weights, .kept = kept, .selected = selected};
    divide(&job, last);
    size_t together = SCORES_MAX / job.score_stride / SKEIN_TASK_PARTS * SKEIN_TASK_PARTS;
    together = skein_min(count, together < SKEIN_TASK_PARTS ? SKEIN_TASK_PARTS : together);
    skein_pool_lock(pool);
    job.scores = skein_pool_shared_scratch(pool, SLOT_SCORES,
                                           together * job.score_stride * sizeof(float));
    for (; job.begin < count; job.begin = job.end) {
        job.end = skein_min(count, job.begin + together);
        score_rows(&job);
        skein_pool_run(pool, job.end - job.begin, select_tile, &job);
    }
    skein_pool_unlock(pool);
}

void skein_score_positions(skein_pool *pool, const skein_latent_rows *keys, const int32_t *pages,
                           size_t position, size_t head_count, const float *queries,
                           const float *weights, float *scores) {
    size_t start = 0;
    select_job job = {.pool = pool, .kernel = skein_kernels_of(skein_pool_isa(pool))->score_index,
                      .keys = keys, .pages = pages, .page_starts = &start, .positions = &position,
                      .head_count = head_count, .queries = queries, .weights = weights,
                      .scores = scores, .end = 1};
    divide(&job, position);
    skein_pool_lock(pool);
    score_rows(&job);
    skein_pool_unlock(pool);
}
