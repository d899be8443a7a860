// Products by vdpbf16ps, sixteen outputs of a panel along lanes; compiled after product.h. The
// meaning is that of product_scalar.c, operation by operation.
//
// The instruction does two steps of one chain and begins with the high half of a pair. So columns
// c0 ... c3 are the pair (c2, c0) of the even chain and the pair (c3, c1) of the odd one, the low
// half first, in prepared rows as in the decoded weight.
//
// Few rows of input meet a weight as it is read; for more of them 128 columns of two panels become
// pairs once, in the first cache. The including file gives NATURAL_BYTES, what a number takes in
// front of a row's pairs: 2 where tiles read it in the order of its columns, else 0.

/// The rows of input whose sums of both chains stay in registers, for one or two panels.
enum { PAIR_ROWS = 6 };

/// What a pair of each chain has of both together.
enum { PAIR_COLUMNS = 4 };

#define MAGNITUDE(code)                                                                      \
    ((code) == 0x7F ? 0x7FC0 : (code) >= 8 ? ((code) << 4) + (120 << 7)                      \
     : (code) >= 4 ? 0x3C00 + ((code) - 4) * 0x20 : (code) >= 2 ? 0x3B80 + ((code) - 2) * 0x40 \
     : (code) * 0x3B00)
#define HIGH_BYTE(code) MAGNITUDE(code) >> 8
#define LOW_BYTE(code) MAGNITUDE(code) & 0xFF
#define FOUR_BYTES(of, code) of((code)), of((code) + 1), of((code) + 2), of((code) + 3)
#define SIXTEEN_BYTES(of, code)                                                      \
    FOUR_BYTES(of, (code)), FOUR_BYTES(of, (code) + 4), FOUR_BYTES(of, (code) + 8),  \
        FOUR_BYTES(of, (code) + 12)
#define ALL_BYTES(of)                                                                     \
    {SIXTEEN_BYTES(of, 0), SIXTEEN_BYTES(of, 16), SIXTEEN_BYTES(of, 32),                  \
     SIXTEEN_BYTES(of, 48), SIXTEEN_BYTES(of, 64), SIXTEEN_BYTES(of, 80),                 \
     SIXTEEN_BYTES(of, 96), SIXTEEN_BYTES(of, 112)}

/// The bytes of the BF16 number of each E4M3 magnitude, as skein_bf16_of_f8e4m3 has them.
static const _Alignas(64) uint8_t magnitude_high[128] = ALL_BYTES(HIGH_BYTE);
static const _Alignas(64) uint8_t magnitude_low[128] = ALL_BYTES(LOW_BYTE);

/// INT4 codes less 8 as BF16, twice: the look-up reads five bits of a place.
#define CODES_LESS_8                                                                          \
    0xC100, 0xC0E0, 0xC0C0, 0xC0A0, 0xC080, 0xC040, 0xC000, 0xBF80, 0x0000, 0x3F80, 0x4000,   \
        0x4040, 0x4080, 0x40A0, 0x40C0, 0x40E0
static const _Alignas(64) uint16_t code_less_8[32] = {CODES_LESS_8, CODES_LESS_8};

/// What decoding a format needs in registers.
typedef struct {
    u32v high[2], low[2];  // bytes of E4M3 magnitudes
    u32v numbers;          // of INT4 codes
    u32v first, second;    // which bytes of a word become which of its two pairs
} pair_tables;

/// `first` and `second` are those of output 0; the bytes of a word follow those of the one before.
SKEIN_INLINE pair_tables load_tables(uint32_t first, uint32_t second) {
    const u32v steps = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    pair_tables tables = {.first = steps * 0x04040404 + first,
                          .second = steps * 0x04040404 + second};
    memcpy(tables.high, magnitude_high, sizeof tables.high);
    memcpy(tables.low, magnitude_low, sizeof tables.low);
    memcpy(&tables.numbers, code_less_8, sizeof tables.numbers);
    return tables;
}

SKEIN_INLINE u32v look_up_bytes(const u32v *tables, u32v places) {
    return (u32v)_mm512_permutex2var_epi8((__m512i)tables[0], (__m512i)places, (__m512i)tables[1]);
}

SKEIN_INLINE u32v look_up_halves(u32v table, u32v places) {
    return (u32v)_mm512_permutexvar_epi16((__m512i)places, (__m512i)table);
}

SKEIN_INLINE u32v choose_bytes(u32v places, u32v from) {
    return (u32v)_mm512_permutexvar_epi8((__m512i)places, (__m512i)from);
}

/// Bits of `a` where the mask has them, else of `b`.
SKEIN_INLINE u32v choose_bits(uint32_t mask, u32v a, u32v b) { return (a & mask) | (b & ~mask); }

/// Four E4M3 codes of each output as two pairs. Bytes of a place count those of the high bytes
/// first, then those of the low ones.
SKEIN_INLINE void decode_codes4(u32v codes, const pair_tables *tables, u32v *pairs) {
    u32v both[2] = {look_up_bytes(tables->high, codes) | (codes & 0x80808080),
                    look_up_bytes(tables->low, codes)};
    pairs[0] = look_up_bytes(both, tables->first);
    pairs[1] = look_up_bytes(both, tables->second);
}

SKEIN_INLINE pair_tables load_chain_tables(const int format) {
    if (format == SKEIN_I4) return load_tables(0x00000101, 0x02020303);
    return load_tables(0x00400242, 0x01410343);
}

/// A unit of eight columns: pairs of the even and the odd chain, and once more.
SKEIN_INLINE void decode_pairs(const uint8_t *unit, const int format, const pair_tables *tables,
                               u32v *pairs) {
    if (format == SKEIN_I4) {
        u32v words = *(const u32v_at_any *)unit;
        for (int i = 0; i < 2; i++) {
            u32v places = choose_bytes(i == 0 ? tables->first : tables->second, words);
            pairs[2 * i] = look_up_halves(tables->numbers, places);
            pairs[2 * i + 1] = look_up_halves(tables->numbers, places >> 4);
        }
        return;
    }
    for (int i = 0; i < 2; i++) {
        if (format == SKEIN_BF16) {
            u32v a = *(const u32v_at_any *)(unit + SKEIN_LINE_BYTES * (2 * i));
            u32v b = *(const u32v_at_any *)(unit + SKEIN_LINE_BYTES * (2 * i + 1));
            pairs[2 * i] = choose_bits(0xFFFF0000, a << 16, b);
            pairs[2 * i + 1] = choose_bits(0xFFFF0000, a, b >> 16);
        } else {
            decode_codes4(*(const u32v_at_any *)(unit + SKEIN_LINE_BYTES * i), tables,
                          pairs + 2 * i);
        }
    }
}

SKEIN_INLINE v16 add_pairs(v16 sums, u32v w, u32v x) {
    return (v16)_mm512_dpbf16_ps((__m512)sums, (__m512bh)w, (__m512bh)x);
}

// ---- rows of input ---------------------------------------------------------------------------

/// From one prepared row to the next: an odd number of lines, as in product.h.
static size_t SKEIN_NAME(pair_row_bytes)(const skein_packed *weight) {
    size_t bytes = skein_packed_columns(weight) * (sizeof(uint16_t) + NATURAL_BYTES);
    return skein_lines(bytes) % 128 == 0 ? skein_lines(bytes) + 64 : skein_lines(bytes);
}

/// The pairs of a prepared row: for each four columns one of the even and one of the odd chain.
SKEIN_INLINE const uint32_t *pairs_of_row(const skein_product *job, size_t number) {
    const uint8_t *row = job->input + SKEIN_NAME(pair_row_bytes)(job->weight) *
                                          skein_numbered(job->input_rows, number);
    return (const uint32_t *)(uintptr_t)(row + NATURAL_BYTES * skein_packed_columns(job->weight));
}

/// Where a column lies among the halves of the pairs.
SKEIN_INLINE size_t half_of_column(size_t column) {
    return column / PAIR_COLUMNS * PAIR_COLUMNS + 2 * (column & 1) + (column & 2 ? 0 : 1);
}

SKEIN_INLINE void write_half(uint16_t number, size_t place, uint16_t *natural, uint16_t *pairs) {
    if (NATURAL_BYTES != 0) natural[place] = number;
    pairs[half_of_column(place)] = number;
}

/// Numbers from `place` on, rounded to BF16. Threads may write pieces side by side.
SKEIN_INLINE void write_rounded(const float *values, size_t place, size_t count, uint16_t *natural,
                                uint16_t *pairs) {
    size_t i = 0;
    for (; i < count && (place + i) % PAIR_COLUMNS != 0; i++) {
        write_half(skein_bf16_of_float(values[i]), place + i, natural, pairs);
    }
    for (; i + 16 <= count; i += 16) {
        u32v bits = *(const u32v_at_any *)(values + i);
        u32v rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
        u16v halves = __builtin_convertvector((bits & 0x7FFFFFFF) > 0x7F800000 ? quiet : rounded,
                                              u16v);
        u16v turned = __builtin_shufflevector(halves, halves, 2, 0, 3, 1, 6, 4, 7, 5, 10, 8, 11, 9,
                                              14, 12, 15, 13);
        if (NATURAL_BYTES != 0) memcpy(natural + place + i, &halves, sizeof halves);
        memcpy(pairs + place + i, &turned, sizeof turned);
    }
    for (; i < count; i++) {
        write_half(skein_bf16_of_float(values[i]), place + i, natural, pairs);
    }
}

SKEIN_TARGET static void SKEIN_NAME(prepare_pairs)(const skein_packed *weight, const float *values,
                                                   size_t begin, size_t count, uint8_t *row) {
    uint16_t *natural = (uint16_t *)(uintptr_t)row;
    uint16_t *pairs = (uint16_t *)(uintptr_t)(row + NATURAL_BYTES * skein_packed_columns(weight));
    size_t end = begin + count;
    skein_block block = skein_first_block(weight);
    for (; skein_is_block(weight, &block); skein_next_block(weight, &block)) {
        size_t first = block.column > begin ? block.column : begin;
        size_t last = skein_min(block.column + block.width, end);
        if (first >= last) continue;
        write_rounded(values + first - begin, block.place + first - block.column, last - first,
                      natural, pairs);
        if (last < block.column + block.width) continue;
        for (size_t k = block.width; k < block.padded; k++) {
            write_half(0, block.place + k, natural, pairs);
        }
    }
}

// ---- few rows: numbers are multiplied as they are decoded -------------------------------------

/// Both chains of one group of 32 columns.
SKEIN_INLINE void pair_group(const uint8_t *const *lines, const uint32_t *const *x, v16 (*even)[2],
                             v16 (*odd)[2], const int format, const pair_tables *tables,
                             const int rows, const int panels) {
    const size_t bits = format == SKEIN_BF16 ? 16 : format == SKEIN_I4 ? 4 : 8;
    const size_t unit_bytes = bits * SKEIN_PANEL_ROWS * SKEIN_UNIT_COLUMNS / 8;
    for (int m = 0; m < rows; m++) {
        for (int p = 0; p < panels; p++) even[m][p] = odd[m][p] = splat(0.0f);
    }
#pragma clang loop unroll(disable)
    for (size_t unit = 0; unit < SKEIN_GROUP_COLUMNS / SKEIN_UNIT_COLUMNS; unit++) {
        u32v w[2][4];
        for (int p = 0; p < panels; p++) {
            const uint8_t *from = lines[p] + unit * unit_bytes;
            for (size_t line = 0; line < unit_bytes; line += SKEIN_LINE_BYTES) {
                __builtin_prefetch(from + line + PREFETCH_BYTES);
            }
            decode_pairs(from, format, tables, w[p]);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) {
            for (int m = 0; m < rows; m++) {
                u32v one = (u32v)x[m][4 * unit + (size_t)i];
                v16 *sums = i % 2 == 0 ? even[m] : odd[m];
                for (int p = 0; p < panels; p++) sums[p] = add_pairs(sums[p], w[p][i], one);
            }
        }
    }
}

/// All columns of one or two panels, for at most PAIR_ROWS rows.
SKEIN_INLINE void pair_panels(const skein_packed *weight, size_t panel,
                              const uint32_t *const *input, float *const *outputs,
                              const int format, const int rows, const int panels) {
    v16 totals[PAIR_ROWS][2];
    const uint8_t *lines[2], *scales[2];
    const uint32_t *x[PAIR_ROWS];
    pair_tables tables = load_chain_tables(format);
    for (int m = 0; m < rows; m++) x[m] = input[m];
    for (int p = 0; p < panels; p++) {
        lines[p] = skein_panel(weight, panel + (size_t)p);
        scales[p] = skein_panel_scales(weight, panel + (size_t)p);
        for (int m = 0; m < rows; m++) totals[m][p] = splat(0.0f);
    }
    size_t group_bytes = skein_columns_bytes(weight, SKEIN_GROUP_COLUMNS);
    skein_block block = skein_first_block(weight);
    for (; skein_is_block(weight, &block); skein_next_block(weight, &block)) {
        v16 sums[PAIR_ROWS][2];
        for (int m = 0; m < rows; m++) for (int p = 0; p < panels; p++) sums[m][p] = splat(0.0f);
        for (size_t k = 0; k < block.padded; k += SKEIN_GROUP_COLUMNS) {
            v16 even[PAIR_ROWS][2], odd[PAIR_ROWS][2];
            pair_group(lines, x, even, odd, format, &tables, rows, panels);
            for (int m = 0; m < rows; m++) {
                for (int p = 0; p < panels; p++) {
                    v16 both = even[m][p] + odd[m][p];
                    sums[m][p] = format == SKEIN_I4 ? both : sums[m][p] + both;
                }
                x[m] += SKEIN_GROUP_COLUMNS / 2;
            }
            for (int p = 0; p < panels; p++) lines[p] += group_bytes;
        }
        for (int p = 0; p < panels; p++) {
            v16 scale = format == SKEIN_BF16 ? splat(1.0f)
                                             : scales_of(weight, scales[p], block.number);
            for (int m = 0; m < rows; m++) {
                totals[m][p] = format == SKEIN_BF16
                    ? sums[m][p] : __builtin_elementwise_fma(scale, sums[m][p], totals[m][p]);
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

#define PAIR_CASE(format, rows) \
    case rows: pair_panels(weight, panel, inputs, out, format, rows, 1); break;

/// One row takes two panels at a time, which read two streams of memory.
#define PAIR_FORMAT(name, format)                                                              \
    SKEIN_TARGET static void SKEIN_NAME(name)(const skein_packed *weight, size_t begin,        \
                                              size_t end, const uint32_t *const *inputs,       \
                                              float *const *outputs, size_t count) {           \
        float *out[PAIR_ROWS];                                                                 \
        for (size_t panel = begin; panel < end;) {                                             \
            for (size_t m = 0; m < count; m++) {                                               \
                out[m] = outputs[m] + (panel - begin) * SKEIN_PANEL_ROWS;                      \
            }                                                                                  \
            bool is_pair = count == 1 && panel + 2 <= end;                                     \
            switch (is_pair ? 0 : count) {                                                     \
                case 0: pair_panels(weight, panel, inputs, out, format, 1, 2); break;          \
                PAIR_CASE(format, 1) PAIR_CASE(format, 2) PAIR_CASE(format, 3)                 \
                PAIR_CASE(format, 4) PAIR_CASE(format, 5) PAIR_CASE(format, 6)                 \
            }                                                                                  \
            panel += is_pair ? 2 : 1;                                                          \
        }                                                                                      \
    }

PAIR_FORMAT(pairs_bf16, SKEIN_BF16)
PAIR_FORMAT(pairs_f8e4m3, SKEIN_F8E4M3)
PAIR_FORMAT(pairs_i4, SKEIN_I4)

SKEIN_INLINE void multiply_few(const skein_product *job) {
    const skein_packed *weight = job->weight;
    size_t begin = job->panel_begin, end = job->panel_end, count = job->count;
    const uint32_t *inputs[PAIR_ROWS];
    float *outputs[PAIR_ROWS];
    for (size_t m = 0; m < count; m++) {
        inputs[m] = pairs_of_row(job, m);
        outputs[m] = job->output + skein_numbered(job->output_rows, m) * job->output_stride;
    }
    switch (weight->format) {
        case SKEIN_BF16: SKEIN_NAME(pairs_bf16)(weight, begin, end, inputs, outputs, count); break;
        case SKEIN_I4: SKEIN_NAME(pairs_i4)(weight, begin, end, inputs, outputs, count); break;
        default: SKEIN_NAME(pairs_f8e4m3)(weight, begin, end, inputs, outputs, count);
    }
}
