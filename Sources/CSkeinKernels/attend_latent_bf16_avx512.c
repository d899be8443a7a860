// Attention over latent rows with the vectors of this ISA.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX512
#define SKEIN_NAME(name) name##_avx512
#include "twins.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "rows_f32.h"
enum { SCORE_HEADS = 4, SCORE_ROWS = 4, SUM_HEADS = 4, SUM_VECTORS = 4 };
#include "attend_latent_bf16.h"
#endif
