// Makes the INT8 form of a weight, band by band on all threads.
#include "kernels.h"

typedef struct {
    skein_pool *pool;
    const skein_kernels *kernels;
    const skein_weight *weight;
    uint8_t *bytes;
    float *scales;
} pack_i8_job;

size_t skein_i8_byte_count(size_t rows, size_t columns) {
    size_t bands = (rows + SKEIN_BAND_ROWS - 1) / SKEIN_BAND_ROWS;
    return bands * SKEIN_BAND_ROWS * 4 * skein_quads(columns);
}

size_t skein_i8_scale_count(size_t rows, size_t columns) {
    size_t bands = (rows + SKEIN_BAND_ROWS - 1) / SKEIN_BAND_ROWS;
    return bands * SKEIN_BAND_ROWS * skein_groups(columns);
}

static void pack_row(const pack_i8_job *job, size_t row, float *numbers, int8_t *codes) {
    size_t columns = job->weight->columns, into = row % SKEIN_BAND_ROWS, first = row - into;
    uint8_t *band = job->bytes + first * 4 * skein_quads(columns) + 4 * into;
    float *scales = job->scales + first * skein_groups(columns) + into;
    job->kernels->decode_row(job->weight, row, numbers);
    for (size_t begin = 0; begin < columns; begin += SKEIN_GROUP_COLUMNS) {
        int32_t sum;
        size_t group = begin / SKEIN_GROUP_COLUMNS;
        job->kernels->quantize_i8(numbers + begin, skein_min(SKEIN_GROUP_COLUMNS, columns - begin),
                                  codes + begin, scales + group * SKEIN_BAND_ROWS, &sum);
    }
    for (size_t quad = 0; quad < skein_quads(columns); quad++) {
        memcpy(band + 64 * quad, codes + 4 * quad, 4);
    }
}

static void pack_band(void *arguments, size_t band, size_t thread) {
    const pack_i8_job *job = arguments;
    size_t columns = job->weight->columns, first = band * SKEIN_BAND_ROWS;
    float *numbers = skein_pool_thread_scratch(job->pool, thread);
    int8_t *codes = (int8_t *)(numbers + columns);
    size_t end = skein_min(first + SKEIN_BAND_ROWS, job->weight->rows);
    if (end < first + SKEIN_BAND_ROWS) {
        size_t bytes = SKEIN_BAND_ROWS * 4 * skein_quads(columns);
        memset(job->bytes + band * bytes, 0, bytes);
        size_t scales = SKEIN_BAND_ROWS * skein_groups(columns);
        memset(job->scales + band * scales, 0, scales * sizeof(float));
    }
    for (size_t row = first; row < end; row++) pack_row(job, row, numbers, codes);
}

void skein_pack_i8(skein_pool *pool, const skein_weight *weight, uint8_t *bytes, float *scales) {
    pack_i8_job job = {pool, skein_kernels_of(skein_pool_isa(pool)), weight, bytes, scales};
    size_t bands = (weight->rows + SKEIN_BAND_ROWS - 1) / SKEIN_BAND_ROWS;
    skein_pool_lock(pool);
    skein_pool_reserve(pool, 4 * weight->columns + 4 * skein_quads(weight->columns) + 64);
    skein_pool_run(pool, bands, pack_band, &job);
    skein_pool_unlock(pool);
}
