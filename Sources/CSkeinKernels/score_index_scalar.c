// The meaning of the lightning indexer's scores: one query row, the keys of its own sequence.
//
// A head's product with a key is in the one order, the query rounded to BF16; what is not above
// zero counts as zero. The heads follow each other by fma. So a score depends on its query and its
// key only.
#include "kernels.h"
#include "twins.h"

static float bf16(float value) { return skein_float_of_bf16(skein_bf16_of_float(value)); }

static float product(const float *query, const float *key, size_t width) {
    float sum = 0;
    for (size_t begin = 0; begin < width; begin += SKEIN_GROUP_COLUMNS) {
        float even = 0, odd = 0;
        size_t end = skein_min(begin + SKEIN_GROUP_COLUMNS, width);
        for (size_t k = begin; k < end; k++) {
            float *chain = k % 2 == 0 ? &even : &odd;
            *chain = __builtin_fmaf(bf16(query[k]), key[k], *chain);
        }
        sum += even + odd;
    }
    return sum;
}

void skein_score_index_scalar(const skein_index_task *task) {
    const skein_latent_rows *keys = task->keys;
    for (size_t place = task->begin; place < task->end; place++) {
        skein_unpack_latent(task->scratch, skein_latent_row(keys, task->pages, place), keys->width,
                            keys->coded_width);
        for (size_t q = 0; q < task->query_count; q++) {
            const skein_index_query *query = &task->queries[q];
            if (place > query->position) continue;
            float total = 0;
            for (size_t h = 0; h < task->head_count; h++) {
                float sum = product(query->queries + h * keys->width, task->scratch, keys->width);
                total = __builtin_fmaf(query->weights[h], sum > 0 ? sum : 0.0f, total);
            }
            query->scores[place] = total;
        }
    }
}
