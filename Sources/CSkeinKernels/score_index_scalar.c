// The meaning of the lightning indexer's scores: one query row, the keys of its own sequence.
//
// A head's product with a key goes number by number, by fma; what is not above zero counts as zero.
// The heads follow each other, by fma as well. So a score depends on its query and its key only.
#include "kernels.h"
#include "twins.h"

static float score(const skein_index_task *task, const skein_index_query *query,
                   const float *key) {
    size_t width = task->keys->width;
    float total = 0;
    for (size_t h = 0; h < task->head_count; h++) {
        float product = 0;
        for (size_t k = 0; k < width; k++) {
            product = __builtin_fmaf(query->queries[h * width + k], key[k], product);
        }
        total = __builtin_fmaf(query->weights[h], product > 0 ? product : 0.0f, total);
    }
    return total;
}

void skein_score_index_scalar(const skein_index_task *task) {
    const skein_latent_rows *keys = task->keys;
    for (size_t place = task->begin; place < task->end; place++) {
        skein_unpack_latent(task->scratch, skein_latent_row(keys, task->pages, place), keys->width,
                            keys->coded_width);
        for (size_t q = 0; q < task->query_count; q++) {
            const skein_index_query *query = &task->queries[q];
            if (place > query->position) continue;
            query->scores[place] = score(task, query, task->scratch);
        }
    }
}
