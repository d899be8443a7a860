// INT8 products, sixteen outputs of a panel along lanes, so that no sum is ever gathered from
// lanes; compiled for each way to multiply four codes by four, which the including file gives:
//
//     VECTOR, VECTORS         an integer vector, and how many are sixteen lanes
//     begin_sums(sum)         what a block's sums begin with, of the sum of an input's codes
//     spread_codes(four)      four codes of an input in every lane
//     add_products(sums, w, x)
//     PANELS_MAX, ROWS_MAX    panels and rows of input whose sums stay in registers
//     KEEP(sums)              makes the compiler believe that sums change
//     PEAK_STEP(sums, w, x)   what a peak is measured by: no more than the multiplying

SKEIN_INLINE void i8_tile(const skein_packed *weight, size_t panel, const uint8_t *const *inputs,
                          float *const *outputs, const int panels, const int count) {
    v16 totals[ROWS_MAX][PANELS_MAX];
    const uint8_t *lines[PANELS_MAX];
    const float *scales[PANELS_MAX];
    for (int p = 0; p < panels; p++) {
        lines[p] = skein_panel(weight, panel + (size_t)p);
        scales[p] = skein_i8_scales(weight, panel + (size_t)p);
        for (int m = 0; m < count; m++) totals[m][p] = splat(0.0f);
    }
    size_t words = skein_packed_columns(weight) / 4, block_words = SKEIN_I8_COLUMNS / 4;
    for (size_t first = 0, block = 0; first < words; first += block_words, block++) {
        VECTOR sums[ROWS_MAX][PANELS_MAX][VECTORS];
        for (int m = 0; m < count; m++) {
            int32_t sum = skein_i8_row_sums(weight, inputs[m])[block];
            for (int p = 0; p < panels; p++) {
                for (int v = 0; v < VECTORS; v++) sums[m][p][v] = begin_sums(sum);
            }
        }
        size_t end = skein_min(words, first + block_words);
        for (size_t word = first; word < end; word++) {
#pragma clang loop unroll(full)
            for (int m = 0; m < count; m++) {
                int32_t four;
                memcpy(&four, inputs[m] + 4 * word, 4);
                input_codes x = spread_codes(four);
#pragma clang loop unroll(full)
                for (int p = 0; p < panels; p++) {
#pragma clang loop unroll(full)
                    for (size_t v = 0; v < VECTORS; v++) {
                        VECTOR w;
                        memcpy(&w, lines[p] + SKEIN_LINE_BYTES * word + sizeof w * v, sizeof w);
                        sums[m][p][v] = add_products(sums[m][p][v], w, x);
                    }
                }
            }
        }
        for (int m = 0; m < count; m++) {
            v16 scale = splat(skein_i8_row_scales(weight, inputs[m])[block]);
            for (int p = 0; p < panels; p++) {
                v16 both = *(const v16 *)(scales[p] + SKEIN_PANEL_ROWS * block) * scale;
                i16v integers;
                memcpy(&integers, sums[m][p], sizeof integers);
                v16 numbers = __builtin_convertvector(integers, v16);
                totals[m][p] = __builtin_elementwise_fma(numbers, both, totals[m][p]);
            }
        }
    }
    for (int p = 0; p < panels; p++) {
        size_t row = (panel + (size_t)p) * SKEIN_PANEL_ROWS;
        size_t width = skein_min(SKEIN_PANEL_ROWS, weight->rows - row);
        for (int m = 0; m < count; m++) {
            memcpy(outputs[m] + SKEIN_PANEL_ROWS * p, &totals[m][p], width * sizeof(float));
        }
    }
}

#define I8_CASE(panels, count) \
    case (panels) * 8 + (count): i8_tile(weight, panel, inputs, outputs, panels, count); break;

SKEIN_TARGET void SKEIN_NAME(skein_product_i8)(const skein_product *job) {
    const skein_packed *weight = job->weight;
    // Alone a row of input reads several streams of memory; in company a weight is used more often.
    size_t side = job->count == 1 ? PANELS_MAX : PANELS_IN_COMPANY;
    for (size_t panel = job->panel_begin; panel < job->panel_end;) {
        size_t left = job->panel_end - panel;
        size_t panels = left >= side ? side : left >= 2 ? 2 : 1;
        for (size_t first = 0; first < job->count; first += ROWS_MAX) {
            size_t count = skein_min(ROWS_MAX, job->count - first);
            const uint8_t *inputs[ROWS_MAX];
            float *outputs[ROWS_MAX];
            for (size_t m = 0; m < count; m++) {
                inputs[m] = job->input + skein_i8_row_bytes(weight) *
                                             skein_numbered(job->input_rows, first + m);
                outputs[m] = job->output + (panel - job->panel_begin) * SKEIN_PANEL_ROWS +
                             skein_numbered(job->output_rows, first + m) * job->output_stride;
            }
            switch (panels * 8 + count) { I8_CASES }
        }
        panel += panels;
    }
}

/// Independent sums of products of codes; returns the multiplies and adds.
SKEIN_TARGET double SKEIN_NAME(skein_peak_i8)(size_t rounds) {
    enum { SUMS = 12 };
    VECTOR sums[SUMS], w;
    memset(&w, 3, sizeof w);
    memset(sums, 0, sizeof sums);
    int32_t four = 0x03030303;
    __asm__ volatile("" : "+r"(four));
    input_codes x = spread_codes(four);
    for (size_t i = 0; i < rounds; i++) {
#pragma clang loop unroll(full)
        for (int l = 0; l < SUMS; l++) {
            sums[l] = PEAK_STEP(sums[l], w, x);
            KEEP(sums[l]);
        }
    }
    __asm__ volatile("" : : "r"(sums) : "memory");
    return 2.0 * SUMS * sizeof(VECTOR) * (double)rounds;
}
