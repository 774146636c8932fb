// What Python and C share: no includes and no macros, for Python reads this file, too.

// A column of an Arrow array, as it lies in memory; `offset` is the first of its rows in all buffers.
struct hash_column {
    int32_t tag;              // its type: 1 number, 2 integer, 3 boolean, 4 text, 5 datetime
    int64_t offset;
    const uint8_t *valid;     // one bit a row, or NULL where no cell is null
    const void *values;       // doubles, integers of 64 bits, one bit a row, or the bytes of all texts
    const int32_t *ends;      // of texts: where each begins, and where the last one ends
};

// SipHash-2-4 of `length` bytes (Aumasson and Bernstein, 2012), `key` as two words, least significant byte first.
uint64_t sip_hash(const uint64_t *key, const uint8_t *bytes, uint64_t length);

// Write the hash of each of `rows` rows of `count` columns into `hashes`; return 0, or -1 where memory is short.
int32_t hash_rows(const uint64_t *key, const struct hash_column *columns, uint64_t count, uint64_t rows,
                  uint64_t *hashes);
