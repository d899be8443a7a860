// Reads pages in, so that a later step does not wait for the disk.
#define _GNU_SOURCE
#include "kernels.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

// What a thread asks the system for at once: enough for the disk to be busy with each thread's.
enum { STRETCH_BYTES = 4 << 20 };

typedef struct {
    const uint8_t *bytes;
    size_t count, page_bytes;
} touch_job;

void skein_read_ahead(const uint8_t *bytes, size_t count) {
    if (count == 0) return;
    size_t into_page = (uintptr_t)bytes % (size_t)sysconf(_SC_PAGESIZE);
    // Only advice: where it is refused, the reader of the bytes fetches the pages.
    (void)madvise((void *)(bytes - into_page), count + into_page, MADV_WILLNEED);
}

static void touch_stretch(void *arguments, size_t stretch, size_t thread) {
    (void)thread;
    const touch_job *job = arguments;
    size_t begin = stretch * STRETCH_BYTES, end = skein_min(begin + STRETCH_BYTES, job->count);
    skein_read_ahead(job->bytes + begin, end - begin);
    // Volatile: reads that nobody uses would be left out.
    const volatile uint8_t *bytes = job->bytes;
    for (size_t at = begin; at < end; at += job->page_bytes) (void)bytes[at];
    (void)bytes[end - 1];
}

void skein_touch(skein_pool *pool, const uint8_t *bytes, size_t count) {
    touch_job job = {bytes, count, (size_t)sysconf(_SC_PAGESIZE)};
    skein_pool_lock(pool);
    skein_pool_run(pool, (count + STRETCH_BYTES - 1) / STRETCH_BYTES, touch_stretch, &job);
    skein_pool_unlock(pool);
}
