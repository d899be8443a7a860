#include "twins.h"
#if defined(__x86_64__)
void skein_product_f8e4m3_block_avx512(const skein_product *job) { skein_product_f8e4m3_block_scalar(job); }
#endif
