/* The key of a tensor: BLAKE2b (RFC 7693) of a seed and a name, as docs/stream.md defines it. */

#ifndef INITKIT_BLAKE2B_H
#define INITKIT_BLAKE2B_H

#include <stdint.h>
#include <string.h>

enum { BLAKE_BLOCK = 128, KEY_HEAD = 16 };

static const uint64_t blake_start[8] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};

static const uint8_t blake_order[12][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

static inline uint64_t read_little(const uint8_t *from, int bytes)
{
    uint64_t x = 0;
    for (int i = 0; i < bytes; i++) x |= (uint64_t)from[i] << (8 * i);
    return x;
}

static inline void write_little(uint8_t *to, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(x >> (8 * i));
}

static inline uint64_t turned(uint64_t x, int r) { return (x >> r) | (x << (64 - r)); }

static inline void blake_mix(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d, uint64_t x, uint64_t y)
{
    *a += *b + x;
    *d = turned(*d ^ *a, 32);
    *c += *d;
    *b = turned(*b ^ *c, 24);
    *a += *b + y;
    *d = turned(*d ^ *a, 16);
    *c += *d;
    *b = turned(*b ^ *c, 63);
}

static void blake_compress(uint64_t h[8], const uint8_t block[BLAKE_BLOCK], uint64_t so_far, int last)
{
    uint64_t v[16], m[16];
    for (int i = 0; i < 16; i++) m[i] = read_little(block + 8 * i, 8);
    for (int i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = blake_start[i];
    }
    v[12] ^= so_far;
    if (last) v[14] = ~v[14];
    for (int round = 0; round < 12; round++) {
        const uint8_t *s = blake_order[round];
        for (int i = 0; i < 4; i++)
            blake_mix(&v[i], &v[i + 4], &v[i + 8], &v[i + 12], m[s[2 * i]], m[s[2 * i + 1]]);
        for (int i = 0; i < 4; i++)
            blake_mix(&v[i], &v[(i + 1) % 4 + 4], &v[(i + 2) % 4 + 8], &v[(i + 3) % 4 + 12],
                m[s[2 * i + 8]], m[s[2 * i + 9]]);
    }
    for (int i = 0; i < 8; i++) h[i] ^= v[i] ^ v[i + 8];
}

/* The first two words of the hash of: seed, stream, length of the name, the name. */
static void derive_key(
    uint32_t *k0, uint32_t *k1, uint64_t seed, uint32_t stream, const char *name, size_t length)
{
    static const uint8_t person[16] = "initkit-v1";
    const uint64_t total = KEY_HEAD + (uint64_t)length;
    uint8_t block[BLAKE_BLOCK] = {0};
    uint64_t h[8];
    size_t room = BLAKE_BLOCK - KEY_HEAD;
    memcpy(h, blake_start, sizeof h);
    h[0] ^= 0x01010000u ^ 16u; /* no key of its own, 16 bytes of digest */
    h[6] ^= read_little(person, 8);
    h[7] ^= read_little(person + 8, 8);
    write_little(block, seed, 8);
    write_little(block + 8, stream, 4);
    write_little(block + 12, (uint64_t)length, 4);
    for (uint64_t done = BLAKE_BLOCK; length > room; done += BLAKE_BLOCK) {
        memcpy(block + BLAKE_BLOCK - room, name, room);
        blake_compress(h, block, done, 0);
        name += room;
        length -= room;
        room = BLAKE_BLOCK;
        memset(block, 0, sizeof block);
    }
    if (length) memcpy(block + BLAKE_BLOCK - room, name, length);
    blake_compress(h, block, total, 1);
    *k0 = (uint32_t)h[0];
    *k1 = (uint32_t)(h[0] >> 32);
}

#endif
