#include "twins.h"
#if defined(__x86_64__)
void skein_attend_latent_bf16_avx2(const skein_attend_task *job) { skein_attend_latent_bf16_scalar(job); }
#endif
