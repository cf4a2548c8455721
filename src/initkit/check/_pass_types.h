/* The loops of _pass.c for one instruction set. */

TARGET static INLINE D SUFFIX(four32)(const float *x)
{
    F4 v;
    memcpy(&v, x, sizeof v);
    return __builtin_convertvector(v, D);
}

TARGET static INLINE D SUFFIX(four64)(const double *x)
{
    D v;
    memcpy(&v, x, sizeof v);
    return v;
}

#define T float
#define V F8
#define M I8
#define N 8
#define NAME(x) SUFFIX(x##32)
#include "_pass_body.h"

#define T double
#define V D
#define M L4
#define N 4
#define NAME(x) SUFFIX(x##64)
#include "_pass_body.h"

#define TALLY(name, T, bits)                                                                       \
    TARGET static void name(const T *x, uint64_t n, double centre, uint64_t taken,                 \
                            const double *edges, Py_ssize_t count, long long middle,               \
                            uint64_t stride, Sums *found, uint64_t *below, uint64_t *same)         \
    {                                                                                              \
        found->low = found->high = found->sum = found->squares = 0;                                \
        found->zeros = found->small = 0;                                                           \
        for (uint64_t at = 0; at < n; at += BLOCK) {                                               \
            const uint64_t size = n - at < BLOCK ? n - at : BLOCK;                                 \
            Sums part;                                                                             \
            SUFFIX(sums##bits)(x + at, size, centre, &part);                                       \
            add_sums(found, &part, at == 0);                                                       \
            if (at >= taken) continue;                                                             \
            const uint64_t seen = taken - at < size ? taken - at : size;                           \
            for (Py_ssize_t e = 0; e < count; e++)                                                 \
                below[e] += SUFFIX(at_most##bits)(x + at, seen, (T)edges[e]);                      \
        }                                                                                          \
        if (middle < 0) return;                                                                    \
        same[0] = SUFFIX(agreeing##bits)(x, taken, 1, (T)edges[middle]);                           \
        if (stride > 1 && taken > stride)                                                          \
            same[1] = SUFFIX(agreeing##bits)(x, taken, stride, (T)edges[middle]);                  \
    }

TALLY(SUFFIX(tally32), float, 32)
TALLY(SUFFIX(tally64), double, 64)
#undef TALLY

/* Values of 16 bits as float; an infinity stays one, and a NaN. */
TARGET static void SUFFIX(widen)(const uint16_t *x, uint64_t n, int is_f16, float *to)
{
    if (!is_f16) {
        for (uint64_t i = 0; i < n; i++) {
            const uint32_t bits = (uint32_t)x[i] << 16;
            memcpy(to + i, &bits, 4);
        }
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        const uint32_t sign = (uint32_t)(x[i] & 0x8000u) << 16, rest = (x[i] & 0x7fffu);
        uint32_t bits = rest << 13;
        float value;
        memcpy(&value, &bits, 4);
        value *= 0x1p112f; /* the exponents differ by it, and subnormals come right, too */
        memcpy(&bits, &value, 4);
        bits |= (0u - (rest >= 0x7c00u)) & 0x7f800000u;
        bits |= sign;
        memcpy(to + i, &bits, 4);
    }
}

/* A run begins where its first bits, mixed, are among the lowest; its key is a polynomial in the
   bits without their signs, modulo 2^64. */
TARGET static uint64_t SUFFIX(find_runs)(const float *x, uint64_t n, int two, uint64_t *keys,
                                         int64_t *places)
{
    const uint32_t mix = 2 * 0x1B873593u, second = two ? 2 * 0x2E1B2139u : 0;
    const int32_t low = INT32_MIN + (1 << 22);
    const uint64_t stop = n < RUN ? 0 : n - RUN + 1;
    uint64_t count = 0;
    for (uint64_t i = 0; i < stop; i++) {
        if (i + 16 <= stop) { /* whether one of the next 16 begins a run, at once */
            U8 a, b, c, d;
            memcpy(&a, x + i, sizeof a);
            memcpy(&b, x + i + 8, sizeof b);
            a *= mix;
            b *= mix;
            if (two) {
                memcpy(&c, x + i + 1, sizeof c);
                memcpy(&d, x + i + 9, sizeof d);
                a += c * second;
                b += d * second;
            }
            const L4 any = (L4)(((I8)a < low) | ((I8)b < low));
            if (!(any[0] | any[1] | any[2] | any[3])) {
                i += 15;
                continue;
            }
        }
        for (uint64_t end = i + 16 < stop ? i + 16 : stop; i < end; i++) {
            uint32_t bits[2];
            memcpy(bits, x + i, sizeof bits);
            if ((int32_t)(bits[0] * mix + bits[1] * second) >= low) continue;
            uint64_t key = 0;
            for (int k = 0; k < RUN; k++) {
                memcpy(bits, x + i + k, 4);
                key = key * 0x5851F42D4C957F2Dull + (bits[0] & 0x7FFFFFFFu);
            }
            keys[count] = key;
            places[count++] = (int64_t)i;
        }
        i--; /* the loop's own step follows */
    }
    return count;
}

/* Count the bits in which two rows of so many words differ, `rest` of the last one. */
TARGET static INLINE int SUFFIX(differing)(const uint64_t *a, const uint64_t *b, int words,
                                           uint64_t rest)
{
    int count = __builtin_popcountll((a[words - 1] ^ b[words - 1]) & rest);
    for (int w = 0; w < words - 1; w++) count += __builtin_popcountll(a[w] ^ b[w]);
    return count;
}

/* Find the samples that go with one more than chance allows: which, and in how many elements each
   agrees. */
TARGET static INLINE Py_ssize_t SUFFIX(follow_in)(const Samples *all, Py_ssize_t place, int words,
                                                  Py_ssize_t *which, int *agreeing)
{
    const uint64_t *one = all->drawn + place * WORDS, *sides = all->sides;
    const int length = (int)all->drawn_lengths[place];
    Py_ssize_t found = 0;
    for (Py_ssize_t j = 0; j < all->count; j++, sides += WORDS) {
        int n = length, differ;
        if (all->plain && j < place && all->drawn_lengths[j]) continue; /* see followers.py */
        if (all->lengths[j] >= length) {
            differ = SUFFIX(differing)(one, sides, words, ~0ull >> (63 & -length));
        } else {
            if (all->lengths[j] <= 0) continue;
            n = (int)all->lengths[j];
            differ = SUFFIX(differing)(one, sides, (n + 63) / 64, ~0ull >> (63 & -n));
        }
        const int score = n - 2 * differ;
        if (score * score <= CLEAR * n || j == place || all->known[j > place ? j : place]) continue;
        which[found] = j;
        agreeing[found++] = n - differ;
    }
    return found;
}

TARGET static Py_ssize_t SUFFIX(follow)(const Samples *all, Py_ssize_t place, Py_ssize_t *which,
                                        int *agreeing)
{
    const int words = ((int)all->drawn_lengths[place] + 63) / 64;
    /* Of most samples the words are as many as here, and need no loop. */
    if (words == WORDS) return SUFFIX(follow_in)(all, place, WORDS, which, agreeing);
    if (words == WORDS / 2) return SUFFIX(follow_in)(all, place, WORDS / 2, which, agreeing);
    return SUFFIX(follow_in)(all, place, words, which, agreeing);
}

#undef TARGET
#undef SUFFIX
