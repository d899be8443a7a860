// The meaning of an E4M3 product: each scale block is summed as in product_bf16_scalar.c in fresh
// lanes, and then every lane is added to its total by fma with the block's scale.
#include "kernels.h"
#include "twins.h"

void skein_product_f8e4m3_block_scalar(const skein_product *job) {
    const skein_weight *weight = job->weight;
    for (size_t row = job->row_begin; row < job->row_end; row++) {
        const uint8_t *codes = skein_weight_row(weight, row);
        const float *scales = skein_weight_scales(weight, row);
        for (size_t i = 0; i < job->count; i++) {
            const uint16_t *input = (const uint16_t *)job->input +
                                    skein_numbered(job->input_rows, i) * job->input_stride;
            float totals[SKEIN_LANES] = {0};
            for (size_t begin = 0; begin < weight->columns; begin += weight->block_columns) {
                size_t count = skein_min(weight->block_columns, weight->columns - begin);
                float lanes[SKEIN_LANES] = {0};
                for (size_t k = 0; k < skein_padded(count); k += 2) {
                    uint8_t even = k < count ? codes[begin + k] : 0;
                    uint8_t odd = k + 1 < count ? codes[begin + k + 1] : 0;
                    float *lane = &lanes[k / 2 % SKEIN_LANES];
                    *lane = __builtin_fmaf(skein_float_of_bf16(input[k + 1]),
                                           skein_float_of_bf16(skein_bf16_of_f8e4m3(odd)), *lane);
                    *lane = __builtin_fmaf(skein_float_of_bf16(input[k]),
                                           skein_float_of_bf16(skein_bf16_of_f8e4m3(even)), *lane);
                }
                float scale = scales[begin / weight->block_columns];
                for (int l = 0; l < SKEIN_LANES; l++) {
                    totals[l] = __builtin_fmaf(lanes[l], scale, totals[l]);
                }
                input += skein_padded(count);
            }
            job->output[skein_numbered(job->output_rows, i) * job->output_stride + row -
                        job->row_begin] = skein_reduce(totals);
        }
    }
}
