// Hashes of rows: SipHash-2-4 of their canonical form, which split.py describes.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "row_hash.h"

#define ROTATED(word, by) (((word) << (by)) | ((word) >> (64 - (by))))

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s) {
    s->v0 += s->v1;
    s->v1 = ROTATED(s->v1, 13) ^ s->v0;
    s->v0 = ROTATED(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = ROTATED(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = ROTATED(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = ROTATED(s->v1, 17) ^ s->v2;
    s->v2 = ROTATED(s->v2, 32);
}

static inline void sip_begin(struct sip *s, const uint64_t *key) {
    s->v0 = key[0] ^ 0x736f6d6570736575u;
    s->v1 = key[1] ^ 0x646f72616e646f6du;
    s->v2 = key[0] ^ 0x6c7967656e657261u;
    s->v3 = key[1] ^ 0x7465646279746573u;
}

static inline void sip_word(struct sip *s, uint64_t word) {
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

static inline uint64_t sip_end(struct sip *s) {
    s->v2 ^= 0xff;
    for (int i = 0; i < 4; i++) sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

// The bytes as a number, the first one least significant, whatever the machine.
static inline uint64_t word_of(const uint8_t *bytes, uint64_t length) {
    uint64_t word = 0;
    for (uint64_t i = 0; i < length; i++) word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

uint64_t sip_hash(const uint64_t *key, const uint8_t *bytes, uint64_t length) {
    struct sip s;
    sip_begin(&s, key);
    const uint64_t whole = length / 8;
    for (uint64_t i = 0; i < whole; i++) sip_word(&s, word_of(bytes + 8 * i, 8));
    sip_word(&s, word_of(bytes + 8 * whole, length % 8) | length << 56);
    return sip_end(&s);
}

static inline bool bit(const uint8_t *bits, int64_t at) {
    return bits[at >> 3] >> (at & 7) & 1;
}

static inline uint64_t word_of_number(double value) {
    if (value != value) return 0x7ff8000000000000u;
    if (value == 0) return 0;  // -0.0 is 0.0
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

static inline uint64_t word_of_cell(const uint64_t *key, const struct hash_column *column, int64_t at) {
    switch (column->tag) {
    case 1:
        return word_of_number(((const double *)column->values)[at]);
    case 3:
        return bit(column->values, at);
    case 4: {
        const int32_t begin = column->ends[at];
        return sip_hash(key, (const uint8_t *)column->values + begin, (uint64_t)(column->ends[at + 1] - begin));
    }
    default:
        return (uint64_t)((const int64_t *)column->values)[at];
    }
}

int32_t hash_rows(const uint64_t *key, const struct hash_column *columns, uint64_t count, uint64_t rows,
                  uint64_t *hashes) {
    uint8_t *tags = calloc(count ? count : 1, 1);
    if (tags == NULL) return -1;
    const uint64_t whole = count / 8, length = 9 * count;
    for (uint64_t row = 0; row < rows; row++) {
        struct sip s;
        sip_begin(&s, key);
        for (uint64_t i = 0; i < count; i++) {
            const struct hash_column *column = columns + i;
            const int64_t at = column->offset + (int64_t)row;
            const bool present = column->valid == NULL || bit(column->valid, at);
            tags[i] = present ? (uint8_t)column->tag : 0;
            sip_word(&s, present ? word_of_cell(key, column, at) : 0);
        }
        for (uint64_t i = 0; i < whole; i++) sip_word(&s, word_of(tags + 8 * i, 8));
        sip_word(&s, word_of(tags + 8 * whole, count % 8) | length << 56);
        hashes[row] = sip_end(&s);
    }
    free(tags);
    return 0;
}
