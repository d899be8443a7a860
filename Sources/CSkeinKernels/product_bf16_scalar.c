// The meaning of a BF16 product: sixteen lanes; at each step of 32 columns lane l adds columns
// 2l + 1 and then 2l, one fma each. vdpbf16ps does exactly this, subnormals flushed.
#include "kernels.h"
#include "twins.h"

void skein_product_bf16_scalar(const skein_product *job) {
    size_t columns = job->weight->columns;
    for (size_t row = job->row_begin; row < job->row_end; row++) {
        const uint8_t *weight = skein_weight_row(job->weight, row);
        for (size_t i = 0; i < job->count; i++) {
            const uint16_t *input = (const uint16_t *)job->input +
                                    skein_numbered(job->input_rows, i) * job->input_stride;
            float lanes[SKEIN_LANES] = {0};
            for (size_t k = 0; k < skein_padded(columns); k += 2) {
                float even = k < columns ? skein_float_of_bf16(skein_load_bf16(weight + 2 * k)) : 0;
                float odd = k + 1 < columns
                                ? skein_float_of_bf16(skein_load_bf16(weight + 2 * k + 2)) : 0;
                float *lane = &lanes[k / 2 % SKEIN_LANES];
                *lane = __builtin_fmaf(skein_float_of_bf16(input[k + 1]), odd, *lane);
                *lane = __builtin_fmaf(skein_float_of_bf16(input[k]), even, *lane);
            }
            job->output[skein_numbered(job->output_rows, i) * job->output_stride + row -
                        job->row_begin] = skein_reduce(lanes);
        }
    }
}
