// Attention over latent rows with the vectors of this ISA.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX512
#define SKEIN_NAME(name) name##_avx512
#include "twins.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "rows_f32.h"
#include "attend_latent_bf16.h"
#endif
