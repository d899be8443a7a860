// The meaning of a product: columns in groups of 32, in each an even chain and an odd one from
// zero, whose sum is added to the block's. A block's sum enters the total by fma with its scale;
// without scales the sum over all columns is the total.
//
// INT4 codes have a scale for each group, whose chains are multiplied by it as they are. The last
// group of a block is padded with zeros, which turn a sum of -0 into +0.
#include "kernels.h"
#include "twins.h"

size_t skein_f32_row_bytes_scalar(const skein_packed *weight) {
    return weight->columns * sizeof(float);
}

void skein_prepare_exact_scalar(const skein_packed *weight, const float *values, size_t begin,
                                size_t count, uint8_t *row) {
    (void)weight;
    memcpy((float *)(uintptr_t)row + begin, values, count * sizeof(float));
}

void skein_prepare_scalar(const skein_packed *weight, const float *values, size_t begin,
                          size_t count, uint8_t *row) {
    (void)weight;
    float *out = (float *)(uintptr_t)row + begin;
    for (size_t i = 0; i < count; i++) out[i] = skein_float_of_bf16(skein_bf16_of_float(values[i]));
}

/// One chain of a group of at most 32 columns: every second one from `first` on.
static float chain(const skein_packed *weight, const uint8_t *panel, size_t output, size_t place,
                   const float *input, size_t first, size_t count) {
    float sum = 0;
    for (size_t k = first; k < SKEIN_GROUP_COLUMNS; k += 2) {
        float x = k < count ? input[k] : 0;
        float w = k < count ? skein_packed_number(weight, panel, output, place + k) : 0;
        sum = __builtin_fmaf(x, w, sum);
    }
    return sum;
}

static float element(const skein_packed *weight, size_t row, const float *input) {
    const uint8_t *panel = skein_panel(weight, row / SKEIN_PANEL_ROWS);
    size_t output = row % SKEIN_PANEL_ROWS;
    float total = 0;
    skein_block block = skein_first_block(weight);
    for (; skein_is_block(weight, &block); skein_next_block(weight, &block)) {
        float sum = 0;
        for (size_t begin = 0; begin < block.width; begin += SKEIN_GROUP_COLUMNS) {
            size_t count = skein_min(SKEIN_GROUP_COLUMNS, block.width - begin);
            const float *x = input + block.column + begin;
            float even = chain(weight, panel, output, block.place + begin, x, 0, count);
            float odd = chain(weight, panel, output, block.place + begin, x, 1, count);
            sum = weight->format == SKEIN_I4 ? even + odd : sum + (even + odd);
        }
        float scale = skein_packed_scale(weight, row, block.number);
        bool is_scaled = skein_format_of(weight)->scale_bytes != 0;
        total = is_scaled ? __builtin_fmaf(scale, sum, total) : sum;
    }
    return total;
}

void skein_product_scalar(const skein_product *job) {
    const skein_packed *weight = job->weight;
    size_t first = job->panel_begin * SKEIN_PANEL_ROWS;
    size_t end = skein_min(job->panel_end * SKEIN_PANEL_ROWS, weight->rows);
    for (size_t i = 0; i < job->count; i++) {
        const uint8_t *input = job->input + skein_f32_row_bytes_scalar(weight) *
                                                skein_numbered(job->input_rows, i);
        float *output = job->output + skein_numbered(job->output_rows, i) * job->output_stride;
        for (size_t row = first; row < end; row++) {
            output[row - first] = element(weight, row, (const float *)(uintptr_t)input);
        }
    }
}
