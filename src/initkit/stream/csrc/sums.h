/* Sums that stand for bytes in their places, as docs/stream.md defines them.

   They are linear: a part of the bytes adds what it holds, so parts may come in any order, from any
   thread or rank, and cut anywhere. */

#ifndef INITKIT_SUMS_H
#define INITKIT_SUMS_H

enum { SUMS = 4, SUM_WORDS = 512, SUM_BYTES = 4 * SUM_WORDS };

ALIGNED static uint32_t sum_keys[SUMS][SUM_WORDS];

/* The finaliser of SplitMix64 (Steele, Lea and Flood 2014). */
INLINE uint64_t scattered(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void make_sum_keys(void)
{
    for (int j = 0; j < SUMS; j++)
        for (int p = 0; p < SUM_WORDS; p++)
            sum_keys[j][p] = (uint32_t)(scattered((uint64_t)(SUM_WORDS * j + p + 1)) >> 32);
}

/* What a block's own sums are multiplied by; odd, so that no bit of them is lost. */
INLINE uint64_t block_factor(uint64_t block, int j)
{
    return scattered((block + 1) << 2 | (uint64_t)j) | 1;
}

static inline void block_sums_plain(uint64_t *h, const char *data)
{
    uint64_t a = 0, b = 0, c = 0, d = 0;
    for (int p = 0; p < SUM_WORDS; p++) {
        uint32_t w;
        memcpy(&w, data + 4 * p, 4); /* a run may begin anywhere */
        a += (uint64_t)w * sum_keys[0][p];
        b += (uint64_t)w * sum_keys[1][p];
        c += (uint64_t)w * sum_keys[2][p];
        d += (uint64_t)w * sum_keys[3][p];
    }
    h[0] = a;
    h[1] = b;
    h[2] = c;
    h[3] = d;
}

/* Add the sums of `n` bytes, of which the first is the `start`-th of all. Inlined, so that each path
   takes blocks by its own vectors. */
INLINE void add_sums(void (*block_sums)(uint64_t *, const char *), uint64_t *sums,
    const char *data, uint64_t start, uint64_t n)
{
    while (n > 0) {
        const uint64_t block = start / SUM_BYTES, from = start % SUM_BYTES;
        const uint64_t length = n < SUM_BYTES - from ? n : SUM_BYTES - from;
        uint64_t h[SUMS];
        if (length == SUM_BYTES) {
            block_sums(h, data);
        } else {
            char padded[SUM_BYTES] = {0}; /* zeros add nothing */
            memcpy(padded + from, data, (size_t)length);
            block_sums(h, padded);
        }
        for (int j = 0; j < SUMS; j++) sums[j] += h[j] * block_factor(block, j);
        data += length;
        start += length;
        n -= length;
    }
}

static inline void sum_plain(uint64_t *sums, const char *data, uint64_t start, uint64_t n)
{
    add_sums(block_sums_plain, sums, data, start, n);
}

#endif
