// A compute pool: the calling thread and its companions claim tiles of one region at a time.
//
// Nobody checks in: a companion belongs to a region from the moment it claims one of its tiles
// until it reports that tile. The caller waits for reported tiles, never for threads, so that a
// companion to which the system gives no processor costs its help and nothing else.
#define _GNU_SOURCE
#include "kernels.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    // A thread looks this often for a change before it sleeps: some tens of microseconds, the gap
    // between two products of one layer.
    SPINS_BEFORE_PARKING = 4000,
    // Where the pools have more threads than there are processors, who spins keeps another from
    // computing: look briefly, let others run a few times, then sleep.
    SPINS_WHEN_CROWDED = 100,
    YIELDS_WHEN_CROWDED = 4,
    SCRATCH_SLOTS = 6,
};

typedef struct {
    void *bytes;
    size_t capacity;
} scratch;

typedef struct {
    skein_pool *pool;
    size_t number;
    pthread_t thread;
    scratch scratch;
} companion;

struct skein_pool {
    pthread_mutex_t region;   // held by the thread that runs regions
    pthread_mutex_t sleep;    // guards parking only
    pthread_cond_t wake;      // for companions: tiles are there to claim
    pthread_cond_t finished;  // for the caller: every tile is reported
    // Written by the caller while no tile is claimed or claimable; read by who holds a tile.
    skein_tile tile;
    void *arguments;
    size_t tile_count;
    // The gate: a tile is claimed by taking one off. An old look at it can do no harm, because any
    // number above zero is a tile of the region that is open now.
    _Atomic(size_t) unclaimed;
    _Atomic(size_t) unreported;  // the caller writes all other fields only while this is zero
    _Atomic(size_t) sleeping;    // companions
    _Atomic(bool) caller_sleeps;
    _Atomic(bool) closing;
    size_t thread_count;
    int isa;
    companion *companions;  // [0] is the caller and has scratch only
    scratch shared[SCRATCH_SLOTS];
};

// Threads of all pools of this program, callers included.
static _Atomic(size_t) pool_threads;

static size_t processor_count(void) {
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return (size_t)CPU_COUNT(&allowed);
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (size_t)count : 1;
}

static _Atomic(size_t) processors;  // 0 until the first pool

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/// One look of a waiting thread has failed; whether another one is worth it before sleeping.
static bool look_again(size_t looks) {
    bool crowded = atomic_load_explicit(&pool_threads, memory_order_relaxed)
                   > atomic_load_explicit(&processors, memory_order_relaxed);
    if (looks < (crowded ? SPINS_WHEN_CROWDED : SPINS_BEFORE_PARKING)) {
        relax();
        return true;
    }
    if (!crowded || looks >= SPINS_WHEN_CROWDED + YIELDS_WHEN_CROWDED) return false;
    sched_yield();
    return true;
}

/// Takes one tile; false when there is none. `left` is its number counted from the end, 1 the last.
static bool claim_tile(skein_pool *pool, size_t *left) {
    size_t seen = atomic_load_explicit(&pool->unclaimed, memory_order_relaxed);
    while (seen != 0) {
        if (atomic_compare_exchange_weak_explicit(&pool->unclaimed, &seen, seen - 1,
                                                  memory_order_acquire, memory_order_relaxed)) {
            *left = seen;
            return true;
        }
    }
    return false;
}

/// Some instruction sets have state that a thread loads for the tiles of a region only.
static void enter(const skein_pool *pool) {
    void (*first)(void) = skein_kernels_of(pool->isa)->enter;
    if (first != NULL) first();
}

static void leave(const skein_pool *pool) {
    void (*last)(void) = skein_kernels_of(pool->isa)->leave;
    if (last != NULL) last();
}

/// Computes tiles until none is left to claim; whether the last report was this thread's.
static bool compute_tiles(skein_pool *pool, size_t thread) {
    size_t left, held = 0;
    while (claim_tile(pool, &left)) {
        if (held++ == 0) enter(pool);
        pool->tile(pool->arguments, pool->tile_count - left, thread);
    }
    if (held != 0) leave(pool);
    return held != 0 && atomic_fetch_sub(&pool->unreported, held) == held;
}

static void await_tiles(skein_pool *pool) {
    for (size_t looks = 0; look_again(looks); looks++) {
        if (atomic_load_explicit(&pool->unclaimed, memory_order_relaxed) != 0) return;
        if (atomic_load_explicit(&pool->closing, memory_order_relaxed)) return;
    }
    pthread_mutex_lock(&pool->sleep);
    atomic_fetch_add(&pool->sleeping, 1);
    while (atomic_load(&pool->unclaimed) == 0 && !atomic_load(&pool->closing)) {
        pthread_cond_wait(&pool->wake, &pool->sleep);
    }
    atomic_fetch_sub(&pool->sleeping, 1);
    pthread_mutex_unlock(&pool->sleep);
}

static void *companion_main(void *argument) {
    companion *self = argument;
    skein_pool *pool = self->pool;
    skein_flush_subnormals();
    while (!atomic_load(&pool->closing)) {
        await_tiles(pool);
        bool was_last = compute_tiles(pool, self->number);
        // Sequentially consistent on both sides: a caller that is about to sleep either sees that
        // every tile is reported or is seen here.
        if (!was_last || !atomic_load(&pool->caller_sleeps)) continue;
        pthread_mutex_lock(&pool->sleep);
        pthread_cond_signal(&pool->finished);
        pthread_mutex_unlock(&pool->sleep);
    }
    return NULL;
}

static void open_region(skein_pool *pool, size_t tile_count, skein_tile tile, void *arguments) {
    pool->tile = tile;
    pool->arguments = arguments;
    pool->tile_count = tile_count;
    atomic_store_explicit(&pool->unreported, tile_count, memory_order_relaxed);
    atomic_store(&pool->unclaimed, tile_count);
    // Without the lock, whose holder may be without a processor: a companion that goes to sleep at
    // this very moment may miss the call, and then the others do its tiles.
    if (atomic_load(&pool->sleeping) != 0) pthread_cond_broadcast(&pool->wake);
}

static void await_reports(skein_pool *pool) {
    for (size_t looks = 0; look_again(looks); looks++) {
        if (atomic_load_explicit(&pool->unreported, memory_order_acquire) == 0) return;
    }
    pthread_mutex_lock(&pool->sleep);
    atomic_store(&pool->caller_sleeps, true);
    while (atomic_load(&pool->unreported) != 0) pthread_cond_wait(&pool->finished, &pool->sleep);
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->sleep);
}

void skein_pool_run(skein_pool *pool, size_t tile_count, skein_tile tile, void *arguments) {
    skein_floating_state state = skein_flush_subnormals();
    if (pool->thread_count == 1 || tile_count <= 1) {
        enter(pool);
        for (size_t t = 0; t < tile_count; t++) tile(arguments, t, 0);
        leave(pool);
        skein_restore(state);
        return;
    }
    open_region(pool, tile_count, tile, arguments);
    if (!compute_tiles(pool, 0)) await_reports(pool);
    skein_restore(state);
}

static void pin(pthread_t thread, size_t number) {
#if defined(__linux__)
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    size_t seen = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || seen++ != number) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        pthread_setaffinity_np(thread, sizeof one, &one);
    }
#else
    (void)thread; (void)number;
#endif
}

skein_pool *skein_pool_create(size_t thread_count, int isa, bool pinned) {
    skein_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) return NULL;
    pool->isa = isa;
    pool->companions = calloc(thread_count, sizeof *pool->companions);
    if (pool->companions == NULL) { free(pool); return NULL; }
    pthread_mutex_init(&pool->region, NULL);
    pthread_mutex_init(&pool->sleep, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->finished, NULL);
    atomic_store(&processors, processor_count());
    atomic_fetch_add(&pool_threads, 1);
    pool->thread_count = 1;
    for (size_t i = 1; i < thread_count; i++) {
        companion *self = &pool->companions[i];
        self->pool = pool;
        self->number = i;
        if (pthread_create(&self->thread, NULL, companion_main, self) != 0) {
            skein_pool_destroy(pool);
            return NULL;
        }
        if (pinned) pin(self->thread, i);
        pool->thread_count = i + 1;
        atomic_fetch_add(&pool_threads, 1);
    }
    return pool;
}

void skein_pool_destroy(skein_pool *pool) {
    pthread_mutex_lock(&pool->sleep);
    atomic_store(&pool->closing, true);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->sleep);
    for (size_t i = 1; i < pool->thread_count; i++) pthread_join(pool->companions[i].thread, NULL);
    for (size_t i = 0; i < pool->thread_count; i++) free(pool->companions[i].scratch.bytes);
    for (size_t i = 0; i < SCRATCH_SLOTS; i++) free(pool->shared[i].bytes);
    atomic_fetch_sub(&pool_threads, pool->thread_count);
    pthread_cond_destroy(&pool->finished);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->sleep);
    pthread_mutex_destroy(&pool->region);
    free(pool->companions);
    free(pool);
}

size_t skein_pool_thread_count(const skein_pool *pool) { return pool->thread_count; }
int skein_pool_isa(const skein_pool *pool) { return pool->isa; }
void skein_pool_lock(skein_pool *pool) { pthread_mutex_lock(&pool->region); }
void skein_pool_unlock(skein_pool *pool) { pthread_mutex_unlock(&pool->region); }

static void grow(scratch *scratch, size_t bytes) {
    if (scratch->capacity >= bytes) return;
    free(scratch->bytes);
    size_t capacity = (bytes + bytes / 4 + 4095) / 4096 * 4096;
    scratch->bytes = aligned_alloc(4096, capacity);
    if (scratch->bytes == NULL) abort();  // the plan of memory was wrong: nothing can be saved here
    scratch->capacity = capacity;
}

void *skein_pool_shared_scratch(skein_pool *pool, size_t slot, size_t bytes) {
    grow(&pool->shared[slot], bytes);
    return pool->shared[slot].bytes;
}

void skein_pool_reserve(skein_pool *pool, size_t bytes) {
    for (size_t i = 0; i < pool->thread_count; i++) grow(&pool->companions[i].scratch, bytes);
}

void *skein_pool_thread_scratch(skein_pool *pool, size_t thread) {
    return pool->companions[thread].scratch.bytes;
}
