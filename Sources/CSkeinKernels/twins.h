// The kernels that are written once for each ISA.
#ifndef SKEIN_TWINS_H
#define SKEIN_TWINS_H

#include "kernels.h"

void skein_product_bf16_scalar(const skein_product *job);
void skein_product_f8e4m3_block_scalar(const skein_product *job);
void skein_attend_latent_bf16_scalar(const skein_attend_task *task);
#if defined(__x86_64__)
void skein_product_bf16_avx2(const skein_product *job);
void skein_product_bf16_avx512(const skein_product *job);
void skein_product_f8e4m3_block_avx2(const skein_product *job);
void skein_product_f8e4m3_block_avx512(const skein_product *job);
void skein_attend_latent_bf16_avx2(const skein_attend_task *task);
void skein_attend_latent_bf16_avx512(const skein_attend_task *task);
#endif

#endif
