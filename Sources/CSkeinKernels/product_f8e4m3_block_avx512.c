// E4M3 products: decoded in registers for few input rows, once per tile into L2 for many.
#include "tile_avx512.h"
#include "twins.h"

#if defined(__x86_64__)

enum { PREFETCH_BYTES = 4096 };

// Sums and totals of a decoded tile together fill 24 registers.
enum { DECODED_TOKENS = 3, TOKENS_IN_L2 = 48 };

// ---- straight from the codes -----------------------------------------------------------------

/// sums[m] += inputs[m] . codes over one block; `is_whole` says that it has full groups of 64.
SKEIN_512_INLINE void direct_block(const f8e4m3_tables *tables, const uint8_t *codes,
                                   size_t block_count, const uint16_t *const *inputs,
                                   size_t packed, __m512 *sums, const bool is_whole,
                                   const int count) {
#pragma clang loop unroll_count(2)
    for (size_t k = 0; k < block_count; k += 64) {
        __m512i halves[2];
        size_t left = block_count - k;
        __m512i loaded = is_whole ? _mm512_loadu_si512(codes + k) : load_codes(codes + k, left);
        decode64(tables, loaded, halves);
        _mm_prefetch(codes + k + PREFETCH_BYTES, _MM_HINT_T1);
#pragma clang loop unroll(full)
        for (int m = 0; m < count; m++) {
            const uint16_t *x = inputs[m] + packed + k;
            sums[m] = dot(sums[m], _mm512_loadu_si512(x), halves[0]);
            if (!is_whole && left <= SKEIN_STEP) continue;
            sums[m] = dot(sums[m], _mm512_loadu_si512(x + SKEIN_STEP), halves[1]);
        }
    }
}

/// One weight row after the other, so that memory is read as one stream.
SKEIN_512_INLINE void direct_row(const skein_weight *weight, const f8e4m3_tables *tables,
                                 const uint16_t *const *rows, size_t row, __m512 *totals,
                                 const int count) {
    const uint16_t *inputs[SKEIN_DIRECT_MAX];
    for (int m = 0; m < count; m++) inputs[m] = rows[m];
    const uint8_t *codes = skein_weight_row(weight, row);
    const float *scales = skein_weight_scales(weight, row);
    size_t columns = weight->columns, block_columns = weight->block_columns, packed = 0;
    for (size_t begin = 0; begin < columns; begin += block_columns) {
        size_t block_count = skein_min(block_columns, columns - begin);
        __m512 sums[SKEIN_DIRECT_MAX];
        for (int m = 0; m < count; m++) sums[m] = _mm512_setzero_ps();
        if (block_count == 128) {  // the published size, unrolled
            direct_block(tables, codes + begin, 128, inputs, packed, sums, true, count);
        } else {
            direct_block(tables, codes + begin, block_count, inputs, packed, sums, false, count);
        }
        __m512 scale = _mm512_set1_ps(*scales++);
        for (int m = 0; m < count; m++) totals[m] = _mm512_fmadd_ps(sums[m], scale, totals[m]);
        packed += skein_padded(block_count);
    }
}

SKEIN_512_INLINE void direct_tile(const skein_weight *weight, const f8e4m3_tables *tables,
                                  const uint16_t *const *inputs, size_t row, float *const *outputs,
                                  const int rows, const int count) {
    __m512 totals[TOKENS_MAX][ROWS_MAX];
    clear(totals, rows, count);
#pragma clang loop unroll(disable)
    for (int n = 0; n < rows; n++) {
        __m512 sums[SKEIN_DIRECT_MAX];
        for (int m = 0; m < count; m++) sums[m] = _mm512_setzero_ps();
        direct_row(weight, tables, inputs, row + n, sums, count);
        for (int m = 0; m < count; m++) totals[m][n] = sums[m];
    }
    store_sums(totals, outputs, rows, count);
}

#define DIRECT_CASE(rows, count)                                                 \
    case (rows) * 8 + (count):                                                   \
        direct_tile(job->weight, &tables, inputs, row, outputs, rows, count);    \
        break;
#define DIRECT_CASES(rows) \
    DIRECT_CASE(rows, 1) DIRECT_CASE(rows, 2) DIRECT_CASE(rows, 3) DIRECT_CASE(rows, 4)

SKEIN_512 static void product_direct(const skein_product *job) {
    const f8e4m3_tables tables = load_tables();
    const uint16_t *inputs[TOKENS_MAX];
    float *outputs[TOKENS_MAX];
    find_rows(job, 0, job->count, 0, inputs, outputs);
    for (size_t row = job->row_begin; row < job->row_end;) {
        size_t rows = skein_min(ROWS_MAX, job->row_end - row);
        switch (rows * 8 + job->count) {
            DIRECT_CASES(1) DIRECT_CASES(2) DIRECT_CASES(3) DIRECT_CASES(4)
        }
        for (size_t m = 0; m < job->count; m++) outputs[m] += rows;
        row += rows;
    }
}

// ---- decoded once per tile -------------------------------------------------------------------

SKEIN_512 static void decode_row(const skein_weight *weight, const f8e4m3_tables *tables,
                                 size_t row, uint16_t *out) {
    const uint8_t *codes = skein_weight_row(weight, row);
    size_t ahead = ROWS_MAX * weight->columns;  // the next rows arrive while these are multiplied
    for (size_t begin = 0; begin < weight->columns;) {
        size_t block_count = skein_min(weight->block_columns, weight->columns - begin);
        for (size_t k = 0; k < block_count; k += 64) {
            __m512i halves[2];
            decode64(tables, load_codes(codes + begin + k, block_count - k), halves);
            _mm_prefetch(codes + begin + k + ahead, _MM_HINT_T1);
            _mm512_storeu_si512(out + k, halves[0]);
            if (block_count - k > SKEIN_STEP) {
                _mm512_storeu_si512(out + k + SKEIN_STEP, halves[1]);
            }
        }
        begin += block_count;
        out += skein_padded(block_count);
    }
}

/// total += sum * scale in place; the compiler would rather copy every total.
SKEIN_512_INLINE void add_scaled(__m512 *total, __m512 sum, __m512 scale) {
#ifdef SKEIN_EMULATES_AVX512
    *total = _mm512_fmadd_ps(sum, scale, *total);
#else
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(*total) : "v"(sum), "v"(scale));
#endif
}

/// One block of `width` packed columns: totals += scale * (inputs . decoded).
SKEIN_512_INLINE void decoded_block(__m512 totals[TOKENS_MAX][ROWS_MAX],
                                    const uint16_t *const *inputs, const uint16_t *decoded,
                                    size_t stride, size_t packed, size_t width,
                                    const float *const *scales, size_t block, const int rows,
                                    const int count) {
    __m512 sums[TOKENS_MAX][ROWS_MAX];
    clear(sums, rows, count);
#pragma clang loop unroll_count(4)
    for (size_t k = packed; k < packed + width; k += SKEIN_STEP) {
        __m512i w[ROWS_MAX];
#pragma clang loop unroll(full)
        for (int n = 0; n < rows; n++) w[n] = _mm512_loadu_si512(decoded + (size_t)n * stride + k);
#pragma clang loop unroll(full)
        for (int m = 0; m < count; m++) {
            __m512i x = _mm512_loadu_si512(inputs[m] + k);
#pragma clang loop unroll(full)
            for (int n = 0; n < rows; n++) sums[m][n] = dot(sums[m][n], x, w[n]);
        }
    }
#pragma clang loop unroll(full)
    for (int n = 0; n < rows; n++) {
        __m512 scale = _mm512_set1_ps(scales[n][block]);
#pragma clang loop unroll(full)
        for (int m = 0; m < count; m++) add_scaled(&totals[m][n], sums[m][n], scale);
    }
}

SKEIN_512_INLINE void decoded_tile(size_t columns, size_t block_columns,
                                   const uint16_t *const *input_rows, const uint16_t *decoded,
                                   size_t stride, const float *const *scale_rows,
                                   float *const *outputs, const int rows, const int count) {
    __m512 totals[TOKENS_MAX][ROWS_MAX];
    clear(totals, rows, count);
    const uint16_t *inputs[TOKENS_MAX];
    const float *scales[ROWS_MAX];
    for (int m = 0; m < count; m++) inputs[m] = input_rows[m];
    for (int n = 0; n < rows; n++) scales[n] = scale_rows[n];
    size_t packed = 0, block = 0, begin = 0;
    if (block_columns == 128) {  // the published size, unrolled
        for (; begin + 128 <= columns; begin += 128, packed += 128, block++) {
            decoded_block(totals, inputs, decoded, stride, packed, 128, scales, block, rows, count);
        }
    }
    for (; begin < columns; begin += block_columns, block++) {
        size_t width = skein_padded(skein_min(block_columns, columns - begin));
        decoded_block(totals, inputs, decoded, stride, packed, width, scales, block, rows, count);
        packed += width;
    }
    store_sums(totals, outputs, rows, count);
}

#define DECODED_CASE(rows, count)                                                         \
    case (rows) * 8 + (count):                                                            \
        decoded_tile(columns, block_columns, inputs, decoded, stride, scales, outputs,    \
                     rows, count);                                                        \
        break;
#define DECODED_CASES(rows) DECODED_CASE(rows, 1) DECODED_CASE(rows, 2) DECODED_CASE(rows, 3)

/// Rows `row` to `row + rows` of the weight, which lie in L1, against input rows first ..< end.
SKEIN_512 static void decoded_rows(const skein_product *job, size_t first, size_t end, size_t row,
                                   size_t rows, const uint16_t *decoded, size_t stride) {
    size_t columns = job->weight->columns, block_columns = job->weight->block_columns;
    const float *scales[ROWS_MAX];
    for (size_t n = 0; n < rows; n++) scales[n] = skein_weight_scales(job->weight, row + n);
    for (; first < end; first += DECODED_TOKENS) {
        size_t count = skein_min(DECODED_TOKENS, end - first);
        const uint16_t *inputs[TOKENS_MAX];
        float *outputs[TOKENS_MAX];
        find_rows(job, first, count, row - job->row_begin, inputs, outputs);
        switch (rows * 8 + count) {
            DECODED_CASES(1) DECODED_CASES(2) DECODED_CASES(3) DECODED_CASES(4)
        }
    }
}

SKEIN_512 static void product_decoded(const skein_product *job) {
    const f8e4m3_tables tables = load_tables();
    size_t stride = skein_packed_stride(job->weight);
    uint16_t *scratch = job->scratch;
    for (size_t first = 0; first < job->count; first += TOKENS_IN_L2) {
        size_t end = skein_min(job->count, first + TOKENS_IN_L2);
        for (size_t row = job->row_begin; row < job->row_end; row += ROWS_MAX) {
            size_t rows = skein_min(ROWS_MAX, job->row_end - row);
            uint16_t *decoded = scratch + (row - job->row_begin) * stride;
            for (size_t n = 0; n < rows && first == 0; n++) {
                decode_row(job->weight, &tables, row + n, decoded + n * stride);
            }
            decoded_rows(job, first, end, row, rows, decoded, stride);
        }
    }
}

SKEIN_512 void skein_product_f8e4m3_block_avx512(const skein_product *job) {
    if (job->count <= SKEIN_DIRECT_MAX) product_direct(job); else product_decoded(job);
}
#endif
