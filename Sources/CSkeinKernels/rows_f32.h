// Row arithmetic in F32, sixteen lanes at a time; compiled once for each ISA.
//
// The including file defines SKEIN_TARGET (a function attribute) and SKEIN_NAME(name). The same
// operations run in the same order on every ISA: fma is always one rounding, sums go by lane.
#include "kernels.h"

// Every function with a vector in its signature is inlined: no ABI is involved.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float v16 __attribute__((ext_vector_type(16), aligned(4)));
typedef int32_t i16v __attribute__((ext_vector_type(16), aligned(4)));
typedef uint32_t u32v __attribute__((ext_vector_type(16)));
typedef uint32_t u32v_at_any __attribute__((ext_vector_type(16), aligned(4)));
typedef uint16_t u16v __attribute__((ext_vector_type(16), aligned(2)));
typedef uint8_t u8v __attribute__((ext_vector_type(16), aligned(1)));
typedef float v8 __attribute__((ext_vector_type(8)));
typedef float v4 __attribute__((ext_vector_type(4)));

#define SKEIN_INLINE static inline __attribute__((always_inline)) SKEIN_TARGET

SKEIN_INLINE float reduce16(const v16 *lanes) {
    v8 eight = lanes->lo + lanes->hi;
    v4 four = eight.lo + eight.hi;
    return (four.x + four.z) + (four.y + four.w);
}

SKEIN_INLINE v16 splat(float value) { return (v16)value; }

SKEIN_INLINE v16 load_some(const float *from, size_t count, float rest) {
    v16 lanes = splat(rest);
    memcpy(&lanes, from, count * sizeof(float));
    return lanes;
}

/// Turns eight rows of eight words round; strides are bytes.
SKEIN_INLINE void turn8(const void *from, size_t from_stride, void *to, size_t to_stride) {
    v8 a[8], b[8];
    const uint8_t *row = from;
    uint8_t *turned = to;
    for (size_t i = 0; i < 8; i++) memcpy(&a[i], row + i * from_stride, sizeof a[i]);
    for (int i = 0; i < 8; i += 2) {
        b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int i = 0; i < 8; i += 4) {
        for (int j = i; j < i + 2; j++) {
            a[j] = __builtin_shufflevector(b[j], b[j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            a[j + 2] = __builtin_shufflevector(b[j], b[j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        b[i] = __builtin_shufflevector(a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        b[i + 4] = __builtin_shufflevector(a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    for (size_t i = 0; i < 8; i++) memcpy(turned + i * to_stride, &b[i], sizeof b[i]);
}

/// Writes lines of a panel, so many words from each of its sixteen rows, which lie anywhere.
SKEIN_TARGET static void SKEIN_NAME(interleave)(uint8_t *lines, const uint8_t *rows,
                                                size_t row_bytes, size_t words) {
    enum { HALF = SKEIN_PANEL_ROWS / 2 };
    size_t whole = words / 8 * 8;
    for (size_t word = 0; word < whole; word += 8) {
        uint8_t *line = lines + word * SKEIN_LINE_BYTES;
        const uint8_t *row = rows + word * 4;
        turn8(row, row_bytes, line, SKEIN_LINE_BYTES);
        turn8(row + HALF * row_bytes, row_bytes, line + HALF * 4, SKEIN_LINE_BYTES);
    }
    for (size_t word = whole; word < words; word++) {
        for (size_t n = 0; n < SKEIN_PANEL_ROWS; n++) {
            memcpy(lines + word * SKEIN_LINE_BYTES + n * 4, rows + n * row_bytes + word * 4, 4);
        }
    }
}

/// exp(x) to about one unit in the last place; below -87.33 it is 0, above 88.72 infinite.
SKEIN_INLINE v16 exp16(v16 x) {
    const v16 shifter = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    i16v low = x < splat(-87.33f), high = x > splat(88.72f), unordered = x != x;
    v16 clamped = low ? splat(-87.33f) : x;
    clamped = high ? splat(88.72f) : clamped;
    v16 shifted = __builtin_elementwise_fma(clamped, splat(1.44269504f), shifter);
    v16 n = shifted - shifter;
    v16 r = __builtin_elementwise_fma(n, splat(-0.693359375f), clamped);
    r = __builtin_elementwise_fma(n, splat(2.12194440e-4f), r);
    v16 p = splat(1.9875691500e-4f);
    p = __builtin_elementwise_fma(p, r, splat(1.3981999507e-3f));
    p = __builtin_elementwise_fma(p, r, splat(8.3334519073e-3f));
    p = __builtin_elementwise_fma(p, r, splat(4.1665795894e-2f));
    p = __builtin_elementwise_fma(p, r, splat(1.6666665459e-1f));
    p = __builtin_elementwise_fma(p, r, splat(5.0000001201e-1f));
    p = __builtin_elementwise_fma(p, r * r, r) + splat(1.0f);
    // n is at most 128: two factors keep each power of two representable.
    i16v exponent = __builtin_convertvector(n, i16v);
    i16v half = exponent >> 1;
    i16v first = (half + 127) << 23, second = (exponent - half + 127) << 23;
    v16 result = p * (v16)first * (v16)second;
    result = low ? splat(0.0f) : result;
    result = high ? splat(__builtin_inff()) : result;
    return unordered ? x : result;
}

SKEIN_INLINE v16 sigmoid16(v16 x) { return splat(1.0f) / (splat(1.0f) + exp16(-x)); }

/// values[i] = f(values[i]) by whole vectors, the rest through a padded one.
#define SKEIN_MAP(values, count, expression)                                  \
    size_t i = 0;                                                             \
    for (; i + 16 <= (count); i += 16) {                                      \
        v16 x = *(const v16 *)((values) + i);                                 \
        *(v16 *)((values) + i) = (expression);                                \
    }                                                                         \
    if (i < (count)) {                                                        \
        v16 x = load_some((values) + i, (count) - i, 0.0f);                   \
        v16 y = (expression);                                                 \
        memcpy((values) + i, &y, ((count) - i) * sizeof(float));              \
    }

SKEIN_TARGET static void SKEIN_NAME(exp)(float *values, size_t count) {
    SKEIN_MAP(values, count, exp16(x))
}

SKEIN_TARGET static void SKEIN_NAME(sigmoid)(float *values, size_t count) {
    SKEIN_MAP(values, count, sigmoid16(x))
}

SKEIN_TARGET static void SKEIN_NAME(silu_product)(float *gate, const float *up, size_t count) {
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        v16 x = *(const v16 *)(gate + i), y = *(const v16 *)(up + i);
        *(v16 *)(gate + i) = x * sigmoid16(x) * y;
    }
    if (i < count) {
        v16 x = load_some(gate + i, count - i, 0.0f), y = load_some(up + i, count - i, 0.0f);
        v16 product = x * sigmoid16(x) * y;
        memcpy(gate + i, &product, (count - i) * sizeof(float));
    }
}

SKEIN_TARGET static float SKEIN_NAME(sum_exp)(const float *row, float largest, size_t count) {
    v16 lanes = splat(0.0f);
    size_t i = 0;
    for (; i + 16 <= count; i += 16) lanes += exp16(*(const v16 *)(row + i) - splat(largest));
    if (i < count) {
        lanes += exp16(load_some(row + i, count - i, -__builtin_inff()) - splat(largest));
    }
    return reduce16(&lanes);
}

SKEIN_TARGET static void SKEIN_NAME(softmax)(float *row, size_t count) {
    float largest = -__builtin_inff();
    for (size_t i = 0; i < count; i++) largest = row[i] > largest ? row[i] : largest;
    v16 lanes = splat(0.0f);
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        v16 y = exp16(*(const v16 *)(row + i) - splat(largest));
        *(v16 *)(row + i) = y;
        lanes += y;
    }
    if (i < count) {
        v16 y = exp16(load_some(row + i, count - i, -__builtin_inff()) - splat(largest));
        memcpy(row + i, &y, (count - i) * sizeof(float));
        lanes += y;
    }
    float sum = reduce16(&lanes);
    for (size_t j = 0; j < count; j++) row[j] = row[j] / sum;
}

SKEIN_TARGET static void SKEIN_NAME(normalize)(const float *in, const float *weight, float epsilon,
                                               float *out, size_t count) {
    v16 lanes = splat(0.0f);
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        v16 x = *(const v16 *)(in + i);
        lanes = __builtin_elementwise_fma(x, x, lanes);
    }
    if (i < count) {
        v16 x = load_some(in + i, count - i, 0.0f);
        lanes = __builtin_elementwise_fma(x, x, lanes);
    }
    float mean = reduce16(&lanes) / (float)count;
    float inverse = 1.0f / __builtin_sqrtf(mean + epsilon);
    for (size_t j = 0; j < count; j++) out[j] = weight[j] * (in[j] * inverse);
}

/// out = in / scale, rounded to nearest even, for a group of at most 128 columns; whole quads are
/// written, the rest of the last one zeros. The scale is the largest magnitude / 127; of a group
/// without numbers above 2^-100 it is 0, and NaN of one that holds an infinity or a NaN.
SKEIN_TARGET static void SKEIN_NAME(quantize_i8)(const float *in, size_t count, int8_t *out,
                                                 float *scale, int32_t *sum) {
    i16v most = (i16v)0;
    for (size_t i = 0; i < count; i += 16) {
        v16 x = load_some(in + i, skein_min(16, count - i), 0.0f);
        i16v magnitude = (i16v)x & 0x7FFFFFFF;
        most = magnitude > most ? magnitude : most;
    }
    int32_t largest = 0;
    for (int l = 0; l < 16; l++) largest = most[l] > largest ? most[l] : largest;
    float amax = skein_float_of_bits((uint32_t)largest);
    bool is_finite = largest < 0x7F800000, is_tiny = largest < 27 << 23;
    *scale = is_tiny ? 0.0f : is_finite ? amax / 127.0f : __builtin_nanf("");
    float inverse = is_tiny || !is_finite ? 0.0f : 127.0f / amax;
    i16v total = (i16v)0;
    for (size_t i = 0; i < count; i += 16) {
        size_t some = skein_min(16, count - i);
        v16 x = load_some(in + i, some, 0.0f);
        // 1.5 * 2^23: adding it leaves the nearest integer in the lowest bits.
        i16v code = (i16v)(x * splat(inverse) + splat(12582912.0f)) - 0x4B400000;
        code = is_finite ? code : (i16v)0;
        total += code;
        int8_t codes[16];
        for (int l = 0; l < 16; l++) codes[l] = (int8_t)code[l];
        memcpy(out + i, codes, (some + 3) / 4 * 4);
    }
    *sum = 0;
    for (int l = 0; l < 16; l++) *sum += total[l];
}

/// BF16 numbers at any address.
SKEIN_INLINE void widen_bf16(const uint8_t *from, size_t count, float *out) {
    size_t k = 0;
    for (; k + 16 <= count; k += 16) {
        u16v numbers;
        memcpy(&numbers, from + 2 * k, sizeof numbers);
        *(v16 *)(out + k) = (v16)(__builtin_convertvector(numbers, u32v) << 16);
    }
    for (; k < count; k++) out[k] = skein_float_of_bf16(skein_load_bf16(from + 2 * k));
}

/// Sixteen numbers of E4M3 codes. A subnormal code is read with the smallest normal exponent and a
/// hidden one, which is then taken away: exact, and no step is subnormal.
SKEIN_INLINE v16 decode16(u8v codes) {
    u32v wide = __builtin_convertvector(codes, u32v);
    u32v magnitude = wide & 0x7F, sign = (wide & 0x80) << 24;
    v16 value = (v16)((magnitude << 20) + (120u << 23));
    v16 shifted = (v16)((magnitude << 20) + (121u << 23)) - splat(0.015625f);  // 2^-6
    value = magnitude >= 8 ? value : shifted;
    value = magnitude == 0x7F ? splat(__builtin_nanf("")) : value;
    return (v16)((u32v)value | sign);
}

/// `count` codes that share a scale.
SKEIN_INLINE void decode_codes(const uint8_t *codes, size_t count, float scale, float *out) {
    for (size_t i = 0; i < count; i += 16) {
        size_t some = skein_min(16, count - i);
        u8v part = (u8v)0;
        memcpy(&part, codes + i, some);
        v16 numbers = decode16(part) * splat(scale);
        memcpy(out + i, &numbers, some * sizeof(float));
    }
}

SKEIN_TARGET static void SKEIN_NAME(decode_f8e4m3)(const uint8_t *codes, size_t count, float scale,
                                                   float *out) {
    decode_codes(codes, count, scale, out);
}

/// The nearest codes of E4M3, as skein_f8e4m3_encode.
SKEIN_INLINE u8v encode16(v16 x) {
    u32v bits = (u32v)x, magnitude = bits & 0x7FFFFFFF;
    u32v code = ((magnitude + 0x7FFFF + (magnitude >> 20 & 1)) >> 20) - (120 << 3);
    // Below 2^-6 the step is 2^-9: adding 2^14 makes it the last bit of a float.
    u32v small = (u32v)((v16)magnitude + splat(16384.0f)) - 0x46800000;
    code = magnitude < 0x3C800000 ? small : code;
    code = magnitude >= 0x43E00000 ? (u32v)0x7E : code;  // 448 and beyond
    code = magnitude > 0x7F800000 ? (u32v)0x7F : code;
    code |= bits >> 24 & 0x80;
    return __builtin_convertvector(code, u8v);
}

/// Codes of at most 128 numbers and their scale: the power of two at or above the largest magnitude
/// / 448, where that counts as 1e-4 at least, so that zeros divide by something. A NaN gets a code
/// of its own; an infinity makes the scale infinite, and all numbers come back as NaN.
SKEIN_TARGET static void SKEIN_NAME(quantize_f8e4m3)(const float *in, size_t count, uint8_t *codes,
                                                     float *scale) {
    u32v most = (u32v)0;
    for (size_t i = 0; i < count; i += 16) {
        v16 x = load_some(in + i, skein_min(16, count - i), 0.0f);
        u32v magnitude = (u32v)x & 0x7FFFFFFF;
        magnitude = magnitude > 0x7F800000 ? (u32v)0 : magnitude;
        most = magnitude > most ? magnitude : most;
    }
    uint32_t largest = 0;
    for (int l = 0; l < 16; l++) largest = most[l] > largest ? most[l] : largest;
    float amax = skein_float_of_bits(largest);
    uint32_t bits = skein_bits_of_float((amax > 1e-4f ? amax : 1e-4f) / 448.0f);
    *scale = skein_float_of_bits((bits + 0x7FFFFF) & 0xFF800000);
    float inverse = 1.0f / *scale;  // exact, as is each product with it
    for (size_t i = 0; i < count; i += 16) {
        size_t some = skein_min(16, count - i);
        u8v code = encode16(load_some(in + i, some, 0.0f) * splat(inverse));
        memcpy(codes + i, &code, some);
    }
}
