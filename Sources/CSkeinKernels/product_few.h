// Products of few rows: numbers are multiplied as they are decoded; what decodes and prepares is
// here, too. Included by product.h alone.

/// Up to so many rows a weight is decoded as it is read; a case each below.
enum { DIRECT_ROWS = 6 };

/// So many passes over a tile, which the second cache keeps, take less than decoding it once.
enum { DIRECT_PASSES = 2 };

/// Columns that are decoded at once: 8 KB of F32.
enum { CHUNK_COLUMNS = 128 };

/// A tiny E4M3 number is the true one times 2^-120: its bits are the code's, moved.
#define TINY_FACTOR 0x1p120f

/// Rows of input that are multiplied by a decoded chunk before the next one: their columns and
/// their outputs of a tile stay in the second cache.
enum { PASSED_ROWS = 240 };

/// How the numbers of a weight become vectors.
typedef enum {
    AS_STORED,   // one way only
    TINY_CODES,  // E4M3 times 2^-120, which the input makes good
    TRUE_CODES,  // E4M3 as it is
    ANY_CODES,   // E4M3 with codes that are no number
} decoding;

/// Column `j` of a unit of eight, for sixteen outputs.
SKEIN_INLINE v16 decode_step(const uint8_t *unit, const int format, const decoding way,
                             const int j) {
    if (format == SKEIN_F32) return *(const v16 *)(unit + SKEIN_LINE_BYTES * j);
    if (format == SKEIN_BF16) {
        u32v words = *(const u32v_at_any *)(unit + SKEIN_LINE_BYTES * (j / 2));
        return (v16)(j % 2 == 0 ? words << 16 : words & 0xFFFF0000);
    }
    if (format == SKEIN_I4) {
        // 2^23 and a code are one number; so is the code less 8.
        u32v words = *(const u32v_at_any *)unit;
        return (v16)((words >> 4 * j & 15) | 0x4B000000) - splat(8388616.0f);
    }
    u32v words = *(const u32v_at_any *)(unit + SKEIN_LINE_BYTES * (j / 4));
    i16v high = (i16v)(words << (24 - 8 * (j % 4)));
    if (format == SKEIN_I8) return __builtin_convertvector(high >> 24, v16);
    v16 tiny = (v16)((u32v)(high >> 4) & 0x87F00000);
    if (way == TINY_CODES) return tiny;
    v16 value = tiny * splat(TINY_FACTOR);
    if (way == TRUE_CODES) return value;
    return ((u32v)tiny & 0x7F00000) == 0x7F00000 ? splat(__builtin_nanf("")) : value;
}

/// The scales of a block for the outputs of a panel.
SKEIN_INLINE v16 scales_of(const skein_packed *weight, const uint8_t *scales, size_t block) {
    size_t bytes = skein_format_of(weight)->scale_bytes;
    const uint8_t *from = scales + block * skein_scale_lanes(weight) * bytes;
    if (!weight->has_row_scales) return splat(skein_load_f32(from));
    if (bytes == 4) return *(const v16 *)from;
    u16v halves;
    memcpy(&halves, from, sizeof halves);
    return (v16)(__builtin_convertvector(halves, u32v) << 16);
}

/// From one prepared row to the next: an odd number of lines, so that rows side by side do not fall
/// into the same sets of the first cache.
static size_t SKEIN_NAME(row_bytes)(const skein_packed *weight) {
    size_t bytes = skein_packed_columns(weight) * sizeof(float);
    return bytes % 128 == 0 ? bytes + 64 : bytes;
}

/// Numbers of a prepared row: none is subnormal, and BF16 ones where they are rounded.
SKEIN_INLINE void prepare_piece(const float *values, size_t count, float *out, bool is_rounded) {
    for (size_t i = 0; i < count; i += 16) {
        size_t some = skein_min(16, count - i);
        u32v bits = (u32v)load_some(values + i, some, 0.0f);
        if (is_rounded) {
            u32v rounded = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000;
            u32v quiet = (bits & 0xFFFF0000) | 0x400000;
            bits = (bits & 0x7FFFFFFF) > 0x7F800000 ? quiet : rounded;
        }
        bits = (bits & 0x7F800000) == 0 ? bits & 0x80000000 : bits;
        memcpy(out + i, &bits, some * sizeof(float));
    }
}

SKEIN_INLINE void prepare_columns(const skein_packed *weight, const float *values, size_t begin,
                                  size_t count, float *row, bool is_rounded) {
    size_t end = begin + count;
    skein_block block = skein_first_block(weight);
    for (; skein_is_block(weight, &block); skein_next_block(weight, &block)) {
        size_t first = block.column > begin ? block.column : begin;
        size_t last = skein_min(block.column + block.width, end);
        if (first >= last) continue;
        float *target = row + block.place;
        prepare_piece(values + first - begin, last - first, target + first - block.column,
                      is_rounded);
        if (last < block.column + block.width) continue;
        memset(target + block.width, 0, (block.padded - block.width) * sizeof(float));
    }
}

SKEIN_TARGET static void SKEIN_NAME(prepare_exact)(const skein_packed *weight, const float *values,
                                                   size_t begin, size_t count, uint8_t *row) {
    prepare_columns(weight, values, begin, count, (float *)(uintptr_t)row, false);
}

SKEIN_TARGET static void SKEIN_NAME(prepare)(const skein_packed *weight, const float *values,
                                             size_t begin, size_t count, uint8_t *row) {
    prepare_columns(weight, values, begin, count, (float *)(uintptr_t)row, true);
}

// ---- few rows: numbers are multiplied as they are decoded -------------------------------------

/// Which chains of a group are summed in a pass over it.
typedef enum { EVEN, ODD, BOTH } chains;

SKEIN_INLINE void direct_pass(const uint8_t *const *lines, const float *const *x, v16 (*even)[2],
                              v16 (*odd)[2], const int format, const decoding way,
                              const int rows, const int panels, const chains which) {
    const size_t bits = format == SKEIN_F32 ? 32 : format == SKEIN_BF16 ? 16
                        : format == SKEIN_I4 ? 4 : 8;
    const size_t unit_bytes = bits * SKEIN_PANEL_ROWS * SKEIN_UNIT_COLUMNS / 8;
    for (int m = 0; m < rows; m++) {
        for (int p = 0; p < panels; p++) {
            if (which != ODD) even[m][p] = splat(0.0f);
            if (which != EVEN) odd[m][p] = splat(0.0f);
        }
    }
#pragma clang loop unroll(disable)
    for (size_t unit = 0; unit < SKEIN_GROUP_COLUMNS / SKEIN_UNIT_COLUMNS; unit++) {
        for (int p = 0; p < panels && which != ODD; p++) {
            for (size_t line = 0; line < unit_bytes; line += SKEIN_LINE_BYTES) {
                __builtin_prefetch(lines[p] + unit * unit_bytes + line + PREFETCH_BYTES);
            }
        }
#pragma clang loop unroll(full)
        for (int j = which == ODD; j < SKEIN_UNIT_COLUMNS; j += which == BOTH ? 1 : 2) {
            v16 w[2], (*sums)[2] = j % 2 == 0 ? even : odd;
            for (int p = 0; p < panels; p++) {
                w[p] = decode_step(lines[p] + unit * unit_bytes, format, way, j);
            }
            for (int m = 0; m < rows; m++) {
                v16 one = splat(x[m][SKEIN_UNIT_COLUMNS * unit + (size_t)j]);
                for (int p = 0; p < panels; p++) {
                    sums[m][p] = __builtin_elementwise_fma(one, w[p], sums[m][p]);
                }
            }
        }
    }
}

/// All columns of one or two panels, for at most DIRECT_ROWS rows.
SKEIN_INLINE void direct_panels(const skein_packed *weight, size_t panel, const float *const *input,
                                float *const *outputs, const int format, const decoding way,
                                const int rows, const int panels) {
    v16 totals[DIRECT_ROWS][2];
    const uint8_t *lines[2], *scales[2];
    const float *x[DIRECT_ROWS];
    for (int m = 0; m < rows; m++) x[m] = input[m];
    for (int p = 0; p < panels; p++) {
        lines[p] = skein_panel(weight, panel + (size_t)p);
        scales[p] = skein_panel_scales(weight, panel + (size_t)p);
        for (int m = 0; m < rows; m++) totals[m][p] = splat(0.0f);
    }
    size_t group_bytes = skein_columns_bytes(weight, SKEIN_GROUP_COLUMNS);
    skein_block block = skein_first_block(weight);
    for (; skein_is_block(weight, &block); skein_next_block(weight, &block)) {
        v16 sums[DIRECT_ROWS][2];
        for (int m = 0; m < rows; m++) for (int p = 0; p < panels; p++) sums[m][p] = splat(0.0f);
        for (size_t k = 0; k < block.padded; k += SKEIN_GROUP_COLUMNS) {
            v16 even[DIRECT_ROWS][2], odd[DIRECT_ROWS][2];
            if (rows <= FUSED_ROWS) {
                direct_pass(lines, x, even, odd, format, way, rows, panels, BOTH);
            } else {
                direct_pass(lines, x, even, odd, format, way, rows, panels, EVEN);
                direct_pass(lines, x, even, odd, format, way, rows, panels, ODD);
            }
            for (int m = 0; m < rows; m++) {
                for (int p = 0; p < panels; p++) {
                    v16 both = even[m][p] + odd[m][p];
                    sums[m][p] = format == SKEIN_I4 ? both : sums[m][p] + both;
                }
                x[m] += SKEIN_GROUP_COLUMNS;
            }
            for (int p = 0; p < panels; p++) lines[p] += group_bytes;
        }
        for (int p = 0; p < panels; p++) {
            bool is_scaled = format != SKEIN_F32 && format != SKEIN_BF16;
            v16 scale = is_scaled ? scales_of(weight, scales[p], block.number) : splat(1.0f);
            for (int m = 0; m < rows; m++) {
                totals[m][p] = is_scaled ? __builtin_elementwise_fma(scale, sums[m][p],
                                                                     totals[m][p])
                                         : sums[m][p];
            }
        }
    }
    for (int p = 0; p < panels; p++) {
        size_t first = (panel + (size_t)p) * SKEIN_PANEL_ROWS;
        size_t width = skein_min(SKEIN_PANEL_ROWS, weight->rows - first);
        for (int m = 0; m < rows; m++) {
            memcpy(outputs[m] + SKEIN_PANEL_ROWS * p, &totals[m][p], width * sizeof(float));
        }
    }
}

/// One row takes two panels at a time, which read two streams of memory.
#define DIRECT_FORMAT(name, format, way)                                                        \
    SKEIN_TARGET static void SKEIN_NAME(name)(const skein_packed *weight, size_t begin,         \
                                              size_t end, const float *const *inputs,           \
                                              float *const *outputs, size_t count) {            \
        float *out[DIRECT_ROWS];                                                                  \
        for (size_t panel = begin; panel < end;) {                                              \
            for (size_t m = 0; m < count; m++) {                                                \
                out[m] = outputs[m] + (panel - begin) * SKEIN_PANEL_ROWS;                       \
            }                                                                                   \
            bool is_pair = count == 1 && panel + 2 <= end;                                      \
            switch (is_pair ? 0 : count) {                                                      \
                case 0: direct_panels(weight, panel, inputs, out, format, way, 1, 2); break;    \
                DIRECT_CASES(format, way)                                                       \
            }                                                                                   \
            panel += is_pair ? 2 : 1;                                                           \
        }                                                                                       \
    }
#define DIRECT_CASE(format, way, rows) \
    case rows: direct_panels(weight, panel, inputs, out, format, way, rows, 1); break;
#define DIRECT_CASES(format, way)                                                          \
    DIRECT_CASE(format, way, 1) DIRECT_CASE(format, way, 2) DIRECT_CASE(format, way, 3)    \
    DIRECT_CASE(format, way, 4) DIRECT_CASE(format, way, 5) DIRECT_CASE(format, way, 6)

DIRECT_FORMAT(direct_f32, SKEIN_F32, AS_STORED)
DIRECT_FORMAT(direct_bf16, SKEIN_BF16, AS_STORED)
DIRECT_FORMAT(direct_i8, SKEIN_I8, AS_STORED)
DIRECT_FORMAT(direct_i4, SKEIN_I4, AS_STORED)
DIRECT_FORMAT(direct_tiny, SKEIN_F8E4M3, TINY_CODES)
DIRECT_FORMAT(direct_any, SKEIN_F8E4M3, ANY_CODES)

/// Rows times 2^120, for codes times 2^-120; false where one would not be finite.
SKEIN_INLINE bool enlarge(const float *const *inputs, size_t count, size_t columns, float *out,
                          const float **enlarged) {
    i16v most = (i16v)0;
    for (size_t m = 0; m < count; m++) {
        float *row = out + m * (columns + 16);
        for (size_t k = 0; k < columns; k += 16) {
            v16 x = *(const v16 *)(inputs[m] + k);
            i16v magnitude = (i16v)x & 0x7FFFFFFF;
            most = magnitude > most ? magnitude : most;
            *(v16 *)(row + k) = x * splat(TINY_FACTOR);
        }
        enlarged[m] = row;
    }
    int32_t largest = 0;
    for (int l = 0; l < 16; l++) largest = most[l] > largest ? most[l] : largest;
    return largest < 0x43000000;  // 128
}

SKEIN_INLINE void direct(const skein_product *job, const float *const *inputs,
                         float *const *outputs, size_t count) {
    const skein_packed *weight = job->weight;
    const float *enlarged[DIRECT_ROWS];
    switch (weight->format) {
        case SKEIN_F32:
            SKEIN_NAME(direct_f32)(weight, job->panel_begin, job->panel_end, inputs, outputs,
                                   count);
            break;
        case SKEIN_BF16:
            SKEIN_NAME(direct_bf16)(weight, job->panel_begin, job->panel_end, inputs, outputs,
                                    count);
            break;
        case SKEIN_I8:
            SKEIN_NAME(direct_i8)(weight, job->panel_begin, job->panel_end, inputs, outputs,
                                  count);
            break;
        case SKEIN_I4:
            SKEIN_NAME(direct_i4)(weight, job->panel_begin, job->panel_end, inputs, outputs,
                                  count);
            break;
        default:
            if (!weight->holds_nan &&
                enlarge(inputs, count, skein_packed_columns(weight), job->scratch, enlarged)) {
                SKEIN_NAME(direct_tiny)(weight, job->panel_begin, job->panel_end, enlarged,
                                        outputs, count);
            } else {
                SKEIN_NAME(direct_any)(weight, job->panel_begin, job->panel_end, inputs, outputs,
                                        count);
            }
    }
}
