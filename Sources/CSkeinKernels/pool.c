// A compute pool: the calling thread and its companions claim tiles of one region at a time.
#define _GNU_SOURCE
#include "kernels.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

// A companion looks this often for new work before it sleeps: some tens of microseconds, the gap
// between two products of one layer.
enum { SPINS_BEFORE_PARKING = 4000, SCRATCH_SLOTS = 6 };

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
    pthread_mutex_t region;  // held by whoever runs regions
    pthread_mutex_t sleep;   // guards parking only
    pthread_cond_t wake;
    _Atomic(size_t) generation;  // counts regions; bit patterns never matter, only change
    _Atomic(size_t) next_tile;
    _Atomic(size_t) running;  // companions still inside the region
    _Atomic(size_t) sleeping;
    _Atomic(bool) closing;
    skein_tile tile;
    void *arguments;
    size_t tile_count;
    size_t thread_count;
    int isa;
    companion *companions;  // [0] is the caller and has scratch only
    scratch shared[SCRATCH_SLOTS];
};

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void claim_tiles(skein_pool *pool, size_t thread) {
    size_t count = pool->tile_count;
    for (;;) {
        size_t tile = atomic_fetch_add_explicit(&pool->next_tile, 1, memory_order_relaxed);
        if (tile >= count) return;
        pool->tile(pool->arguments, tile, thread);
    }
}

static size_t await_region(skein_pool *pool, size_t seen) {
    for (size_t spin = 0; spin < SPINS_BEFORE_PARKING; spin++) {
        size_t now = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (now != seen) return now;
        relax();
    }
    pthread_mutex_lock(&pool->sleep);
    atomic_fetch_add(&pool->sleeping, 1);
    while (atomic_load(&pool->generation) == seen) pthread_cond_wait(&pool->wake, &pool->sleep);
    atomic_fetch_sub(&pool->sleeping, 1);
    pthread_mutex_unlock(&pool->sleep);
    return atomic_load_explicit(&pool->generation, memory_order_acquire);
}

static void *companion_main(void *argument) {
    companion *self = argument;
    skein_pool *pool = self->pool;
    skein_flush_subnormals();
    size_t seen = 0;
    for (;;) {
        seen = await_region(pool, seen);
        if (atomic_load(&pool->closing)) return NULL;
        claim_tiles(pool, self->number);
        atomic_fetch_sub_explicit(&pool->running, 1, memory_order_release);
    }
}

static void open_region(skein_pool *pool) {
    // Sequentially consistent on both sides: a companion that is about to sleep either sees the new
    // generation or is seen in `sleeping`.
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleeping) == 0) return;
    pthread_mutex_lock(&pool->sleep);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->sleep);
}

void skein_pool_run(skein_pool *pool, size_t tile_count, skein_tile tile, void *arguments) {
    skein_floating_state state = skein_flush_subnormals();
    if (pool->thread_count == 1 || tile_count <= 1) {
        for (size_t t = 0; t < tile_count; t++) tile(arguments, t, 0);
        skein_restore(state);
        return;
    }
    pool->tile = tile;
    pool->arguments = arguments;
    pool->tile_count = tile_count;
    atomic_store_explicit(&pool->next_tile, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->running, pool->thread_count - 1, memory_order_relaxed);
    open_region(pool);
    claim_tiles(pool, 0);
    for (size_t spin = 0; atomic_load_explicit(&pool->running, memory_order_acquire) != 0; spin++) {
        if (spin < SPINS_BEFORE_PARKING) relax(); else sched_yield();
    }
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
    }
    return pool;
}

void skein_pool_destroy(skein_pool *pool) {
    atomic_store(&pool->closing, true);
    open_region(pool);
    for (size_t i = 1; i < pool->thread_count; i++) pthread_join(pool->companions[i].thread, NULL);
    for (size_t i = 0; i < pool->thread_count; i++) free(pool->companions[i].scratch.bytes);
    for (size_t i = 0; i < SCRATCH_SLOTS; i++) free(pool->shared[i].bytes);
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
