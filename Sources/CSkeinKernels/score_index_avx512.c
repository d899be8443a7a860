// The lightning indexer's scores with the vectors of this ISA.
#if defined(__x86_64__)
#define SKEIN_TARGET SKEIN_TARGET_AVX512
#define SKEIN_NAME(name) name##_avx512
#include "twins.h"
#pragma clang diagnostic ignored "-Wunused-function"
#include "tile_avx512.h"
#include "rows_f32.h"
#include "widen_rows_avx512.h"
enum { INDEX_HEADS = 4, INDEX_VECTORS = 4 };

#include "score_index.h"
#endif
