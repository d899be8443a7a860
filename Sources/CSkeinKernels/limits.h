// What a thread can do at most with sixteen lanes, after rows_f32.h; the including file gives
// PEAK_SUMS, sums that stay in registers and hide each other's latency.

/// Makes the compiler believe that somebody needs what lies there.
SKEIN_INLINE void need(const void *bytes) { __asm__ volatile("" : : "r"(bytes) : "memory"); }

/// Sums 64-byte lines, four at a time, with prefetch.
SKEIN_TARGET static uint64_t SKEIN_NAME(read)(const uint8_t *bytes, size_t count) {
    u32v sums[4] = {(u32v)0, (u32v)0, (u32v)0, (u32v)0};
    size_t i = 0;
    for (; i + 256 <= count; i += 256) {
#pragma clang loop unroll(full)
        for (size_t l = 0; l < 4; l++) {
            __builtin_prefetch(bytes + i + 4096 + 64 * l);
            u32v line;
            memcpy(&line, bytes + i + 64 * l, sizeof line);
            sums[l] += line;
        }
    }
    u32v all = sums[0] + sums[1] + sums[2] + sums[3];
    uint64_t total = 0;
    for (int l = 0; l < 16; l++) total += all[l];
    for (; i < count; i++) total += bytes[i];
    return total;
}

/// Independent chains of fused multiply-adds.
SKEIN_TARGET static double SKEIN_NAME(peak_f32)(size_t rounds) {
    v16 sums[PEAK_SUMS], x = splat(0.5f);
    need(&x);
    v16 factor = x;
    for (int l = 0; l < PEAK_SUMS; l++) sums[l] = splat(0.0f);
    for (size_t i = 0; i < rounds; i++) {
#pragma clang loop unroll(full)
        for (int l = 0; l < PEAK_SUMS; l++) {
            sums[l] = __builtin_elementwise_fma(sums[l], factor, factor);
        }
    }
    need(sums);
    return 2.0 * 16 * PEAK_SUMS * (double)rounds;
}
