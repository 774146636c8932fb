// What Python and C share: no includes and no macros, for Python reads this file, too.

struct forest {
    const void *nodes;        // pairs of words, as forest_nodes.py describes them
    uint64_t node_count;
    const uint64_t *roots;    // [trees]: the node at which each begins
    const int64_t *output;    // [trees]: the first output to which each adds
    uint64_t trees;
    const double *value;      // [leaves, columns]
    uint64_t leaves;
    uint64_t columns;
    const double *base;       // [outputs]
    uint64_t outputs;
    uint64_t features;
    double scale;
    int32_t link;             // 0 identity, 1 logistic, 2 softmax
    bool single;              // rows are rounded to float32 before they are compared
    bool wide;                // the layout of the nodes
};

// Return 0 if every walk ends at a leaf with finite values, inside of its tree; else what is wrong: 1 a leaf, 2 a split,
// 3 a value.
int32_t forest_check(const struct forest *forest);

// Write link(base + scale * (sum of leaf values)) of `rows` rows into `answers` [rows, outputs]; `matrix` is
// [rows, features], row by row. Each sum is in the order of the trees. Return 0, or -1 where memory is short.
int32_t forest_walk(const struct forest *forest, const double *matrix, uint64_t rows, double *answers);
