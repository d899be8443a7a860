// E4M3 products with AVX2 for a few rows of input, without a table.
//
// With a code in the upper byte of a word, shifted right by four places with its sign, the bits of
// a word are those of the upper half of an F32 number, but for copies of the sign: masked, that
// number is the code's times 2^-120, for subnormal codes too. So three operations decode eight
// codes, where each is wanted as the upper byte of a word: they are read as often as there are
// places, a byte further each time.
//
// The input is multiplied by a power of two before, and the scales of blocks by another after, so
// that every product and sum is the one of the plain numbers times a power of two: equal to the
// last bit, as long as nothing overflows and nothing is lost below. Input rows and scales that
// could make it so are refused, codes without a number are found; both are left to the tables.
#include "tile_avx2.h"
#include "twins.h"

#include <limits.h>

#if defined(__x86_64__)

/// A code as an F32 number is its value times two to the power of minus this.
enum { TINY = 120 };

/// So many bytes of widened input stay in the first cache while weights pass.
enum { STRETCH_BYTES = 16 << 10 };

static inline float power_of_two(int exponent) {
    return skein_float_of_bits((uint32_t)(exponent + 127) << 23);
}

typedef struct {
    const skein_product *job;
    const float *planes[SKEIN_DIRECT_MAX];
    float *outputs[SKEIN_DIRECT_MAX];
    lanes (*kept)[SKEIN_DIRECT_MAX];  // [weight row], between stretches
    float after;                    // what a block's scale is multiplied by
} tiny_tile;

/// Blocks of columns.
typedef struct {
    size_t begin, end;
} stretch;

// ---- what can be had this way ------------------------------------------------------------------

/// The largest power of two, at most 2^TINY, that input rows can be multiplied by so that no sum
/// over a block differs but by it; INT_MIN where there is none.
SKEIN_256_INLINE int input_power(const skein_product *job, size_t width) {
    __m256i most = _mm256_setzero_si256(), least = _mm256_set1_epi16(-1);
    for (size_t m = 0; m < job->count; m++) {
        const uint16_t *row = input_row(job, m);
        for (size_t k = 0; k < width; k += 16) {
            __m256i some = _mm256_loadu_si256((const __m256i *)(row + k));
            some = _mm256_and_si256(some, _mm256_set1_epi16(0x7FFF));
            most = _mm256_max_epu16(most, some);
            // Zeros become the largest.
            least = _mm256_min_epu16(least, _mm256_sub_epi16(some, _mm256_set1_epi16(1)));
        }
    }
    uint16_t highs[16], lows[16];
    _mm256_storeu_si256((__m256i *)highs, most);
    _mm256_storeu_si256((__m256i *)lows, least);
    for (int l = 1; l < 16; l++) {
        if (highs[l] > highs[0]) highs[0] = highs[l];
        if (lows[l] < lows[0]) lows[0] = lows[l];
    }
    int largest = (highs[0] >> 7) - 127, smallest = (lows[0] >> 7) - 127;
    // A sum of 128 products with codes below 2^9 stays below 2^127.
    if (largest > 100) return INT_MIN;
    if (largest <= 126 - TINY) return TINY;
    // All products are multiples of 2^(smallest - 7 - 9), and so are their sums: what is not zero
    // may not fall below 2^-126.
    int power = 126 - largest;
    return smallest - 16 + power - TINY >= -126 ? power : INT_MIN;
}

/// Whether scales of the weight rows, multiplied by 2^power, are as exact as before.
SKEIN_256_INLINE bool can_multiply_scales(const skein_product *job, int power) {
    const skein_weight *weight = job->weight;
    size_t blocks = (weight->columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
    const float *last = NULL;
    for (size_t row = job->row_begin; row < job->row_end; row++) {
        const float *scales = skein_weight_scales(weight, row);
        if (scales == last) continue;
        last = scales;
        for (size_t b = 0; b < blocks; b++) {
            uint32_t bits = skein_bits_of_float(scales[b]);
            int exponent = (int)(bits >> 23 & 0xFF);
            bool is_zero = (bits & 0x7FFFFFFF) == 0;
            if (!is_zero && (exponent == 0 || exponent + power > 254)) return false;
        }
    }
    return true;
}

/// Widens a packed row and multiplies it: for each step of 32 columns four vectors, the odd and the
/// even numbers of lanes 0, 2 ... 14 and those of lanes 1, 3 ... 15.
SKEIN_256_INLINE void widen_alternating(const uint16_t *packed, size_t width, float factor,
                                        float *planes) {
    __m256 power = _mm256_set1_ps(factor);
    for (size_t k = 0; k < width; k += SKEIN_STEP) {
        __m256 first = _mm256_loadu_ps((const float *)(const void *)(packed + k));
        __m256 second = _mm256_loadu_ps((const float *)(const void *)(packed + k + 16));
        __m256i parts[2] = {_mm256_castps_si256(_mm256_shuffle_ps(first, second, 0x88)),
                            _mm256_castps_si256(_mm256_shuffle_ps(first, second, 0xDD))};
        for (int part = 0; part < 2; part++) {
            __m256i pairs = _mm256_permute4x64_epi64(parts[part], 0xD8);
            float *out = planes + k + 16 * part;
            _mm256_storeu_ps(out, _mm256_mul_ps(odd_numbers(pairs), power));
            _mm256_storeu_ps(out + 8, _mm256_mul_ps(even_numbers(pairs), power));
        }
    }
}

// ---- products ----------------------------------------------------------------------------------

/// Keeps a value where it is computed: compilers that gather such steps run out of registers.
#define HERE(value) __asm__("" : "+x"(value))

/// One of every four columns of a step, whose codes are `last`, as the upper bytes of 32 bits,
/// shifted right by four places. Shifts and loads have ports of their own: with few rows of input
/// there is more room for loads, with more of them `less_loads` is faster.
SKEIN_256_INLINE __m256i upper_codes(const uint8_t *codes, __m256i last, const int column,
                                     const bool less_loads) {
    if (column == 3) return _mm256_srai_epi32(last, 4);
    if (column < 2 && less_loads) {
        return _mm256_srai_epi32(_mm256_slli_epi32(last, 24 - 8 * column), 4);
    }
    __m256i upper = _mm256_loadu_si256((const __m256i *)(codes - (3 - column)));
    return _mm256_mulhi_epi16(upper, _mm256_set1_epi16(1 << 12));
}

/// Eight of these as numbers.
SKEIN_256_INLINE __m256 tiny_numbers(__m256i shifted) {
    return _mm256_castsi256_ps(_mm256_and_si256(shifted, _mm256_set1_epi32((int)0x87F00000)));
}

/// sums[n][m] = planes[m] . codes[n] over one block; false where a code is NaN.
SKEIN_256_INLINE bool tiny_block(const uint8_t *const *codes, const float *const *planes,
                                 size_t width, size_t ahead, __m256 sums[2][SKEIN_DIRECT_MAX][2],
                                 const int rows, const int count) {
    __m256i most = _mm256_setzero_si256();
    for (int n = 0; n < rows; n++) {
        for (int m = 0; m < count; m++) sums[n][m][0] = sums[n][m][1] = _mm256_setzero_ps();
    }
    for (size_t k = 0; k < width; k += SKEIN_STEP) {
        __m256i last[2];
#pragma clang loop unroll(full)
        for (int n = 0; n < rows; n++) {
            if (k % 64 == 0) _mm_prefetch(codes[n] + k + ahead, _MM_HINT_T0);
            last[n] = _mm256_loadu_si256((const __m256i *)(codes[n] + k));
            __m256i magnitudes = _mm256_and_si256(last[n], _mm256_set1_epi8(0x7F));
            most = _mm256_max_epu8(most, magnitudes);
            HERE(most);
        }
        // Columns 3, 2, 1 and 0 of every four: the odd and the even one of a lane, then of the lane
        // before it.
#pragma clang loop unroll(full)
        for (int column = 3; column >= 0; column--) {
            const int part = column / 2;
            const size_t place = k + 16 * (size_t)part + 8 * (size_t)(1 - column % 2);
#pragma clang loop unroll(full)
            for (int n = 0; n < rows; n++) {
                __m256 w = tiny_numbers(upper_codes(codes[n] + k, last[n], column, count > 2));
#pragma clang loop unroll(full)
                for (int m = 0; m < count; m++) {
                    __m256 x = _mm256_loadu_ps(planes[m] + place);
                    sums[n][m][part] = _mm256_fmadd_ps(w, x, sums[n][m][part]);
                    HERE(sums[n][m][part]);
                }
            }
        }
    }
    __m256i nan = _mm256_cmpeq_epi8(most, _mm256_set1_epi8(0x7F));
    return _mm256_testz_si256(nan, nan);
}

/// The sum of sixteen lanes in the order of skein_reduce.
SKEIN_256_INLINE float reduce_alternating(__m256 even, __m256 odd) {
    __m128 evens = _mm_add_ps(_mm256_castps256_ps128(even), _mm256_extractf128_ps(even, 1));
    __m128 odds = _mm_add_ps(_mm256_castps256_ps128(odd), _mm256_extractf128_ps(odd, 1));
    __m128 both = _mm_add_ps(_mm_unpacklo_ps(evens, odds), _mm_unpackhi_ps(evens, odds));
    __m128 two = _mm_add_ps(both, _mm_movehl_ps(both, both));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/// A stretch of columns of `rows` weight rows against all rows of input; false where a code is NaN.
SKEIN_256_INLINE bool tiny_rows(const tiny_tile *tile, size_t row, stretch some, const int rows,
                                const int count) {
    const skein_product *job = tile->job;
    const skein_weight *weight = job->weight;
    lanes (*kept)[SKEIN_DIRECT_MAX] = tile->kept + (row - job->row_begin);
    __m256 totals[2][SKEIN_DIRECT_MAX][2];
    const uint8_t *codes[2];
    const float *scales[2], *planes[SKEIN_DIRECT_MAX];
    for (int m = 0; m < count; m++) planes[m] = tile->planes[m] + some.begin * BLOCK_COLUMNS;
    for (int n = 0; n < rows; n++) {
        codes[n] = skein_weight_row(weight, row + (size_t)n) + some.begin * BLOCK_COLUMNS;
        scales[n] = skein_weight_scales(weight, row + (size_t)n);
        for (int m = 0; m < count; m++) {
            for (int part = 0; part < 2; part++) {
                totals[n][m][part] = some.begin == 0 ? _mm256_setzero_ps()
                                                     : _mm256_loadu_ps(kept[n][m].part[part]);
            }
        }
    }
    size_t ahead = (size_t)rows * weight->columns;  // the next rows arrive meanwhile
    bool is_number = true;
    for (size_t block = some.begin; block < some.end; block++) {
        size_t width = skein_min(BLOCK_COLUMNS, weight->columns - block * BLOCK_COLUMNS);
        __m256 sums[2][SKEIN_DIRECT_MAX][2];
        if (width == BLOCK_COLUMNS) {  // unrolled
            is_number &= tiny_block(codes, planes, BLOCK_COLUMNS, ahead, sums, rows, count);
        } else {
            is_number &= tiny_block(codes, planes, width, ahead, sums, rows, count);
        }
        for (int n = 0; n < rows; n++) {
            __m256 scale = _mm256_set1_ps(scales[n][block] * tile->after);
            for (int m = 0; m < count; m++) {
                for (int part = 0; part < 2; part++) {
                    totals[n][m][part] = _mm256_fmadd_ps(sums[n][m][part], scale,
                                                         totals[n][m][part]);
                }
            }
            codes[n] += BLOCK_COLUMNS;
        }
        for (int m = 0; m < count; m++) planes[m] += BLOCK_COLUMNS;
    }
    for (int n = 0; n < rows; n++) {
        for (int m = 0; m < count; m++) {
            __m256 even = totals[n][m][0], odd = totals[n][m][1];
            if (some.end * BLOCK_COLUMNS >= weight->columns) {
                tile->outputs[m][row + (size_t)n - job->row_begin] = reduce_alternating(even, odd);
            } else {
                _mm256_storeu_ps(kept[n][m].part[0], even);
                _mm256_storeu_ps(kept[n][m].part[1], odd);
            }
        }
    }
    return is_number;
}

#define TINY_CASE(rows, count) \
    case (rows) * 8 + (count): return tiny_rows(tile, row, some, rows, count);

/// Never a part of its caller, whose numbers are computed with subnormals read as zero.
SKEIN_256 static __attribute__((noinline)) bool some_rows(const tiny_tile *tile, size_t row,
                                                          stretch some, size_t rows) {
    switch (rows * 8 + tile->job->count) {
        TINY_CASE(1, 1) TINY_CASE(1, 2) TINY_CASE(1, 3) TINY_CASE(1, 4)
        TINY_CASE(2, 1) TINY_CASE(2, 2)
    }
    return true;
}

SKEIN_256 bool skein_product_f8e4m3_tiny_avx2(const skein_product *job) {
    const skein_weight *weight = job->weight;
    size_t width = weight->columns, stride = skein_packed_stride(weight);
    if (weight->block_columns != BLOCK_COLUMNS || width % SKEIN_STEP != 0) return false;
    int power = input_power(job, width);
    if (power == INT_MIN || !can_multiply_scales(job, TINY - power)) return false;
    float *planes = job->scratch;
    tiny_tile tile = {.job = job, .after = power_of_two(TINY - power)};
    tile.kept = (lanes (*)[SKEIN_DIRECT_MAX])(void *)(planes + SKEIN_DIRECT_MAX * stride);
    for (size_t m = 0; m < job->count; m++) {
        widen_alternating(input_row(job, m), width, power_of_two(power), planes + m * stride);
        tile.planes[m] = planes + m * stride;
        tile.outputs[m] = output_row(job, m);
    }
    size_t blocks = (width + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS, side = job->count <= 2 ? 2 : 1;
    size_t most = STRETCH_BYTES / (BLOCK_COLUMNS * sizeof(float) * job->count);
    bool is_number = true;
    skein_floating_state state = skein_read_subnormals();
    for (size_t block = 0; block < blocks; block += most) {
        stretch some = {block, skein_min(blocks, block + most)};
        for (size_t row = job->row_begin; row < job->row_end; row += side) {
            is_number &= some_rows(&tile, row, some, skein_min(side, job->row_end - row));
        }
    }
    skein_restore(state);
    return is_number;
}
#endif
