/* The stream for CPU memory: words and their maps, as docs/stream.md defines them to the bit.

   plain.h says it in plain C: the reference, and what other compilers get. body.h says the same with
   the vectors of an instruction set, and is compiled for each of them. All must be built without
   floating-point contraction: a fused multiply-add changes the bits. */

#ifndef INITKIT_STREAM_H
#define INITKIT_STREAM_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER) && !defined(__clang__)
#pragma fp_contract(off)
#define INLINE static __forceinline
#define ALIGNED __declspec(align(64))
#else
#define INLINE static inline __attribute__((always_inline))
#define ALIGNED __attribute__((aligned(64)))
#endif

/* Which instruction sets this compiler knows; PLAIN_ONLY leaves them all out. */
#define HAVE_X86 0
#define HAVE_NEON 0
#if (defined(__GNUC__) || defined(__clang__)) && !defined(PLAIN_ONLY)
#if defined(__x86_64__)
#undef HAVE_X86
#define HAVE_X86 1
#elif defined(__aarch64__) && !defined(__AARCH64EB__)
#undef HAVE_NEON
#define HAVE_NEON 1
#endif
#endif

#define PARITY 0x1BD11BDAu

enum { BLOCK = 512, HALF = 256, TABLE = 8192, FAR = 1 << 18 };
enum { WORDS, UNIFORM, NORMAL, TRUNC_NORMAL, BERNOULLI, CHOICE, CONSTANT, N_OPS };
enum { SYMMETRIC = N_OPS, N_MAPS }; /* a uniform with neither shift nor threshold */
enum { F32, F64, BF16, F16, I64, BOOL, N_DTYPES };
enum { BASELINE, AVX2, AVX512, N_PATHS };

static const uint64_t item_size[N_DTYPES] = {4, 8, 2, 2, 8, 1};

/* Intercept and slope of each piece of the normal's quantile, side by side for a single load.
   The pieces stand in the order of what they are of: eight bits of exponent, eight of mantissa, from
   the exponent of 1 on. The file's order is the same modulo 8192. */
typedef union {
    float line[2];
    double both;
} Piece;
enum { FIRST = 127 * 256 };
ALIGNED static Piece table[TABLE];

/* `raw` is A[8192], then B[8192], in this machine's byte order. */
static void load_table(const char *raw)
{
    for (int i = 0; i < TABLE; i++) {
        const int at = (i + FIRST) % TABLE;
        memcpy(&table[i].line[0], raw + 4 * at, 4);
        memcpy(&table[i].line[1], raw + 4 * (TABLE + at), 4);
    }
}

typedef struct {
    int op, dtype;
    uint32_t k0, k1;
    float scale, shift, low, high, threshold; /* value = raw * scale + shift, clamped */
    uint32_t top, span;                       /* trunc_normal: words top .. top + span */
    uint64_t limit;                           /* bernoulli: 2^32 p; choice: m */
    double value;                             /* constant */
} Job;

/* What is added for no shift: x + -0 is x for every x, where -0 + 0 is not -0. */
INLINE float addend(const Job *job) { return job->shift == 0 ? -0.0f : job->shift; }

INLINE uint32_t bits_of(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
INLINE float float_of(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }

/* What becomes of words that make no numbers. Inlined, so that each path uses its own vectors. */
INLINE void store_words(char *out, const uint32_t *w, int n, const Job *job)
{
    const uint64_t limit = job->limit;
    int64_t *whole = (int64_t *)out;
    if (job->op == WORDS)
        for (int i = 0; i < n; i++) whole[i] = w[i];
    else if (job->op == BERNOULLI)
        for (int i = 0; i < n; i++) out[i] = w[i] < limit;
    else
        for (int i = 0; i < n; i++) whole[i] = (int64_t)((w[i] * limit) >> 32);
}

#include "plain.h"
#include "sums.h"

/* The k-th of the pieces that a vector of floats names, by twice their bits. */
INLINE const double *piece(const char *twice, int k)
{
    uint16_t upper; /* little-endian: the exponent and eight bits of the mantissa */
    memcpy(&upper, twice + 4 * k + 2, 2);
    return &table[(size_t)upper - FIRST].both;
}

#if HAVE_X86
#include <cpuid.h>
#include <immintrin.h>
#include "sse2.h"
#include "body.h"
#include "avx2.h"
#include "body.h"
#include "avx512.h"
#include "body.h"
#elif HAVE_NEON
#include <arm_neon.h>
#include "neon.h"
#include "body.h"
#endif

#if HAVE_X86
static int has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

static void fill_constant(char *out, uint64_t n, const Job *job)
{
    const double wide = job->value;
    const float single = (float)wide;
    const uint16_t half = job->dtype == BF16 ? to_bf16(single) : to_f16(single);
    if (job->dtype == F64)
        for (uint64_t i = 0; i < n; i++) ((double *)out)[i] = wide;
    else if (job->dtype == F32)
        for (uint64_t i = 0; i < n; i++) ((float *)out)[i] = single;
    else
        for (uint64_t i = 0; i < n; i++) ((uint16_t *)out)[i] = half;
}

typedef void (*Fill)(char *, uint64_t, uint64_t, const Job *);

/* Return what fills memory by a path, or NULL where this processor has no such instructions. */
static Fill path_fill(int path)
{
#if HAVE_X86
    if (path == BASELINE) return fill_sse2;
    if (path == AVX2 && __builtin_cpu_supports("avx2") && has_f16c()) return fill_avx2;
    if (path == AVX512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return fill_avx512;
    return NULL;
#elif HAVE_NEON
    return path == BASELINE ? fill_neon : NULL;
#else
    return path == BASELINE ? fill_plain : NULL;
#endif
}

typedef void (*Sum)(uint64_t *, const char *, uint64_t, uint64_t);

static Sum path_sum(int path)
{
#if HAVE_X86
    if (path_fill(path) == NULL) return NULL;
    return path == BASELINE ? sum_sse2 : path == AVX2 ? sum_avx2 : sum_avx512;
#elif HAVE_NEON
    return path == BASELINE ? sum_neon : NULL;
#else
    return path == BASELINE ? sum_plain : NULL;
#endif
}

#endif
