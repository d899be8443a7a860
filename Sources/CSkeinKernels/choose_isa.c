// The only file that asks the CPU what it is.
#include "twins.h"

#include <stdlib.h>

#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

/// Emulated, kernels run wherever those of AVX2 do, but only where they are asked for.
#ifdef SKEIN_EMULATES_AVX512
enum { IS_EMULATED = 1 };
#else
enum { IS_EMULATED = 0 };
#endif

#if defined(__x86_64__)
/// Asks the system once for the tiles' state; it refuses where a thread has a small signal stack.
static bool may_use_tiles(void) {
#if defined(__linux__)
    static _Atomic(int) answer = -1;  // known: 0 or 1
    int known = atomic_load(&answer);
    if (known >= 0) return known == 1;
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    bool is_given = syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
    atomic_store(&answer, is_given);
    return is_given;
#else
    return false;
#endif
}

static bool has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static bool has_avx512_bf16(void) {
    return has_avx512() && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
}
#endif

bool skein_isa_supported(int isa) {
    if (isa == SKEIN_ISA_SCALAR) return true;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                __builtin_cpu_supports("f16c");
    if (!avx2 || isa == SKEIN_ISA_AVX2 || IS_EMULATED) return avx2;
    if (isa == SKEIN_ISA_AVX512) return has_avx512();
    if (isa == SKEIN_ISA_AVX512BF16) return has_avx512_bf16();
    return isa == SKEIN_ISA_AMX && has_avx512_bf16() && __builtin_cpu_supports("amx-tile") &&
           __builtin_cpu_supports("amx-bf16") && __builtin_cpu_supports("amx-int8") &&
           may_use_tiles();
#endif
    return false;
}

int skein_isa_best(void) {
    int best = IS_EMULATED ? SKEIN_ISA_AVX2 : SKEIN_ISA_AMX;
    while (!skein_isa_supported(best)) best--;
#if defined(__x86_64__)
    // Intel's processors do one vdpbf16ps in two cycles, less than two fused multiply-adds do.
    if (best == SKEIN_ISA_AVX512BF16 && __builtin_cpu_is("intel")) return SKEIN_ISA_AVX512;
#endif
    return best;
}

bool skein_has_vnni(int isa) {
#if defined(__x86_64__)
    if (IS_EMULATED) return true;
    __builtin_cpu_init();
    if (isa == SKEIN_ISA_AVX2) return __builtin_cpu_supports("avxvnni");
    return __builtin_cpu_supports("avx512vnni");
#else
    (void)isa;
    return false;
#endif
}

const skein_kernels *skein_kernels_of(int isa) {
    static const skein_kernels *const tables[SKEIN_ISA_COUNT] = {
        &skein_kernels_scalar,
#if defined(__x86_64__)
        &skein_kernels_avx2, &skein_kernels_avx512, &skein_kernels_avx512bf16,
        &skein_kernels_amx,
#endif
    };
    return tables[isa];
}
