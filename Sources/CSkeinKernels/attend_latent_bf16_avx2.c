// Attention over latent rows with the vectors of this ISA.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX2
#define SKEIN_NAME(name) name##_avx2
#include "twins.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "rows_f32.h"
// Eight registers of sums, two to a vector of sixteen.
enum { SCORE_HEADS = 2, SCORE_ROWS = 2, SUM_HEADS = 2, SUM_VECTORS = 2 };
#include "attend_latent_bf16.h"
#endif
