// Pieces that the AVX2 products share. A BF16 pair in 32 bits is split into its odd and its even
// number; two fused multiply-adds, the odd one first, do what vdpbf16ps does.
//
// A few input rows are widened beforehand into planes: for each step of 32 columns four vectors,
// the odd and the even numbers of lanes of part 0 and those of part 1. Straight parts are lanes 0-7
// and 8-15, as a BF16 weight lies; crossed ones are lanes 0-3, 8-11 and 4-7, 12-15, as unpacking
// within halves of a register leaves them. Both are reduced in the one order of skein_reduce.
#if defined(__x86_64__)
#include "f8e4m3_avx2.h"

// One part of a tile has eight accumulators: with twelve, compilers move some to memory.
enum { TOKENS_MAX = 2, ROWS_MAX = 4 };

SKEIN_256_INLINE float reduce_parts(__m256 first, __m256 second, const bool crossed) {
    __m128 four;
    if (crossed) {
        __m128 low = _mm_add_ps(_mm256_castps256_ps128(first), _mm256_extractf128_ps(first, 1));
        __m128 high = _mm_add_ps(_mm256_castps256_ps128(second), _mm256_extractf128_ps(second, 1));
        four = _mm_add_ps(low, high);
    } else {
        __m256 eight = _mm256_add_ps(first, second);
        four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    }
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

SKEIN_256_INLINE __m256 odd_numbers(__m256i pairs) {
    return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xFFFF0000)));
}

SKEIN_256_INLINE __m256 even_numbers(__m256i pairs) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}

/// Widens `width` packed columns of an input row, a multiple of 32, into planes of as many floats.
SKEIN_256_INLINE void widen(const uint16_t *packed, size_t width, float *planes,
                            const bool crossed) {
    for (size_t k = 0; k < width; k += SKEIN_STEP) {
        __m256i first = _mm256_loadu_si256((const __m256i *)(packed + k));
        __m256i second = _mm256_loadu_si256((const __m256i *)(packed + k + 16));
        if (crossed) {
            __m256i before = first;
            first = _mm256_permute2x128_si256(before, second, 0x20);
            second = _mm256_permute2x128_si256(before, second, 0x31);
        }
        _mm256_storeu_ps(planes + k, odd_numbers(first));
        _mm256_storeu_ps(planes + k + 8, even_numbers(first));
        _mm256_storeu_ps(planes + k + 16, odd_numbers(second));
        _mm256_storeu_ps(planes + k + 24, even_numbers(second));
    }
}

/// sums[m][n] += planes[m] . weights[n] in the lanes of one part, over `width` columns.
SKEIN_256_INLINE void part_steps(__m256 sums[TOKENS_MAX][ROWS_MAX], const float *const *planes,
                                 const uint8_t *const *weights, size_t width, const int part,
                                 const int rows, const int count) {
    for (size_t k = 0; k < width; k += SKEIN_STEP) {
#pragma clang loop unroll(full)
        for (int parity = 0; parity < 2; parity++) {
            __m256 x[TOKENS_MAX];
#pragma clang loop unroll(full)
            for (int m = 0; m < count; m++) {
                x[m] = _mm256_loadu_ps(planes[m] + k + 16 * (size_t)part + 8 * (size_t)parity);
            }
#pragma clang loop unroll(full)
            for (int n = 0; n < rows; n++) {
                const uint8_t *from = weights[n] + 2 * k + 32 * (size_t)part;
                __m256i pairs = _mm256_loadu_si256((const __m256i *)from);
                __m256 w = parity == 0 ? odd_numbers(pairs) : even_numbers(pairs);
#pragma clang loop unroll(full)
                for (int m = 0; m < count; m++) sums[m][n] = _mm256_fmadd_ps(x[m], w, sums[m][n]);
            }
        }
    }
}

SKEIN_256_INLINE const uint16_t *input_row(const skein_product *job, size_t m) {
    return (const uint16_t *)job->input +
           skein_numbered(job->input_rows, m) * job->input_stride;
}

SKEIN_256_INLINE float *output_row(const skein_product *job, size_t m) {
    return job->output + skein_numbered(job->output_rows, m) * job->output_stride;
}

/// The same product for `count` input rows from `first` on.
SKEIN_256_INLINE skein_product some_inputs(const skein_product *job, size_t first, size_t count) {
    skein_product some = *job;
    some.count = count;
    if (job->input_rows != NULL) some.input_rows += first;
    else some.input = input_row(job, first);
    if (job->output_rows != NULL) some.output_rows += first;
    else some.output = output_row(job, first);
    return some;
}

/// So many columns at a time: what a block takes of all input rows and of a few widened weight rows
/// fits the first cache.
enum { BLOCK_COLUMNS = 128, BLOCK_ROWS = 4 };

/// Sums of one input row and one weight row, the lanes of both parts.
typedef struct {
    float part[2][8];
} lanes;

/// What lies in a thread's scratch while a tile is multiplied; first what is read in whole vectors,
/// so that none of them lies in two lines of the cache.
typedef struct {
    float weights[BLOCK_ROWS][BLOCK_COLUMNS];
    lanes sums[BLOCK_ROWS][SKEIN_WIDENED_ROWS];
    lanes totals[BLOCK_ROWS][SKEIN_WIDENED_ROWS];
    const uint16_t *inputs;  // of a block: [row, its width]
} block_scratch;

_Static_assert(sizeof(block_scratch) <= SKEIN_BLOCK_BYTES, "room for a block's numbers");

SKEIN_256_INLINE float reduce_lanes(const lanes *sums) {
    return reduce_parts(_mm256_loadu_ps(sums->part[0]), _mm256_loadu_ps(sums->part[1]), false);
}

/// Writes the planes of one step.
SKEIN_256_INLINE void store_planes(__m256i parts[2], float *planes) {
    for (int part = 0; part < 2; part++) {
        _mm256_storeu_ps(planes + 16 * part, odd_numbers(parts[part]));
        _mm256_storeu_ps(planes + 16 * part + 8, even_numbers(parts[part]));
    }
}

/// Calls for the blocks of columns of a weight: at most BLOCK_COLUMNS of one block of scales.
///
/// `column` is where the block lies in a packed row, `width` its whole steps.
#define FOR_BLOCKS(weight)                                                                     \
    for (block_place at = first_block(weight); at.begin < (weight)->columns;                   \
         at = next_block(weight, at))

typedef struct {
    size_t begin, count;   // columns of the weight
    size_t column, width;  // of a packed row
    size_t scale;          // block of scales
    bool begins, ends;     // a block of scales
} block_place;

SKEIN_256_INLINE block_place place_block(const skein_weight *weight, block_place at) {
    size_t first = at.scale * weight->block_columns;
    size_t end = skein_min(weight->columns, first + weight->block_columns);
    at.count = skein_min(BLOCK_COLUMNS, end - at.begin);
    at.width = skein_padded(at.count);
    at.begins = at.begin == first;
    at.ends = at.begin + at.count == end;
    return at;
}

SKEIN_256_INLINE block_place first_block(const skein_weight *weight) {
    return place_block(weight, (block_place){0});
}

SKEIN_256_INLINE block_place next_block(const skein_weight *weight, block_place at) {
    at.begin += at.count;
    at.column += at.width;
    at.scale += at.ends;
    return at.begin < weight->columns ? place_block(weight, at) : at;
}

/// Copies input rows first ..< first + count, block by block, so that a block of all rows lies in
/// one stretch.
SKEIN_256_INLINE void begin_rows(const skein_product *job, size_t first, size_t count) {
    block_scratch *scratch = job->scratch;
    uint16_t *inputs = (uint16_t *)((char *)job->scratch + SKEIN_BLOCK_BYTES);
    scratch->inputs = inputs;
    FOR_BLOCKS(job->weight) {
        for (size_t m = 0; m < count; m++) {
            memcpy(inputs, input_row(job, first + m) + at.column, at.width * sizeof(uint16_t));
            inputs += at.width;
        }
    }
}

/// How a block's sums begin and end.
typedef struct {
    bool begins;          // from zero, else from what was kept
    bool begins_totals;
    const float *scales;  // of the weight rows, where the sums end here and enter the totals
} block_ends;

/// sums[n][m] += inputs[m] . weights[n] over one block of `width` columns. The input stays BF16 in
/// memory, half of what its planes would take, and is split in registers.
SKEIN_256_INLINE void block_tile(lanes (*sums)[SKEIN_WIDENED_ROWS],
                                 lanes (*totals)[SKEIN_WIDENED_ROWS], const uint16_t *inputs,
                                 const float (*weights)[BLOCK_COLUMNS], size_t width,
                                 block_ends ends, const int rows, const int count) {
#pragma clang loop unroll(disable)
    for (size_t part = 0; part < 2; part++) {
        __m256 sum[TOKENS_MAX][ROWS_MAX];
        const uint16_t *x[TOKENS_MAX];
#pragma clang loop unroll(full)
        for (int m = 0; m < count; m++) {
            x[m] = inputs + (size_t)m * width + 16 * part;
#pragma clang loop unroll(full)
            for (int n = 0; n < rows; n++) {
                sum[m][n] = ends.begins ? _mm256_setzero_ps()
                                        : _mm256_loadu_ps(sums[n][m].part[part]);
            }
        }
        const float *w = weights[0] + 16 * part;
        for (size_t k = 0; k < width; k += SKEIN_STEP) {
#pragma clang loop unroll(full)
            for (size_t parity = 0; parity < 2; parity++) {
                __m256 some[TOKENS_MAX];
#pragma clang loop unroll(full)
                for (int m = 0; m < count; m++) {
                    __m256i pairs = _mm256_loadu_si256((const __m256i *)(x[m] + k));
                    some[m] = parity == 0 ? odd_numbers(pairs) : even_numbers(pairs);
                }
#pragma clang loop unroll(full)
                for (int n = 0; n < rows; n++) {
                    __m256 one = _mm256_loadu_ps(w + n * BLOCK_COLUMNS + k + 8 * parity);
#pragma clang loop unroll(full)
                    for (int m = 0; m < count; m++) {
                        sum[m][n] = _mm256_fmadd_ps(some[m], one, sum[m][n]);
                    }
                }
            }
        }
#pragma clang loop unroll(full)
        for (int n = 0; n < rows; n++) {
            __m256 scale = ends.scales == NULL ? _mm256_setzero_ps()
                                               : _mm256_set1_ps(ends.scales[n]);
#pragma clang loop unroll(full)
            for (int m = 0; m < count; m++) {
                if (ends.scales == NULL) {
                    _mm256_storeu_ps(sums[n][m].part[part], sum[m][n]);
                } else {
                    float *total = totals[n][m].part[part];
                    __m256 before = ends.begins_totals ? _mm256_setzero_ps()
                                                      : _mm256_loadu_ps(total);
                    _mm256_storeu_ps(total, _mm256_fmadd_ps(sum[m][n], scale, before));
                }
            }
        }
    }
}

#define BLOCK_CASE(rows, count)                                                              \
    case (rows) * 4 + (count):                                                               \
        block_tile(sums, totals, x, weights, at.width, ends, rows, count);                   \
        break;
#define BLOCK_CASES(rows) BLOCK_CASE(rows, 1) BLOCK_CASE(rows, 2)

/// One block of columns: `rows` weight rows, whose planes lie in scratch, against the `count` input
/// rows.
SKEIN_256 static void multiply_block(block_scratch *scratch, block_place at, const float *scales,
                                     size_t rows, size_t count) {
    for (size_t n = 0; n < rows; n += ROWS_MAX) {
        const float (*weights)[BLOCK_COLUMNS] = (const float (*)[BLOCK_COLUMNS])scratch->weights[n];
        block_ends ends = {at.begins, at.scale == 0, scales == NULL ? NULL : scales + n};
        for (size_t m = 0; m < count; m += TOKENS_MAX) {
            const uint16_t *x = scratch->inputs + at.column * count + m * at.width;
            lanes (*sums)[SKEIN_WIDENED_ROWS] = (void *)&scratch->sums[n][m];
            lanes (*totals)[SKEIN_WIDENED_ROWS] = (void *)&scratch->totals[n][m];
            switch (skein_min(ROWS_MAX, rows - n) * 4 + skein_min(TOKENS_MAX, count - m)) {
                BLOCK_CASES(1) BLOCK_CASES(2) BLOCK_CASES(3) BLOCK_CASES(4)
            }
        }
    }
}
#endif
