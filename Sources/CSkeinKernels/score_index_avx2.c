// The lightning indexer's scores with the vectors of this ISA.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX2
#define SKEIN_NAME(name) name##_avx2
#include "twins.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "f8e4m3_avx2.h"
#include "rows_f32.h"
#include "widen_rows_avx2.h"
// Eight registers of sums, two to a vector of sixteen.
enum { INDEX_HEADS = 4, INDEX_VECTORS = 1 };

#include "score_index.h"
#endif
