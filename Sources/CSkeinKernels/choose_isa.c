// The only file that asks the CPU what it is.
#include "kernels.h"

#include <stdatomic.h>
#include <stdlib.h>

/// Emulated, the kernels of AVX-512 run wherever those of AVX2 do, but only where asked for.
#ifdef SKEIN_EMULATES_AVX512
enum { IS_EMULATED = 1 };
#else
enum { IS_EMULATED = 0 };
#endif

bool skein_isa_supported(int isa) {
    if (isa == SKEIN_ISA_SCALAR) return true;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == SKEIN_ISA_AVX2) return avx2;
    if (isa == SKEIN_ISA_AVX512) {
        bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vbmi") &&
                      __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
        return avx2 && (IS_EMULATED || avx512);
    }
#endif
    return false;
}

static int choose(void) {
    const char *asked = getenv("SKEIN_ISA");
    int most = IS_EMULATED ? SKEIN_ISA_AVX2 : SKEIN_ISA_AVX512;
    if (asked != NULL && strcmp(asked, "scalar") == 0) most = SKEIN_ISA_SCALAR;
    if (asked != NULL && strcmp(asked, "avx2") == 0) most = SKEIN_ISA_AVX2;
    while (!skein_isa_supported(most)) most--;
    return most;
}

int skein_isa_chosen(void) {
    static _Atomic(int) chosen = -1;
    int isa = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (isa < 0) {
        isa = choose();
        atomic_store_explicit(&chosen, isa, memory_order_relaxed);
    }
    return isa;
}

const skein_kernels *skein_kernels_of(int isa) {
#if defined(__x86_64__)
    if (isa == SKEIN_ISA_AVX2) return &skein_kernels_avx2;
    if (isa == SKEIN_ISA_AVX512) return &skein_kernels_avx512;
#endif
    (void)isa;
    return &skein_kernels_scalar;
}
