// The kernels that are written once for each ISA.
#ifndef SKEIN_TWINS_H
#define SKEIN_TWINS_H

#include "kernels.h"

void skein_product_bf16_scalar(const skein_product *job);
void skein_product_f8e4m3_block_scalar(const skein_product *job);
void skein_product_i8_group_scalar(const skein_product *job);
void skein_attend_latent_scalar(const skein_attend_task *task);
void skein_score_index_scalar(const skein_index_task *task);
uint64_t skein_read_scalar(const uint8_t *bytes, size_t count);
float skein_peak_f32_scalar(size_t rounds);
float skein_peak_bf16_scalar(size_t rounds);
int32_t skein_peak_i8_scalar(size_t rounds);
#if defined(__x86_64__)
void skein_product_bf16_avx2(const skein_product *job);
void skein_product_bf16_avx512(const skein_product *job);
void skein_product_f8e4m3_block_avx2(const skein_product *job);
/// Up to SKEIN_DIRECT_MAX rows of input, but no first weight row; false where it cannot be had so.
bool skein_product_f8e4m3_tiny_avx2(const skein_product *job);
void skein_product_f8e4m3_block_avx512(const skein_product *job);
void skein_product_i8_group_avx2(const skein_product *job);
void skein_product_i8_group_avx512(const skein_product *job);
void skein_attend_latent_avx2(const skein_attend_task *task);
void skein_attend_latent_avx512(const skein_attend_task *task);
void skein_score_index_avx2(const skein_index_task *task);
void skein_score_index_avx512(const skein_index_task *task);
uint64_t skein_read_avx2(const uint8_t *bytes, size_t count);
uint64_t skein_read_avx512(const uint8_t *bytes, size_t count);
float skein_peak_f32_avx2(size_t rounds);
float skein_peak_f32_avx512(size_t rounds);
float skein_peak_bf16_avx2(size_t rounds);
float skein_peak_bf16_avx512(size_t rounds);
int32_t skein_peak_i8_avx2(size_t rounds);
int32_t skein_peak_i8_avx512(size_t rounds);
#endif

#endif
