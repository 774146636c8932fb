// The walk over nodes of one layout: included once for each, with WORD, NUMBER, FEATURE_BITS and LAYOUT(name) defined.

#define FEATURE_MASK (((WORD)1 << FEATURE_BITS) - 1)

static inline NUMBER LAYOUT(threshold)(const WORD *nodes, uint64_t at)
{
    NUMBER threshold;
    memcpy(&threshold, &nodes[2 * at], sizeof threshold);
    return threshold;
}

// Return where the row goes from node `at`; from a leaf, nowhere.
static inline uint64_t LAYOUT(next)(const WORD *nodes, const double *row, uint64_t at)
{
    const WORD split = nodes[2 * at + 1];
    return at + (split >> FEATURE_BITS) + (row[split & FEATURE_MASK] > (double)LAYOUT(threshold)(nodes, at));
}

// Walk LANES pairs of a row and a node, rows `step` cells apart, until none moves; nothing else branches.
static inline void LAYOUT(leaves)(const WORD *nodes, const double *rows, uint64_t step, uint64_t at[LANES])
{
    uint64_t moved;
    do {
        moved = 0;
        for (int lane = 0; lane < LANES; lane++) {
            const uint64_t next = LAYOUT(next)(nodes, rows + lane * step, at[lane]);
            moved |= next ^ at[lane];
            at[lane] = next;
        }
    } while (moved);
}

// Add the leaves of all trees that one row reaches: LANES trees in step.
static void LAYOUT(one_row)(const struct forest *forest, const double *row, double *sums)
{
    const WORD *nodes = forest->nodes;
    uint64_t at[LANES];
    uint64_t tree = 0;
    for (; tree + LANES <= forest->trees; tree += LANES) {
        memcpy(at, forest->roots + tree, sizeof at);
        LAYOUT(leaves)(nodes, row, 0, at);
        for (int lane = 0; lane < LANES; lane++)
            add(forest, tree + lane, nodes[2 * at[lane]], sums);
    }
    for (; tree < forest->trees; tree++) {
        uint64_t here, next = forest->roots[tree];
        do {
            here = next;
            next = LAYOUT(next)(nodes, row, here);
        } while (next != here);
        add(forest, tree, nodes[2 * here], sums);
    }
}

// Add the leaves that `count` rows reach, a multiple of LANES: tree by tree, LANES rows in step.
static void LAYOUT(many_rows)(const struct forest *forest, const double *rows, uint64_t count, double *sums)
{
    const WORD *nodes = forest->nodes;
    const uint64_t width = forest->features + 1;
    uint64_t at[LANES];
    for (uint64_t tree = 0; tree < forest->trees; tree++) {
        for (uint64_t row = 0; row < count; row += LANES) {
            for (int lane = 0; lane < LANES; lane++)
                at[lane] = forest->roots[tree];
            LAYOUT(leaves)(nodes, rows + row * width, width, at);
            for (int lane = 0; lane < LANES; lane++)
                add(forest, tree, nodes[2 * at[lane]], sums + (row + lane) * forest->outputs);
        }
    }
}

static enum problem LAYOUT(check)(const struct forest *forest)
{
    const WORD *nodes = forest->nodes;
    for (uint64_t tree = 0; tree < forest->trees; tree++) {
        const uint64_t end = tree + 1 < forest->trees ? forest->roots[tree + 1] : forest->node_count;
        for (uint64_t at = forest->roots[tree]; at < end; at++) {
            const uint64_t split = nodes[2 * at + 1];
            const uint64_t feature = split & FEATURE_MASK, ahead = split >> FEATURE_BITS;
            if (ahead == 0) {
                if (feature != forest->features || nodes[2 * at] >= forest->leaves)
                    return WRONG_LEAF;
            } else if (feature >= forest->features || at + ahead + 1 >= end || isnan(LAYOUT(threshold)(nodes, at))) {
                return WRONG_SPLIT;
            }
        }
    }
    return SOUND;
}

#undef FEATURE_MASK
