// Attention over latent rows with the vectors of this ISA.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX2
#define SKEIN_NAME(name) name##_avx2
#include "twins.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "f8e4m3_avx2.h"
#include "rows_f32.h"
#include "widen_rows_avx2.h"
// Eight registers of sums, one to half a score's lanes, two to a vector of sixteen.
enum { SCORE_LANES = 8, SCORE_HEADS = 4, SCORE_ROWS = 2, SUM_HEADS = 2, SUM_VECTORS = 2 };

#include "attend_latent.h"
#endif
