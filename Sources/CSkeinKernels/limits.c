// What the machine can do at most, measured on all threads of a pool.
#include "kernels.h"

#include <stdatomic.h>

// Several tiles a thread: one that shares its processor does not hold up the others.
enum { STRETCH = 1 << 20, PEAK_TILES_PER_THREAD = 8 };

typedef struct {
    const skein_kernels *kernels;
    const uint8_t *bytes;
    size_t count, rounds;
    double (*peak)(size_t rounds);
    _Atomic(uint64_t) sum;
} limit_job;

static void read_tile(void *arguments, size_t tile, size_t thread) {
    (void)thread;
    limit_job *job = arguments;
    size_t begin = tile * STRETCH;
    uint64_t sum = job->kernels->read(job->bytes + begin, skein_min(STRETCH, job->count - begin));
    atomic_fetch_add(&job->sum, sum);
}

static void peak_tile(void *arguments, size_t tile, size_t thread) {
    (void)tile, (void)thread;
    limit_job *job = arguments;
    atomic_fetch_add(&job->sum, (uint64_t)job->peak(job->rounds));
}

uint64_t skein_stream_read(skein_pool *pool, const uint8_t *bytes, size_t count) {
    limit_job job = {.kernels = skein_kernels_of(skein_pool_isa(pool)), .bytes = bytes,
                     .count = count};
    skein_pool_lock(pool);
    skein_pool_run(pool, (count + STRETCH - 1) / STRETCH, read_tile, &job);
    skein_pool_unlock(pool);
    return job.sum;
}

static double peak(skein_pool *pool, size_t rounds, double (*measured)(size_t rounds)) {
    limit_job job = {.rounds = rounds / PEAK_TILES_PER_THREAD, .peak = measured};
    skein_pool_lock(pool);
    skein_pool_run(pool, PEAK_TILES_PER_THREAD * skein_pool_thread_count(pool), peak_tile, &job);
    skein_pool_unlock(pool);
    return (double)job.sum;
}

double skein_multiply_add_peak_f32(skein_pool *pool, size_t rounds) {
    return peak(pool, rounds, skein_kernels_of(skein_pool_isa(pool))->peak_f32);
}

double skein_multiply_add_peak_bf16(skein_pool *pool, size_t rounds) {
    return peak(pool, rounds, skein_kernels_of(skein_pool_isa(pool))->peak_bf16);
}

double skein_multiply_add_peak_i8(skein_pool *pool, size_t rounds) {
    return peak(pool, rounds, skein_kernels_of(skein_pool_isa(pool))->peak_i8);
}
