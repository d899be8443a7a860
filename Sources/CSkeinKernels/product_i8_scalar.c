// The meaning of an INT8 product: the codes of each block are multiplied and summed exactly, and
// the sums, one after the other, are added by fma with the product of both scales.
#include "kernels.h"
#include "twins.h"

void skein_prepare_i8(const skein_kernels *kernels, const skein_packed *weight,
                      const float *values, size_t begin, size_t count, uint8_t *row) {
    float *scales = skein_i8_row_scales(weight, row);
    int32_t *sums = skein_i8_row_sums(weight, row);
    size_t end = begin + count;
    for (; begin < end; begin += SKEIN_I8_COLUMNS, values += SKEIN_I8_COLUMNS) {
        size_t block = begin / SKEIN_I8_COLUMNS, width = skein_min(SKEIN_I8_COLUMNS, end - begin);
        memset(row + begin, 0, skein_padded(width));
        kernels->quantize_i8(values, width, (int8_t *)row + begin, scales + block, sums + block);
    }
}

static int32_t sum_codes(const int8_t *input, const uint8_t *lines, size_t begin, size_t end) {
    int32_t sum = 0;
    for (size_t k = begin; k < end; k++) {
        sum += (int32_t)input[k] * (int8_t)lines[k / 4 * SKEIN_LINE_BYTES + k % 4];
    }
    return sum;
}

void skein_product_i8_scalar(const skein_product *job) {
    const skein_packed *weight = job->weight;
    size_t first = job->panel_begin * SKEIN_PANEL_ROWS;
    size_t end = skein_min(job->panel_end * SKEIN_PANEL_ROWS, weight->rows);
    for (size_t row = first; row < end; row++) {
        size_t panel = row / SKEIN_PANEL_ROWS, output = row % SKEIN_PANEL_ROWS;
        const uint8_t *lines = skein_panel(weight, panel) + 4 * output;
        const float *scales = skein_i8_scales(weight, panel) + output;
        for (size_t i = 0; i < job->count; i++) {
            const uint8_t *input = job->input + skein_i8_row_bytes(weight) *
                                                    skein_numbered(job->input_rows, i);
            const float *input_scales = skein_i8_row_scales(weight, input);
            float total = 0;
            for (size_t block = 0; block < skein_block_count(weight); block++) {
                size_t begin = block * SKEIN_I8_COLUMNS;
                size_t stop = skein_min(weight->columns, begin + SKEIN_I8_COLUMNS);
                float scale = scales[block * SKEIN_PANEL_ROWS] * input_scales[block];
                int32_t sum = sum_codes((const int8_t *)input, lines, begin, stop);
                total = __builtin_fmaf((float)sum, scale, total);
            }
            job->output[skein_numbered(job->output_rows, i) * job->output_stride + row - first] =
                total;
        }
    }
}
