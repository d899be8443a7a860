// The scalar kernels, which have files of their own, and the INT8 products of every ISA.
#ifndef SKEIN_TWINS_H
#define SKEIN_TWINS_H

#include "kernels.h"

size_t skein_f32_row_bytes_scalar(const skein_packed *weight);
void skein_prepare_scalar(const skein_packed *weight, const float *values, size_t begin,
                          size_t count, uint8_t *row);
void skein_prepare_exact_scalar(const skein_packed *weight, const float *values, size_t begin,
                                size_t count, uint8_t *row);
void skein_product_scalar(const skein_product *job);
void skein_product_i8_scalar(const skein_product *job);
void skein_attend_latent_scalar(const skein_attend_task *task);
void skein_merge_spans_scalar(const skein_latent_rows *rows, const skein_attend_part *part);
void skein_score_index_scalar(const skein_index_task *task);

/// Whether VNNI is there beside the vectors of an ISA.
bool skein_has_vnni(int isa);

/// The rows of an INT8 product, as every ISA prepares them: by its quantize_i8.
void skein_prepare_i8(const skein_kernels *kernels, const skein_packed *weight,
                      const float *values, size_t begin, size_t count, uint8_t *row);
#if defined(__x86_64__)
void skein_product_i8_avx2(const skein_product *job);
void skein_product_i8_avxvnni(const skein_product *job);
void skein_product_i8_avx512(const skein_product *job);
double skein_peak_i8_avx2(size_t rounds);
double skein_peak_i8_avxvnni(size_t rounds);
double skein_peak_i8_avx512(size_t rounds);
#endif

#endif
