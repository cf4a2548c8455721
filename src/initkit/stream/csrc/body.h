/* The body of the kernel, included once for each instruction set, after its own few functions.

   TARGET is the function attribute, NAME(x) gives each copy its names, WIDTH is the vector length
   in bytes, and DEPTH so many vectors go side by side: Threefry is one long chain of dependent
   steps.

   A normal takes two stages: Threefry, and a look-up in the table. One keeps the arithmetic busy, the
   other the loads, so the look-ups of one step stand between the next step's rounds. */

enum { NAME(N) = WIDTH / 4, NAME(STEP) = DEPTH * WIDTH / 4 };

/* Numbers of a job in every lane. */
typedef struct {
    NAME(floats) scale, shift, low, high, threshold;
    NAME(lanes) top, span;
} NAME(Spread);

/* Words on their way to a normal: as floats, and these bits times two, of which the upper half names
   a piece of the table without the sign. */
typedef struct {
    NAME(floats) f[2 * DEPTH];
    NAME(lanes) twice[2 * DEPTH];
} NAME(Stage);

TARGET INLINE NAME(floats) NAME(all_floats)(float x) { return x - (NAME(floats)){0}; }
TARGET INLINE NAME(lanes) NAME(all)(uint32_t x) { return x - (NAME(lanes)){0}; }

TARGET INLINE NAME(Spread) NAME(spread)(const Job *job)
{
    const int bounded = job->op == TRUNC_NORMAL || job->shift != 0;
    const NAME(Spread) s = {
        .scale = NAME(all_floats)(job->scale),
        .shift = NAME(all_floats)(addend(job)),
        .low = NAME(all_floats)(bounded ? job->low : -INFINITY),
        .high = NAME(all_floats)(bounded ? job->high : INFINITY),
        .threshold = NAME(all_floats)(job->threshold),
        .top = NAME(all)(job->top),
        .span = NAME(all)(job->span),
    };
    return s;
}

TARGET INLINE NAME(floats) NAME(to_float)(NAME(lanes) x)
{
    typedef int32_t ints __attribute__((vector_size(WIDTH)));
    return __builtin_convertvector((ints)x, NAME(floats));
}

TARGET INLINE NAME(floats) NAME(uniform)(NAME(lanes) w, const NAME(Spread) *s, int op)
{
    typedef int32_t ints __attribute__((vector_size(WIDTH)));
    const NAME(floats) raw = NAME(to_float)((NAME(lanes))((ints)w >> 8) | 1);
    const NAME(floats) product = raw * s->scale;
    if (op == SYMMETRIC) return product;
    const NAME(floats) x = NAME(clamped)(product + s->shift, s->low, s->high);
    const NAME(floats) size = (NAME(floats))((NAME(lanes))x & 0x7fffffffu);
    return (NAME(floats))((NAME(lanes))x & ~(NAME(lanes))(size < s->threshold));
}

TARGET INLINE void
NAME(stage)(NAME(Stage) *stage, int at, NAME(lanes) w, const NAME(Spread) *s, int op)
{
    if (op == TRUNC_NORMAL) w = s->top + NAME(high_product)(w, s->span);
    stage->f[at] = NAME(to_float)(w | 1);
    stage->twice[at] = (NAME(lanes))stage->f[at] + (NAME(lanes))stage->f[at];
}

TARGET INLINE NAME(floats)
NAME(normal)(const NAME(Stage) *stage, int at, const NAME(Spread) *s, int op)
{
    const NAME(floats) f = stage->f[at];
    NAME(floats) a, b;
    NAME(look_up)((const char *)&stage->twice[at], &a, &b);
    a = (NAME(floats))((NAME(lanes))a ^ ((NAME(lanes))f & 0x80000000u));
    const NAME(floats) product = b * f; /* by itself, since compilers fuse expressions */
    const NAME(floats) z = a + product;
    const NAME(floats) scaled = z * s->scale;
    const NAME(floats) x = scaled + s->shift;
    return op == TRUNC_NORMAL ? NAME(clamped)(x, s->low, s->high) : x;
}

TARGET INLINE NAME(lanes) NAME(rounded_bf16)(NAME(floats) x)
{
    const NAME(lanes) u = (NAME(lanes))x;
    return (u + (((u >> 16) & 1) + 0x7fffu)) >> 16;
}

/* Store two vectors that follow each other; `far` past the caches, where `out` is aligned. */
TARGET INLINE void NAME(store)(char *out, NAME(floats) x, NAME(floats) y, int dtype, int far)
{
    switch (dtype) {
    case F32:
        NAME(put)(out, (NAME(lanes))x, far);
        NAME(put)(out + WIDTH, (NAME(lanes))y, far);
        break;
    case F64:
        NAME(store_doubles)(out, x, far);
        NAME(store_doubles)(out + 2 * WIDTH, y, far);
        break;
    case BF16:
        NAME(store_lower)(out, NAME(rounded_bf16)(x), NAME(rounded_bf16)(y), far);
        break;
    default:
        NAME(store_f16)(out, x, y, far);
    }
}

/* Memory as large as a core's own caches is left in none: what is written there is not read first,
   and what else they hold stays. */
INLINE int NAME(is_far)(const char *out, uint64_t count)
{
    return count >= FAR / BLOCK && (uintptr_t)out % WIDTH == 0;
}

#define EACH for (int u = 0; u < DEPTH; u++)
#define MIX(r) EACH x1[u] = ROTATE(x1[u], r) ^ x0[u];
#define ROUND(r) EACH x0[u] += x1[u]; MIX(r)
#define INJECT(a, b) EACH { x0[u] += (a); x1[u] += (b); }

/* Threefry2x32-20 of the counters from `low` on, less what the key adds, with LATE(0), LATE(1), ...
   somewhere between its rounds. In the first round x1 is one number. */
#define THREEFRY(low, high, LATE)                                                                  \
    EACH x0[u] = NAME(counting)() + ((low) + (high) + (uint32_t)(u * NAME(N)));                    \
    EACH x1[u] = ((high) << 13 | (high) >> 19) ^ x0[u];                                            \
    ROUND(15) LATE(0) ROUND(26) ROUND(6) INJECT(k1, k2 + 1) LATE(1)                                \
    ROUND(17) ROUND(29) LATE(2) ROUND(16) ROUND(24) INJECT(k2, k0 + 2) LATE(3)                     \
    ROUND(13) ROUND(15) LATE(4) ROUND(26) ROUND(6) INJECT(k0, k1 + 3) LATE(5)                      \
    ROUND(17) ROUND(29) LATE(6) ROUND(16) ROUND(24) INJECT(k1, k2 + 4) LATE(7)                     \
    ROUND(13) ROUND(15) ROUND(26) ROUND(6) INJECT(k2, k0 + 5)

TARGET INLINE NAME(lanes) NAME(counting)(void)
{
    NAME(lanes) x;
    for (int i = 0; i < NAME(N); i++) x[i] = (uint32_t)i;
    return x;
}

/* The words of the counters from .. to of a block, whole steps; second words half a block on. */
TARGET INLINE void
NAME(some_words)(uint32_t *w, uint64_t block, int from, int to, const Job *job)
{
    const uint64_t counter = block << 8;
    const uint32_t k0 = job->k0, k1 = job->k1, k2 = k0 ^ k1 ^ PARITY;
    const uint32_t high = (uint32_t)(counter >> 32) + k1;
    for (int j = from; j < to; j += NAME(STEP)) {
        const uint32_t low = (uint32_t)counter + k0 + (uint32_t)j;
        NAME(lanes) x0[DEPTH], x1[DEPTH];
#define NOTHING(k)
        THREEFRY(low, high, NOTHING)
#undef NOTHING
        memcpy(w + j, x0, sizeof x0);
        memcpy(w + HALF + j, x1, sizeof x1);
    }
}

/* The words of the elements from .. to of a block, and of some around them. */
TARGET static void
NAME(words_around)(uint32_t *w, uint64_t block, int from, int to, const Job *job)
{
    const int mask = ~(NAME(STEP) - 1), round = NAME(STEP) - 1;
    const int both = from < HALF && to > HALF, shift = from < HALF ? 0 : HALF;
    const int first = both ? 0 : (from - shift) & mask;
    const int last = both ? HALF : (to - shift + round) & mask;
    NAME(some_words)(w, block, first, last, job);
}

/* ---- numbers: `map` and `dtype` are constants wherever these are inlined ---------------------- */

/* Fill whole blocks with normals. */
TARGET INLINE void NAME(normal_blocks)(
    char *out, uint64_t block, uint64_t count, const Job *job, int map, int dtype)
{
    const uint32_t k0 = job->k0, k1 = job->k1, k2 = k0 ^ k1 ^ PARITY;
    const NAME(Spread) spread = NAME(spread)(job), *s = &spread;
    const uint64_t size = item_size[dtype];
    const int far = NAME(is_far)(out, count);
    ALIGNED char nowhere[BLOCK * 8]; /* where the first step's look-ups, of no words yet, go */
    char *late = nowhere;
    NAME(Stage) stage;
    for (int i = 0; i < 2 * DEPTH; i++) NAME(stage)(&stage, i, NAME(all)(0), s, map);
    NAME(floats) x[2];
/* A step's first words lie together, and its second ones half a block on. */
#define PLACE(k) ((uint64_t)((k) * NAME(N) + ((k) < DEPTH ? 0 : HALF - DEPTH * NAME(N))))
#define LOOK_UP(k)                                                                                 \
    x[(k) % 2] = NAME(normal)(&stage, k, s, map);                                                  \
    if ((k) % 2) NAME(store)(late + PLACE((k) - 1) * size, x[0], x[1], dtype, far);
    for (; count > 0; count--, block++, out += BLOCK * size) {
        const uint64_t counter = block << 8;
        const uint32_t high = (uint32_t)(counter >> 32) + k1;
        for (int j = 0; j < HALF; j += NAME(STEP)) {
            const uint32_t low = (uint32_t)counter + k0 + (uint32_t)j;
            NAME(lanes) x0[DEPTH], x1[DEPTH];
            THREEFRY(low, high, LOOK_UP)
            EACH NAME(stage)(&stage, u, x0[u], s, map);
            EACH NAME(stage)(&stage, DEPTH + u, x1[u], s, map);
            late = out + (uint64_t)j * size;
        }
    }
    for (int k = 0; k < 2 * DEPTH; k++) { LOOK_UP(k) }
    if (far) FENCE; /* so that other threads see it, too */
#undef LOOK_UP
#undef PLACE
}

/* Fill whole blocks with uniforms, straight from the registers. */
TARGET INLINE void NAME(uniform_blocks)(
    char *out, uint64_t block, uint64_t count, const Job *job, int map, int dtype)
{
    const uint32_t k0 = job->k0, k1 = job->k1, k2 = k0 ^ k1 ^ PARITY;
    const NAME(Spread) spread = NAME(spread)(job), *s = &spread;
    const uint64_t size = item_size[dtype];
    const int far = NAME(is_far)(out, count);
    for (; count > 0; count--, block++, out += BLOCK * size) {
        const uint64_t counter = block << 8;
        const uint32_t high = (uint32_t)(counter >> 32) + k1;
        for (int j = 0; j < HALF; j += NAME(STEP)) {
            const uint32_t low = (uint32_t)counter + k0 + (uint32_t)j;
            char *here = out + (uint64_t)j * size, *half_on = here + HALF * size;
            NAME(lanes) x0[DEPTH], x1[DEPTH];
#define NOTHING(k)
            THREEFRY(low, high, NOTHING)
#undef NOTHING
            for (int u = 0; u < DEPTH; u += 2) {
                const uint64_t at = (uint64_t)(u * NAME(N)) * size;
                NAME(store)(here + at, NAME(uniform)(x0[u], s, map),
                    NAME(uniform)(x0[u + 1], s, map), dtype, far);
                NAME(store)(half_on + at, NAME(uniform)(x1[u], s, map),
                    NAME(uniform)(x1[u + 1], s, map), dtype, far);
            }
        }
    }
    if (far) FENCE;
}

/* Fill the elements from .. to of one block. */
TARGET INLINE void NAME(number_part)(
    char *out, uint64_t block, int from, int to, const Job *job, int map, int dtype)
{
    enum { PAIR = 2 * NAME(N) };
    const NAME(Spread) spread = NAME(spread)(job), *s = &spread;
    const uint64_t size = item_size[dtype];
    ALIGNED uint32_t w[BLOCK];
    NAME(words_around)(w, block, from, to, job);
    for (int i = from & ~(PAIR - 1); i < to; i += PAIR) {
        NAME(lanes) words[2];
        NAME(floats) x[2];
        ALIGNED char scratch[PAIR * 8];
        memcpy(words, w + i, sizeof words);
        for (int n = 0; n < 2; n++) {
            NAME(Stage) stage;
            if (map == NORMAL || map == TRUNC_NORMAL) {
                NAME(stage)(&stage, 0, words[n], s, map);
                x[n] = NAME(normal)(&stage, 0, s, map);
            } else {
                x[n] = NAME(uniform)(words[n], s, map);
            }
        }
        if (i >= from && i + PAIR <= to) {
            NAME(store)(out + (uint64_t)(i - from) * size, x[0], x[1], dtype, 0);
        } else {
            const int first = i > from ? i : from, last = i + PAIR < to ? i + PAIR : to;
            NAME(store)(scratch, x[0], x[1], dtype, 0);
            memcpy(out + (uint64_t)(first - from) * size, scratch + (uint64_t)(first - i) * size,
                (uint64_t)(last - first) * size);
        }
    }
}

/* ---- the choice of functions ------------------------------------------------------------------ */

typedef void (*NAME(Blocks))(char *, uint64_t, uint64_t, const Job *);
typedef void (*NAME(Part))(char *, uint64_t, int, int, const Job *);

/* Two functions for each map and dtype, so that all choices are made before their loops. */
#define EACH_DTYPE(CASE, map, blocks)                                                              \
    CASE(map, blocks, F32) CASE(map, blocks, F64) CASE(map, blocks, BF16) CASE(map, blocks, F16)
#define EACH_CASE(CASE)                                                                            \
    EACH_DTYPE(CASE, SYMMETRIC, uniform_blocks) EACH_DTYPE(CASE, UNIFORM, uniform_blocks)          \
    EACH_DTYPE(CASE, NORMAL, normal_blocks) EACH_DTYPE(CASE, TRUNC_NORMAL, normal_blocks)
#define CASE(map, blocks, dtype)                                                                   \
    TARGET static void NAME(map##_##dtype)(                                                        \
        char *out, uint64_t block, uint64_t count, const Job *job)                                 \
    {                                                                                              \
        NAME(blocks)(out, block, count, job, map, dtype);                                          \
    }                                                                                              \
    TARGET static void NAME(map##_##dtype##_part)(                                                 \
        char *out, uint64_t block, int from, int to, const Job *job)                               \
    {                                                                                              \
        NAME(number_part)(out, block, from, to, job, map, dtype);                                  \
    }
EACH_CASE(CASE)
#undef CASE

TARGET static void NAME(word_blocks)(char *out, uint64_t block, uint64_t count, const Job *job)
{
    ALIGNED uint32_t w[BLOCK];
    for (; count > 0; count--, block++, out += BLOCK * item_size[job->dtype]) {
        NAME(some_words)(w, block, 0, HALF, job);
        store_words(out, w, BLOCK, job);
    }
}

TARGET static void NAME(word_part)(char *out, uint64_t block, int from, int to, const Job *job)
{
    ALIGNED uint32_t w[BLOCK];
    NAME(words_around)(w, block, from, to, job);
    store_words(out, w + from, to - from, job);
}

typedef struct {
    NAME(Blocks) blocks;
    NAME(Part) part;
} NAME(Way);

TARGET static NAME(Way) NAME(way)(const Job *job)
{
    static const NAME(Way) words = {NAME(word_blocks), NAME(word_part)};
    static const NAME(Way) numbers[N_MAPS][N_DTYPES] = {
#define CASE(map, blocks, dtype) [map][dtype] = {NAME(map##_##dtype), NAME(map##_##dtype##_part)},
        EACH_CASE(CASE)
#undef CASE
    };
    const int symmetric = job->op == UNIFORM && job->shift == 0 && job->threshold == 0;
    const NAME(Way) found = numbers[symmetric ? SYMMETRIC : job->op][job->dtype];
    return found.blocks ? found : words;
}

TARGET static void NAME(fill)(char *out, uint64_t start, uint64_t n, const Job *job)
{
    const NAME(Way) way = NAME(way)(job);
    const uint64_t size = item_size[job->dtype];
    while (n > 0) {
        const uint64_t block = start / BLOCK, whole = n / BLOCK;
        const int from = (int)(start % BLOCK);
        uint64_t done = whole * BLOCK;
        if (from == 0 && whole > 1) { /* of one block, the start and end of two stages cost more */
            way.blocks(out, block, whole, job);
        } else {
            done = n < (uint64_t)(BLOCK - from) ? n : (uint64_t)(BLOCK - from);
            way.part(out, block, from, from + (int)done, job);
        }
        out += done * size;
        start += done;
        n -= done;
    }
}

/* The sums of sums.h. Whatever lanes come together: the order of terms changes none of them. */
TARGET static void NAME(block_sums)(uint64_t *h, const char *data)
{
    NAME(doublewords) s[SUMS] = {{0}};
    for (int p = 0; p < SUM_WORDS; p += WIDTH / 4) {
        NAME(lanes) w, key;
        memcpy(&w, data + 4 * p, WIDTH); /* a run may begin anywhere */
        /* The next block, where processors don't look ahead: over the edge of a page. */
        if (p % 16 == 0) __builtin_prefetch((const char *)((uintptr_t)data + SUM_BYTES + 4 * p));
        for (int j = 0; j < SUMS; j++) {
            memcpy(&key, sum_keys[j] + p, WIDTH);
            s[j] = NAME(add_products)(s[j], w, key);
        }
    }
    for (int j = 0; j < SUMS; j++) {
        h[j] = 0;
        for (int i = 0; i < WIDTH / 8; i++) h[j] += s[j][i];
    }
}

TARGET static void NAME(sum)(uint64_t *sums, const char *data, uint64_t start, uint64_t n)
{
    add_sums(NAME(block_sums), sums, data, start, n);
}

#undef CASE
#undef EACH
#undef EACH_CASE
#undef EACH_DTYPE
#undef INJECT
#undef MIX
#undef ROUND
#undef THREEFRY
#undef BYTES
#undef DEPTH
#undef FENCE
#undef NAME
#undef ROTATE
#undef TARGET
#undef WIDTH
