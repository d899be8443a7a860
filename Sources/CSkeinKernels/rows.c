// Rows, small and large: the doors to the row kernels, and the few that need no ISA.
#include "kernels.h"

typedef struct {
    const skein_kernels *kernels;
    const float *input, *weight;
    float *output;
    size_t input_stride, output_stride, columns, count, tile_rows;
    float epsilon;
} normalize_job;

static void normalize_tile(void *arguments, size_t tile, size_t thread) {
    (void)thread;
    const normalize_job *job = arguments;
    size_t end = skein_min(job->count, (tile + 1) * job->tile_rows);
    for (size_t m = tile * job->tile_rows; m < end; m++) {
        job->kernels->normalize(job->input + m * job->input_stride, job->weight, job->epsilon,
                                job->output + m * job->output_stride, job->columns);
    }
}

void skein_normalize(skein_pool *pool, const float *input, size_t input_stride, const float *weight,
                     float epsilon, float *output, size_t output_stride, size_t columns,
                     size_t count) {
    normalize_job job = {skein_kernels_of(skein_pool_isa(pool)), input, weight, output,
                         input_stride, output_stride, columns, count, 16, epsilon};
    skein_pool_lock(pool);
    skein_pool_run(pool, (count + job.tile_rows - 1) / job.tile_rows, normalize_tile, &job);
    skein_pool_unlock(pool);
}

/// Rotates pairs of which `step` numbers lie between the first ones and `apart` between the two.
static inline void rotate(float *row, size_t head_count, size_t head_stride, const float *cosines,
                          const float *sines, size_t pairs, size_t step, size_t apart) {
    skein_floating_state state = skein_flush_subnormals();
    for (size_t h = 0; h < head_count; h++) {
        float *head = row + h * head_stride;
        for (size_t i = 0; i < pairs; i++) {
            float x = head[step * i], y = head[step * i + apart];
            float xs = x * sines[i], xc = x * cosines[i], ys = y * sines[i], yc = y * cosines[i];
            head[step * i] = xc - ys;
            head[step * i + apart] = xs + yc;
        }
    }
    skein_restore(state);
}

void skein_rotate_interleaved(float *row, size_t head_count, size_t head_stride,
                              const float *cosines, const float *sines, size_t pairs) {
    rotate(row, head_count, head_stride, cosines, sines, pairs, 2, 1);
}

void skein_rotate_half_split(float *row, size_t head_count, size_t head_stride,
                             const float *cosines, const float *sines, size_t pairs) {
    rotate(row, head_count, head_stride, cosines, sines, pairs, 1, pairs);
}

void skein_transform_hadamard(float *row, size_t head_count, size_t width) {
    skein_floating_state state = skein_flush_subnormals();
    float factor = 1.0f / __builtin_sqrtf((float)width);
    for (size_t h = 0; h < head_count; h++) {
        float *head = row + h * width;
        for (size_t apart = 1; apart < width; apart *= 2) {
            for (size_t i = 0; i < width; i++) {
                if (i & apart) continue;
                float x = head[i], y = head[i + apart];
                head[i] = x + y;
                head[i + apart] = x - y;
            }
        }
        for (size_t i = 0; i < width; i++) head[i] *= factor;
    }
    skein_restore(state);
}

void skein_normalize_layer(float *row, const float *weight, const float *bias, float epsilon,
                           size_t columns) {
    skein_floating_state state = skein_flush_subnormals();
    float sums[SKEIN_LANES] = {0}, squares[SKEIN_LANES] = {0};
    for (size_t c = 0; c < columns; c++) sums[c % SKEIN_LANES] += row[c];
    float mean = skein_reduce(sums) / (float)columns;
    for (size_t c = 0; c < columns; c++) {
        float difference = row[c] - mean, *square = &squares[c % SKEIN_LANES];
        *square = __builtin_fmaf(difference, difference, *square);
    }
    float inverse = 1.0f / __builtin_sqrtf(skein_reduce(squares) / (float)columns + epsilon);
    for (size_t c = 0; c < columns; c++) {
        row[c] = __builtin_fmaf((row[c] - mean) * inverse, weight[c], bias[c]);
    }
    skein_restore(state);
}

#define SKEIN_FLUSHED(statement)                              \
    do {                                                      \
        skein_floating_state state = skein_flush_subnormals(); \
        statement;                                            \
        skein_restore(state);                                 \
    } while (0)

void skein_softmax(int isa, float *row, size_t count) {
    SKEIN_FLUSHED(skein_kernels_of(isa)->softmax(row, count));
}

void skein_sigmoid(int isa, float *values, size_t count) {
    SKEIN_FLUSHED(skein_kernels_of(isa)->sigmoid(values, count));
}

void skein_exp(int isa, float *values, size_t count) {
    SKEIN_FLUSHED(skein_kernels_of(isa)->exp(values, count));
}

void skein_silu_product(int isa, float *gate, const float *up, size_t count) {
    SKEIN_FLUSHED(skein_kernels_of(isa)->silu_product(gate, up, count));
}

float skein_log_sum_exp(int isa, const float *row, size_t count) {
    float largest = -__builtin_inff(), sum = 0;
    for (size_t i = 0; i < count; i++) largest = row[i] > largest ? row[i] : largest;
    SKEIN_FLUSHED(sum = skein_kernels_of(isa)->sum_exp(row, largest, count));
    return (float)(__builtin_log((double)sum) + (double)largest);
}

void skein_add(float *target, const float *addend, size_t count) {
    SKEIN_FLUSHED(for (size_t i = 0; i < count; i++) target[i] += addend[i]);
}

void skein_round_bf16(float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        values[i] = skein_float_of_bf16(skein_bf16_of_float(values[i]));
    }
}

void skein_pack_bf16(uint16_t *out, const float *in, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] = skein_bf16_of_float(in[i]);
}

void skein_unpack_bf16(float *out, const uint8_t *in, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] = skein_float_of_bf16(skein_load_bf16(in + 2 * i));
}

void skein_add_scaled(float *target, const float *addend, float weight, size_t count) {
    SKEIN_FLUSHED(for (size_t i = 0; i < count; i++) {
        // Two roundings: a fused one would need the same instruction on every machine.
        float product = weight * addend[i];
        target[i] += product;
    });
}

/// A NaN comes after every number.
static bool is_before(float value, float other) {
    return value > other || (other != other && value == value);
}

void skein_top(const float *row, size_t count, size_t kept, int32_t *places) {
    size_t held = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = held;
        while (at > 0 && is_before(row[i], row[places[at - 1]])) at--;
        if (at >= kept) continue;
        if (held < kept) held++;
        for (size_t j = held - 1; j > at; j--) places[j] = places[j - 1];
        places[at] = (int32_t)i;
    }
    for (; held < kept; held++) places[held] = -1;
}

float skein_f8e4m3_decode(uint8_t code) { return skein_float_of_bf16(skein_bf16_of_f8e4m3(code)); }

uint8_t skein_f8e4m3_encode(float value) {
    uint32_t bits = skein_bits_of_float(value);
    uint8_t sign = (uint8_t)(bits >> 24 & 0x80);
    uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) return sign | 0x7F;
    if (magnitude >= 0x43E00000) return sign | 0x7E;  // 448 and beyond
    if (magnitude < 0x3C800000) {
        // Below 2^-6 the step is 2^-9: adding 2^14 makes it the last bit of a float.
        float shifted = skein_float_of_bits(magnitude) + 16384.0f;
        return sign | (uint8_t)(skein_bits_of_float(shifted) - 0x46800000);
    }
    uint32_t rounded = magnitude + 0x7FFFF + (magnitude >> 20 & 1);
    return sign | (uint8_t)((rounded >> 20) - (120 << 3));
}

/// The scales may lie at any address.
static void pack_tiles(const skein_kernels *kernels, const float *row, size_t columns,
                       uint8_t *codes, uint8_t *scales) {
    for (size_t c = 0; c < columns; c += SKEIN_TILE_COLUMNS) {
        float scale;
        kernels->quantize_f8e4m3(row + c, skein_min(SKEIN_TILE_COLUMNS, columns - c), codes + c,
                                 &scale);
        memcpy(scales + 4 * (c / SKEIN_TILE_COLUMNS), &scale, 4);
    }
}

void skein_pack_tiles(int isa, const float *row, size_t columns, uint8_t *codes, float *scales) {
    pack_tiles(skein_kernels_of(isa), row, columns, codes, (uint8_t *)scales);
}

void skein_unpack_tiles(int isa, const uint8_t *codes, const float *scales, size_t columns,
                        float *row) {
    for (size_t c = 0; c < columns; c += SKEIN_TILE_COLUMNS) {
        skein_kernels_of(isa)->decode_f8e4m3(codes + c, skein_min(SKEIN_TILE_COLUMNS, columns - c),
                                             scales[c / SKEIN_TILE_COLUMNS], row + c);
    }
}

void skein_pack_latent(int isa, uint8_t *row, const float *in, size_t width, size_t coded_width) {
    pack_tiles(skein_kernels_of(isa), in, coded_width, row, row + coded_width);
    uint8_t *plain = row + skein_latent_plain(coded_width);
    for (size_t c = coded_width; c < width; c++) {
        uint16_t bits = skein_bf16_of_float(in[c]);
        memcpy(plain + 2 * (c - coded_width), &bits, 2);
    }
}

void skein_unpack_latent(float *out, const uint8_t *row, size_t width, size_t coded_width) {
    for (size_t c = 0; c < coded_width; c++) {
        float scale = skein_latent_scale(row, coded_width, c);
        out[c] = skein_f8e4m3_decode(row[c]) * scale;
    }
    const uint8_t *plain = row + skein_latent_plain(coded_width);
    skein_unpack_bf16(out + coded_width, plain, width - coded_width);
}

void skein_decode_row_by(const skein_kernels *kernels, const skein_weight *weight, size_t row,
                         float *out) {
    size_t bits = skein_formats[weight->format].bits;
    const uint8_t *bytes = weight->bytes + row * ((weight->columns * bits + 7) / 8);
    const float *scales = weight->scales + (weight->first_row + row) / weight->block_rows *
                                               weight->scale_columns;
    skein_floating_state state = skein_flush_subnormals();
    if (weight->format == SKEIN_F8E4M3) {
        for (size_t c = 0; c < weight->columns; c += weight->block_columns) {
            size_t count = skein_min(weight->block_columns, weight->columns - c);
            kernels->decode_f8e4m3(bytes + c, count, scales[c / weight->block_columns], out + c);
        }
    } else if (weight->format == SKEIN_BF16) {
        skein_unpack_bf16(out, bytes, weight->columns);
    } else if (weight->format == SKEIN_F32) {
        memcpy(out, bytes, 4 * weight->columns);
    } else {
        for (size_t c = 0; c < weight->columns; c++) {
            float scale = scales[c / weight->block_columns];
            int code = weight->format == SKEIN_I4 ? (bytes[c / 2] >> 4 * (c % 2) & 15) - 8
                                                  : (int8_t)bytes[c];
            out[c] = (float)code * scale;
        }
    }
    skein_restore(state);
}

void skein_decode_row(const skein_weight *weight, size_t row, float *out) {
    skein_decode_row_by(&skein_kernels_scalar, weight, row, out);
}
