// The walk through a forest's nodes, for both layouts of nodes (forest_nodes.py). See decision 0138.

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "forest_kernel.h"

// Walks that go on together: while one waits for memory, the others compute.
#define LANES 8

// Rows that meet a tree together: they stay in the processor's cache, and so does the tree for a while.
#define ROWS_AT_ONCE 1024

// Cells of a few rows lie on the stack.
#define FEW_CELLS 512

enum problem { SOUND, WRONG_LEAF, WRONG_SPLIT, WRONG_VALUE };
enum link { IDENTITY, LOGISTIC, SOFTMAX };

static inline void add(const struct forest *forest, uint64_t tree, uint64_t leaf, double *sums)
{
    const double *value = forest->value + leaf * forest->columns;
    double *output = sums + forest->output[tree];
    for (uint64_t column = 0; column < forest->columns; column++)
        output[column] += value[column];
}

#define LAYOUT(name) narrow_##name
#define WORD uint32_t
#define NUMBER float
#define FEATURE_BITS 8
#include "forest_walk.h"
#undef LAYOUT
#undef WORD
#undef NUMBER
#undef FEATURE_BITS

#define LAYOUT(name) wide_##name
#define WORD uint64_t
#define NUMBER double
#define FEATURE_BITS 24
#include "forest_walk.h"

// Turn the sum of the positive class, at 1, into the probabilities of both.
static void logistic(double *raw)
{
    raw[1] = 1.0 / (1.0 + exp(-raw[1]));
    raw[0] = 1.0 - raw[1];
}

static void softmax(double *raw, uint64_t outputs)
{
    double greatest = raw[0], total = 0.0;
    for (uint64_t at = 1; at < outputs; at++)
        greatest = raw[at] > greatest ? raw[at] : greatest;
    for (uint64_t at = 0; at < outputs; at++) {
        raw[at] = exp(raw[at] - greatest);
        total += raw[at];
    }
    for (uint64_t at = 0; at < outputs; at++)
        raw[at] /= total;
}

static void finish(const struct forest *forest, double *raw)
{
    for (uint64_t at = 0; at < forest->outputs; at++)
        raw[at] = forest->base[at] + forest->scale * raw[at];
    if (forest->link == LOGISTIC)
        logistic(raw);
    else if (forest->link == SOFTMAX)
        softmax(raw, forest->outputs);
}

// Copy rows into cells of features + 1: the last one is what leaves compare, so that nothing ever goes on from them.
static void fill(const struct forest *forest, const double *matrix, uint64_t rows, double *cells)
{
    for (uint64_t row = 0; row < rows; row++) {
        for (uint64_t feature = 0; feature < forest->features; feature++, matrix++)
            *cells++ = forest->single ? (double)(float)*matrix : *matrix;
        *cells++ = -INFINITY;
    }
}

int32_t forest_check(const struct forest *forest)
{
    const enum problem found = forest->wide ? wide_check(forest) : narrow_check(forest);
    if (found != SOUND)
        return found;
    for (uint64_t at = 0; at < forest->leaves * forest->columns; at++)
        if (!isfinite(forest->value[at]))
            return WRONG_VALUE;
    return SOUND;
}

int32_t forest_walk(const struct forest *forest, const double *matrix, uint64_t rows, double *answers)
{
    const uint64_t width = forest->features + 1;
    const uint64_t most = (rows < ROWS_AT_ONCE ? rows : ROWS_AT_ONCE) * width;
    double few[FEW_CELLS];
    double *cells = most <= FEW_CELLS ? few : malloc(most * sizeof *cells);
    if (cells == NULL)
        return -1;
    memset(answers, 0, rows * forest->outputs * sizeof *answers);
    for (uint64_t start = 0; start < rows; start += ROWS_AT_ONCE) {
        const uint64_t size = rows - start < ROWS_AT_ONCE ? rows - start : ROWS_AT_ONCE;
        const uint64_t whole = size - size % LANES;
        double *sums = answers + start * forest->outputs;
        fill(forest, matrix + start * forest->features, size, cells);
        if (whole > 0)
            (forest->wide ? wide_many_rows : narrow_many_rows)(forest, cells, whole, sums);
        for (uint64_t row = whole; row < size; row++)
            (forest->wide ? wide_one_row : narrow_one_row)(forest, cells + row * width, sums + row * forest->outputs);
        for (uint64_t row = 0; row < size; row++)
            finish(forest, sums + row * forest->outputs);
    }
    if (cells != few)
        free(cells);
    return 0;
}
