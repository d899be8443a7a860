#include "twins.h"
#if defined(__x86_64__)
void skein_product_bf16_avx512(const skein_product *job) { skein_product_bf16_scalar(job); }
#endif
