// Products in F32 with weights of any format, compiled once for each ISA after rows_f32.h.
//
// Lane l takes elements 16 s + l by fma, s ascending; then the one reduction. A weight of E4M3 is
// decoded and scaled with one rounding before it is multiplied. Sums of TILE_INPUTS by TILE_VECTORS
// vectors stay in registers; the including file knows how many there are.

/// Rows of the weight that are decoded together: every row of input is read once for all of them.
enum { DECODED_ROWS = 8 };

/// Input rows that stay in the second cache while the rows of the weight pass.
enum { PASSED_INPUTS = 64 };

/// A subnormal code is read with the smallest normal exponent and a hidden one, which is then taken
/// away: exact, and no step is subnormal.
SKEIN_INLINE v16 decode16(u8v codes) {
    u32v wide = __builtin_convertvector(codes, u32v);
    u32v magnitude = wide & 0x7F, sign = (wide & 0x80) << 24;
    i16v is_normal = magnitude >= 8, is_nan = magnitude == 0x7F;
    v16 value = (v16)((magnitude << 20) + (120u << 23));
    v16 shifted = (v16)((magnitude << 20) + (121u << 23)) - splat(0.015625f);  // 2^-6
    value = is_normal ? value : shifted;
    value = is_nan ? splat(__builtin_nanf("")) : value;
    return (v16)((u32v)value | sign);
}

/// Sixty-four codes; an ISA with byte permutes brings its own.
#ifndef SKEIN_DECODE64
#define SKEIN_DECODE64(codes, out)                                                   \
    do {                                                                             \
        for (int v = 0; v < 4; v++) (out)[v] = decode16(*(const u8v *)((codes) + 16 * v)); \
    } while (0)
#endif

/// `count` codes that share a scale.
SKEIN_INLINE void decode_codes(const uint8_t *codes, size_t count, float scale, float *out) {
    size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        v16 numbers[4];
        SKEIN_DECODE64(codes + i, numbers);
        for (int v = 0; v < 4; v++) *(v16 *)(out + i + 16 * v) = numbers[v] * splat(scale);
    }
    for (; i + 16 <= count; i += 16) {
        *(v16 *)(out + i) = decode16(*(const u8v *)(codes + i)) * splat(scale);
    }
    for (; i < count; i++) {
        out[i] = skein_float_of_bf16(skein_bf16_of_f8e4m3(codes[i])) * scale;
    }
}

/// Columns begin ..< begin + count of a row as F32; E4M3 with its scales, or with ones.
SKEIN_INLINE void decode_f32(const skein_weight *weight, size_t row, size_t begin, size_t count,
                             float *out, bool is_scaled) {
    const uint8_t *bytes = skein_weight_row(weight, row);
    if (weight->format == SKEIN_F32) {
        memcpy(out, bytes + 4 * begin, 4 * count);
    } else if (weight->format == SKEIN_BF16) {
        widen_bf16(bytes + 2 * begin, count, out);
    } else if (weight->format == SKEIN_I8) {
        const uint8_t *band = skein_i8_band(weight, row / SKEIN_BAND_ROWS * SKEIN_BAND_ROWS);
        const float *scales = skein_i8_scales(weight, row / SKEIN_BAND_ROWS * SKEIN_BAND_ROWS);
        size_t into = row % SKEIN_BAND_ROWS;
        for (size_t i = begin; i < begin + count; i++) {
            int8_t code = (int8_t)band[i / 4 * 64 + 4 * into + i % 4];
            float scale = scales[i / SKEIN_GROUP_COLUMNS * SKEIN_BAND_ROWS + into];
            out[i - begin] = (float)code * scale;
        }
    } else if (!is_scaled) {
        decode_codes(bytes + begin, count, 1.0f, out);
    } else {
        const float *scales = skein_weight_scales(weight, row);
        for (size_t i = 0; i < count;) {
            size_t block = (begin + i) / weight->block_columns;
            size_t piece = skein_min(count, (block + 1) * weight->block_columns - begin) - i;
            decode_codes(bytes + begin + i, piece, scales[block], out + i);
            i += piece;
        }
    }
}

SKEIN_TARGET static void SKEIN_NAME(decode_row)(const skein_weight *weight, size_t row,
                                                float *out) {
    decode_f32(weight, row, 0, weight->columns, out, true);
}

SKEIN_INLINE void tile_f32(const float *const *weights, const float *const *inputs, size_t columns,
                           float *const *outputs, const int rows, const int count) {
    v16 lanes[TILE_INPUTS][TILE_VECTORS];
    for (int m = 0; m < count; m++) for (int n = 0; n < rows; n++) lanes[m][n] = splat(0.0f);
    size_t k = 0;
    for (; k + 16 <= columns; k += 16) {
        for (int m = 0; m < count; m++) {
            v16 x = *(const v16 *)(inputs[m] + k);
            for (int n = 0; n < rows; n++) {
                v16 w = *(const v16 *)(weights[n] + k);
                lanes[m][n] = __builtin_elementwise_fma(x, w, lanes[m][n]);
            }
        }
    }
    if (k < columns) {
        for (int m = 0; m < count; m++) {
            v16 x = load_some(inputs[m] + k, columns - k, 0.0f);
            for (int n = 0; n < rows; n++) {
                v16 w = load_some(weights[n] + k, columns - k, 0.0f);
                lanes[m][n] = __builtin_elementwise_fma(x, w, lanes[m][n]);
            }
        }
    }
    for (int m = 0; m < count; m++) {
        for (int n = 0; n < rows; n++) outputs[m][n] = reduce16(&lanes[m][n]);
    }
}

/// One row of input and blocks of whole groups: codes go straight into the sums.
SKEIN_INLINE void lone_product_f32(const skein_product *job) {
    const skein_weight *weight = job->weight;
    const float *input = (const float *)job->input +
                         skein_numbered(job->input_rows, 0) * job->input_stride;
    float *output = job->output + skein_numbered(job->output_rows, 0) * job->output_stride;
    for (size_t row = job->row_begin; row < job->row_end; row++) {
        const uint8_t *codes = skein_weight_row(weight, row);
        const float *scales = skein_weight_scales(weight, row);
        v16 lanes = splat(0.0f), w[4];
        for (size_t k = 0; k < weight->columns; k += 64) {
            v16 scale = splat(scales[k / weight->block_columns]);
            SKEIN_DECODE64(codes + k, w);
            for (int v = 0; v < 4; v++) {
                v16 x = *(const v16 *)(input + k + 16 * (size_t)v);
                lanes = __builtin_elementwise_fma(x, w[v] * scale, lanes);
            }
        }
        *output++ = reduce16(&lanes);
    }
}

/// Some decoded rows of the weight against at most TILE_INPUTS rows of input.
SKEIN_INLINE void decoded_tiles_f32(const float *decoded, size_t width,
                                    const float *const *inputs, size_t columns,
                                    float *const *outputs, size_t rows, size_t count) {
    for (size_t row = 0; row < rows; row += TILE_VECTORS) {
        const float *weights[TILE_VECTORS];
        float *targets[TILE_INPUTS];
        size_t some = skein_min(TILE_VECTORS, rows - row);
        for (size_t n = 0; n < some; n++) weights[n] = decoded + (row + n) * width;
        for (size_t m = 0; m < count; m++) targets[m] = outputs[m] + row;
        if (some == TILE_VECTORS && count == TILE_INPUTS) {
            tile_f32(weights, inputs, columns, targets, TILE_VECTORS, TILE_INPUTS);
        } else if (some == TILE_VECTORS && count == 1) {
            tile_f32(weights, inputs, columns, targets, TILE_VECTORS, 1);
        } else {
            for (size_t m = 0; m < count; m++) {
                for (size_t n = 0; n < some; n++) {
                    float *target = targets[m] + n;
                    tile_f32(weights + n, inputs + m, columns, &target, 1, 1);
                }
            }
        }
    }
}

/// Input rows `begin` ..< `end` against all rows of the job's weight.
SKEIN_INLINE void passed_product_f32(const skein_product *job, size_t begin, size_t end) {
    size_t columns = job->weight->columns, width = skein_lanes(columns);
    float *decoded = job->scratch;
    for (size_t row = job->row_begin; row < job->row_end; row += DECODED_ROWS) {
        size_t rows = skein_min(DECODED_ROWS, job->row_end - row);
        for (size_t n = 0; n < rows; n++) {
            decode_f32(job->weight, row + n, 0, columns, decoded + n * width, true);
        }
        for (size_t first = begin; first < end; first += TILE_INPUTS) {
            size_t count = skein_min(TILE_INPUTS, end - first);
            const float *inputs[TILE_INPUTS];
            float *outputs[TILE_INPUTS];
            for (size_t m = 0; m < count; m++) {
                inputs[m] = (const float *)job->input +
                            skein_numbered(job->input_rows, first + m) * job->input_stride;
                outputs[m] = job->output + (row - job->row_begin) +
                             skein_numbered(job->output_rows, first + m) * job->output_stride;
            }
            decoded_tiles_f32(decoded, width, inputs, columns, outputs, rows, count);
        }
    }
}

SKEIN_TARGET static void SKEIN_NAME(product_f32)(const skein_product *job) {
    if (job->count == 1 && job->weight->format == SKEIN_F8E4M3 &&
        job->weight->columns % 64 == 0 && job->weight->block_columns % 64 == 0) {
        lone_product_f32(job);
        return;
    }
    for (size_t first = 0; first < job->count; first += PASSED_INPUTS) {
        passed_product_f32(job, first, skein_min(first + PASSED_INPUTS, job->count));
    }
}

/// Columns of one panel, four vectors.
enum { PANEL = 64 };

/// Four vectors of a row from `column` on, scales left out.
SKEIN_INLINE void load_columns(const skein_weight *weight, size_t row, size_t column, v16 *out) {
    if (weight->format == SKEIN_F8E4M3 && column + PANEL <= weight->columns) {
        SKEIN_DECODE64(skein_weight_row(weight, row) + column, out);
        return;
    }
    float numbers[PANEL] = {0};
    decode_f32(weight, row, column, skein_min(PANEL, weight->columns - column), numbers, false);
    memcpy(out, numbers, sizeof numbers);
}

/// Scales of four vectors of columns, in the rows that share them.
SKEIN_INLINE void load_scales(const skein_weight *weight, size_t row, size_t column, v16 *out) {
    for (int v = 0; v < 4; v++) out[v] = splat(1.0f);
    if (weight->format != SKEIN_F8E4M3) return;
    const float *scales = skein_weight_scales(weight, row);
    size_t end = skein_min(PANEL, weight->columns - column);
    size_t block = column / weight->block_columns;
    if (column + end <= (block + 1) * weight->block_columns) {
        for (int v = 0; v < 4; v++) out[v] = splat(scales[block]);
        return;
    }
    for (size_t c = 0; c < end; c++) {
        out[c / 16][c % 16] = scales[(column + c) / weight->block_columns];
    }
}

/// Rows first ..< first + count of the output, `vectors` vectors of a panel from `begin` on.
SKEIN_INLINE void panel_f32(const skein_transposed *job, const float *panel, size_t column,
                            size_t first, const int count, size_t begin, const int vectors) {
    const skein_weight *weight = job->weight;
    v16 total[TILE_INPUTS][TILE_VECTORS], part[TILE_INPUTS][TILE_VECTORS];
    for (int m = 0; m < count; m++) for (int v = 0; v < vectors; v++) total[m][v] = splat(0.0f);
    for (size_t n = 0; n < job->rows;) {
        // One segment: the rows that share their scales.
        size_t into_block = (weight->first_row + n) % weight->block_rows;
        size_t end = skein_min(job->rows, n + weight->block_rows - into_block);
        size_t segment = n;
        for (int m = 0; m < count; m++) for (int v = 0; v < vectors; v++) part[m][v] = splat(0.0f);
        for (; n < end; n++) {
            float x[TILE_INPUTS];
            for (int m = 0; m < count; m++) {
                x[m] = job->input[(first + (size_t)m) * job->input_stride + n];
            }
            for (int v = 0; v < vectors; v++) {
                v16 w = *(const v16 *)(panel + n * PANEL + 16 * (begin + (size_t)v));
                for (int m = 0; m < count; m++) {
                    part[m][v] = __builtin_elementwise_fma(splat(x[m]), w, part[m][v]);
                }
            }
        }
        v16 scale[4];
        load_scales(weight, segment, column, scale);
        for (int v = 0; v < vectors; v++) {
            for (int m = 0; m < count; m++) {
                total[m][v] =
                    __builtin_elementwise_fma(part[m][v], scale[begin + (size_t)v], total[m][v]);
            }
        }
    }
    size_t from = column + 16 * begin;
    if (from >= weight->columns) return;
    size_t width = skein_min(16 * (size_t)vectors, weight->columns - from);
    for (int m = 0; m < count; m++) {
        memcpy(job->output + (first + m) * job->output_stride + from, total[m],
               width * sizeof(float));
    }
}

/// One row of input: the weight goes straight from its bytes into the sums.
SKEIN_INLINE void lone_row_f32(const skein_transposed *job, size_t column) {
    const skein_weight *weight = job->weight;
    v16 total[4], part[4], scale[4], w[4];
    for (int v = 0; v < 4; v++) total[v] = splat(0.0f);
    for (size_t n = 0; n < job->rows;) {
        size_t into_block = (weight->first_row + n) % weight->block_rows;
        size_t end = skein_min(job->rows, n + weight->block_rows - into_block);
        load_scales(weight, n, column, scale);
        for (int v = 0; v < 4; v++) part[v] = splat(0.0f);
        for (; n < end; n++) {
            load_columns(weight, n, column, w);
            v16 x = splat(job->input[n]);
            for (int v = 0; v < 4; v++) part[v] = __builtin_elementwise_fma(x, w[v], part[v]);
        }
        for (int v = 0; v < 4; v++) {
            total[v] = __builtin_elementwise_fma(part[v], scale[v], total[v]);
        }
    }
    size_t width = skein_min(PANEL, weight->columns - column);
    memcpy(job->output + column, total, width * sizeof(float));
}

SKEIN_TARGET static void SKEIN_NAME(transposed_f32)(const skein_transposed *job) {
    if (job->count == 1) {
        for (size_t column = 0; column < job->weight->columns; column += PANEL) {
            lone_row_f32(job, column);
        }
        return;
    }
    float *panel = job->scratch;
    for (size_t column = 0; column < job->weight->columns; column += PANEL) {
        size_t width = skein_min(PANEL, job->weight->columns - column);
        for (size_t n = 0; n < job->rows; n++) {
            float *row = panel + n * PANEL;
            decode_f32(job->weight, n, column, width, row, false);
            memset(row + width, 0, (PANEL - width) * sizeof(float));
        }
        for (size_t begin = 0; begin < PANEL / 16; begin += TILE_VECTORS) {
            size_t first = 0;
            for (; first + TILE_INPUTS <= job->count; first += TILE_INPUTS) {
                panel_f32(job, panel, column, first, TILE_INPUTS, begin, TILE_VECTORS);
            }
            for (; first < job->count; first++) {
                panel_f32(job, panel, column, first, 1, begin, TILE_VECTORS);
            }
        }
    }
}
