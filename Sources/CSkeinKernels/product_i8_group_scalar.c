// The meaning of an INT8 product: the codes of each group are multiplied and summed exactly, and
// the sums, one after the other, are added by fma with the product of both scales.
#include "kernels.h"
#include "twins.h"

static int32_t sum_codes(const int8_t *input, const uint8_t *weight, size_t begin, size_t end) {
    int32_t sum = 0;
    for (size_t k = begin; k < end; k++) {
        sum += (int32_t)input[k] * (int8_t)weight[k / 4 * 64 + k % 4];
    }
    return sum;
}

void skein_product_i8_group_scalar(const skein_product *job) {
    const skein_weight *weight = job->weight;
    size_t columns = weight->columns;
    for (size_t row = job->row_begin; row < job->row_end; row++) {
        size_t into = row % SKEIN_BAND_ROWS;
        const uint8_t *codes = skein_i8_band(weight, row - into) + 4 * into;
        const float *scales = skein_i8_scales(weight, row - into) + into;
        for (size_t i = 0; i < job->count; i++) {
            const int8_t *input = (const int8_t *)job->input +
                                  skein_numbered(job->input_rows, i) * job->input_stride;
            const float *input_scales = skein_i8_row_scales(input, columns);
            float total = 0;
            for (size_t group = 0; group < skein_groups(columns); group++) {
                size_t begin = group * SKEIN_GROUP_COLUMNS;
                size_t end = skein_min(columns, begin + SKEIN_GROUP_COLUMNS);
                float scale = scales[group * SKEIN_BAND_ROWS] * input_scales[group];
                total = __builtin_fmaf((float)sum_codes(input, codes, begin, end), scale, total);
            }
            job->output[skein_numbered(job->output_rows, i) * job->output_stride + row -
                        job->row_begin] = total;
        }
    }
}
