// What the machine can do at most, measured on all threads of a pool.
#include "kernels.h"

#include <stdatomic.h>

// Several tiles a thread: one that shares its processor does not hold up the others.
enum { STRETCH = 1 << 20, PEAK_TILES_PER_THREAD = 8 };

typedef struct {
    const skein_kernels *kernels;
    const uint8_t *bytes;
    size_t count, rounds;
    _Atomic(uint64_t) sum;
} limit_job;

static void read_tile(void *arguments, size_t tile, size_t thread) {
    (void)thread;
    limit_job *job = arguments;
    size_t begin = tile * STRETCH;
    uint64_t sum = job->kernels->read(job->bytes + begin, skein_min(STRETCH, job->count - begin));
    atomic_fetch_add(&job->sum, sum);
}

static void peak_bf16_tile(void *arguments, size_t tile, size_t thread) {
    (void)tile, (void)thread;
    limit_job *job = arguments;
    atomic_fetch_add(&job->sum, (uint64_t)job->kernels->peak_bf16(job->rounds));
}

static void peak_f32_tile(void *arguments, size_t tile, size_t thread) {
    (void)tile, (void)thread;
    limit_job *job = arguments;
    atomic_fetch_add(&job->sum, (uint64_t)job->kernels->peak_f32(job->rounds));
}

static void peak_i8_tile(void *arguments, size_t tile, size_t thread) {
    (void)tile, (void)thread;
    limit_job *job = arguments;
    atomic_fetch_add(&job->sum, (uint64_t)job->kernels->peak_i8(job->rounds));
}

uint64_t skein_stream_read(skein_pool *pool, const uint8_t *bytes, size_t count) {
    limit_job job = {skein_kernels_of(skein_pool_isa(pool)), bytes, count, 0, 0};
    skein_pool_lock(pool);
    skein_pool_run(pool, (count + STRETCH - 1) / STRETCH, read_tile, &job);
    skein_pool_unlock(pool);
    return job.sum;
}

static void peak(skein_pool *pool, size_t rounds, skein_tile tile) {
    limit_job job = {skein_kernels_of(skein_pool_isa(pool)), NULL, 0,
                     rounds / PEAK_TILES_PER_THREAD, 0};
    skein_pool_lock(pool);
    skein_pool_run(pool, PEAK_TILES_PER_THREAD * skein_pool_thread_count(pool), tile, &job);
    skein_pool_unlock(pool);
}

/// Numbers in one register of the pool's kernels.
static double lanes(const skein_pool *pool) {
    int isa = skein_pool_isa(pool);
    return isa == SKEIN_ISA_AVX512 ? 16 : isa == SKEIN_ISA_AVX2 ? 8 : 1;
}

/// What all tiles together run.
static double peak_rounds(const skein_pool *pool, size_t rounds) {
    size_t tiles = PEAK_TILES_PER_THREAD * skein_pool_thread_count(pool);
    return (double)(rounds / PEAK_TILES_PER_THREAD * tiles);
}

double skein_multiply_add_peak_f32(skein_pool *pool, size_t rounds) {
    peak(pool, rounds, peak_f32_tile);
    return 2.0 * 12 * lanes(pool) * peak_rounds(pool, rounds);
}

double skein_multiply_add_peak_bf16(skein_pool *pool, size_t rounds) {
    peak(pool, rounds, peak_bf16_tile);
    return 4.0 * 12 * lanes(pool) * peak_rounds(pool, rounds);
}

double skein_multiply_add_peak_i8(skein_pool *pool, size_t rounds) {
    peak(pool, rounds, peak_i8_tile);
    double numbers = skein_pool_isa(pool) == SKEIN_ISA_SCALAR ? 1 : 4 * lanes(pool);
    return 2.0 * 12 * numbers * peak_rounds(pool, rounds);
}
