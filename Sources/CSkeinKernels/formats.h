// Weight formats: one row each, and where the numbers of a packed matrix lie.
//
// A packed matrix is cut into panels of sixteen outputs. A line of 64 bytes holds one 32-bit word
// of each: consecutive columns of that output, lowest first, as they lie in the stored row. So
// every format is packed alike, and outputs lie along lanes for every instruction set.
//
//     line:  output 0 | output 1 | ... | output 15        a word: 1 column of F32, 2 of BF16,
//                                                          4 of E4M3 and INT8, 8 of INT4
//
// Columns that share a scale are a block; a block is padded with zeros to whole groups of 32.
#ifndef SKEIN_FORMATS_H
#define SKEIN_FORMATS_H

#include "CSkeinKernels.h"

#include <string.h>

enum {
    SKEIN_PANEL_ROWS = 16,
    SKEIN_LINE_BYTES = 64,
    SKEIN_GROUP_COLUMNS = 32,  // of one even and one odd chain
    SKEIN_UNIT_COLUMNS = 8,    // whole lines of every format
};

/// One weight format. A new one is a row of `skein_formats` and a case of each `decode_step`.
typedef struct skein_format {
    size_t bits;         // of a number
    size_t scale_bytes;  // of one scale; 0 where there are none
    bool has_row_scales; // every output of a panel has its own
    uint8_t padding;     // a byte of numbers that are zero
} skein_format;

extern const skein_format skein_formats[SKEIN_FORMAT_COUNT];

static inline const skein_format *skein_format_of(const skein_packed *weight) {
    return &skein_formats[weight->format];
}

static inline size_t skein_padded(size_t columns) {
    return (columns + SKEIN_GROUP_COLUMNS - 1) / SKEIN_GROUP_COLUMNS * SKEIN_GROUP_COLUMNS;
}

/// Some columns that share their scales.
typedef struct skein_block {
    size_t number;
    size_t column, width;   // in the matrix
    size_t place, padded;   // in a packed row
} skein_block;

static inline skein_block skein_first_block(const skein_packed *weight) {
    size_t width = weight->first_columns < weight->columns ? weight->first_columns
                                                           : weight->columns;
    return (skein_block){0, 0, width, 0, skein_padded(width)};
}

/// False behind the last one.
static inline bool skein_is_block(const skein_packed *weight, const skein_block *block) {
    return block->column < weight->columns;
}

static inline void skein_next_block(const skein_packed *weight, skein_block *block) {
    block->number++;
    block->column += block->width;
    block->place += block->padded;
    size_t left = weight->columns - block->column;
    block->width = left < weight->block_columns ? left : weight->block_columns;
    block->padded = skein_padded(block->width);
}

static inline size_t skein_block_count(const skein_packed *weight) {
    if (weight->columns <= weight->first_columns) return 1;
    size_t rest = weight->columns - weight->first_columns;
    return 1 + (rest + weight->block_columns - 1) / weight->block_columns;
}

/// The columns of a packed row.
static inline size_t skein_packed_columns(const skein_packed *weight) {
    if (weight->columns <= weight->first_columns) return skein_padded(weight->columns);
    size_t rest = weight->columns - weight->first_columns;
    size_t whole = rest / weight->block_columns;
    return skein_padded(weight->first_columns) + whole * skein_padded(weight->block_columns) +
           skein_padded(rest % weight->block_columns);
}

static inline size_t skein_panel_count(const skein_packed *weight) {
    return (weight->rows + SKEIN_PANEL_ROWS - 1) / SKEIN_PANEL_ROWS;
}

/// Bytes of so many columns of a panel; the columns are whole units.
static inline size_t skein_columns_bytes(const skein_packed *weight, size_t columns) {
    return columns / 8 * skein_format_of(weight)->bits * SKEIN_PANEL_ROWS;
}

static inline const uint8_t *skein_panel(const skein_packed *weight, size_t panel) {
    return weight->codes + panel * skein_columns_bytes(weight, skein_packed_columns(weight));
}

/// Scales of one block of a panel: one for all outputs, or one for each.
static inline size_t skein_scale_lanes(const skein_packed *weight) {
    return weight->has_row_scales ? SKEIN_PANEL_ROWS : 1;
}

/// The scales of a panel's first block; those of block b come b * skein_scale_lanes later.
static inline const uint8_t *skein_panel_scales(const skein_packed *weight, size_t panel) {
    size_t lanes = skein_scale_lanes(weight) * skein_format_of(weight)->scale_bytes;
    return weight->scales + panel * skein_block_count(weight) * lanes;
}

static inline size_t skein_lines(size_t bytes) {
    return (bytes + SKEIN_LINE_BYTES - 1) / SKEIN_LINE_BYTES * SKEIN_LINE_BYTES;
}

#endif
