// What the machine can do at most, by plain C: reading, and multiply-adds from registers.
#include "twins.h"

uint64_t skein_read_scalar(const uint8_t *bytes, size_t count) {
    uint64_t sums[4] = {0};
    size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        uint64_t words[4];
        memcpy(words, bytes + i, 32);
        for (int l = 0; l < 4; l++) sums[l] += words[l];
    }
    for (; i < count; i++) sums[0] += bytes[i];
    return sums[0] + sums[1] + sums[2] + sums[3];
}

/// Twelve independent sums of one number each; returns them added up, so that they are needed.
float skein_peak_f32_scalar(size_t rounds) {
    float sums[12] = {0};
    volatile float factor = 0.5f;
    float x = factor;
    for (size_t i = 0; i < rounds; i++) {
        for (int l = 0; l < 12; l++) sums[l] = sums[l] * x + x;
    }
    float total = 0;
    for (int l = 0; l < 12; l++) total += sums[l];
    return total;
}

/// There is no BF16 instruction here: two multiply-adds stand for each.
float skein_peak_bf16_scalar(size_t rounds) { return skein_peak_f32_scalar(2 * rounds); }

int32_t skein_peak_i8_scalar(size_t rounds) {
    int32_t sums[12] = {0};
    volatile int8_t factor = 3;
    for (size_t i = 0; i < rounds; i++) {
        int8_t x = factor;
        for (int l = 0; l < 12; l++) sums[l] += (int32_t)x * (int8_t)(l + 1);
    }
    int32_t total = 0;
    for (int l = 0; l < 12; l++) total += sums[l];
    return total;
}
