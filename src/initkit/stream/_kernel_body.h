/* The body of the kernel, included once for each instruction set.

   TARGET is the function attribute, NAME(x) gives each copy its names, WIDTH is the vector length
   in bytes, and DEPTH so many vectors go side by side: Threefry is one long chain of dependent
   steps. Where the compiler has no vectors, plain loops say the same. */

#if VECTORS
typedef uint32_t NAME(lanes) __attribute__((vector_size(WIDTH)));
enum { NAME(N) = WIDTH / 4, NAME(STEP) = DEPTH * WIDTH / 4 };

#if WIDTH == 32
typedef uint8_t NAME(bytes) __attribute__((vector_size(WIDTH)));
#define ROTATED_BYTES(x, a, b, c, d)                                                               \
    ((NAME(lanes))SHUFFLE(NAME(bytes), (NAME(bytes))(x), (NAME(bytes))(x),                         \
        a, b, c, d, a + 4, b + 4, c + 4, d + 4, a + 8, b + 8, c + 8, d + 8, a + 12, b + 12,        \
        c + 12, d + 12, a + 16, b + 16, c + 16, d + 16, a + 20, b + 20, c + 20, d + 20, a + 24,    \
        b + 24, c + 24, d + 24, a + 28, b + 28, c + 28, d + 28))
#define ROTATE(x, r)                                                                               \
    ((r) == 16 ? ROTATED_BYTES(x, 2, 3, 0, 1)                                                      \
     : (r) == 24 ? ROTATED_BYTES(x, 1, 2, 3, 0) : ((x) << (r) | (x) >> (32 - (r))))
#else
#define ROTATE(x, r) ((x) << (r) | (x) >> (32 - (r)))
#endif

#define EACH for (int u = 0; u < DEPTH; u++)
#define ROUND(r) EACH x0[u] += x1[u]; EACH x1[u] = ROTATE(x1[u], r) ^ x0[u];
#define FOUR(a, b, c, d, i0, i1)                                                                   \
    ROUND(a) ROUND(b) ROUND(c) ROUND(d) EACH { x0[u] += (i0); x1[u] += (i1); }

/* Threefry2x32-20 of the block's counters from .. to; lane 0 into w[0..255], lane 1 behind it. */
TARGET static inline void
NAME(block_words)(uint32_t *w, uint64_t block, int from, int to, const Job *job)
{
    const uint64_t counter = block << 8;
    const uint32_t k0 = job->k0, k1 = job->k1, k2 = k0 ^ k1 ^ PARITY;
    const uint32_t low = (uint32_t)counter + k0, high = (uint32_t)(counter >> 32) + k1;
    NAME(lanes) step;
    for (int i = 0; i < NAME(N); i++) step[i] = (uint32_t)i;
    for (int j = from; j < to; j += NAME(STEP)) {
        NAME(lanes) x0[DEPTH], x1[DEPTH];
        EACH {
            x0[u] = step + (low + (uint32_t)(j + u * NAME(N)));
            x1[u] = step - step + high;
        }
        FOUR(13, 15, 26, 6, k1, k2 + 1)
        FOUR(17, 29, 16, 24, k2, k0 + 2)
        FOUR(13, 15, 26, 6, k0, k1 + 3)
        FOUR(17, 29, 16, 24, k1, k2 + 4)
        FOUR(13, 15, 26, 6, k2, k0 + 5)
        EACH {
            memcpy(w + j + u * NAME(N), &x0[u], WIDTH);
            memcpy(w + HALF + j + u * NAME(N), &x1[u], WIDTH);
        }
    }
}

#undef EACH
#undef ROUND
#undef FOUR
#undef ROTATE
#undef ROTATED_BYTES

/* Tables are looked up 16 or 32 bytes at a time, with ordinary loads: gathers are no faster. */
#if WIDTH == 16
#define SHORT 16
#define LINES(a, i) \
    NAME(pair) a = {table[i[0]].both, table[i[1]].both}, a##2 = {table[i[2]].both, table[i[3]].both};
#define SPLIT(a, k) \
    SHUFFLE(NAME(ints), (NAME(floats))a, (NAME(floats))a##2, k, k + 2, k + 4, k + 6)
#else
#define SHORT 32
#define LINES(a, i)                                                                                \
    NAME(pair) a = {table[i[0]].both, table[i[1]].both, table[i[4]].both, table[i[5]].both};       \
    NAME(pair) a##2 = {table[i[2]].both, table[i[3]].both, table[i[6]].both, table[i[7]].both};
#define SPLIT(a, k)                                                                                \
    SHUFFLE(NAME(ints), (NAME(floats))a, (NAME(floats))a##2,                                       \
        k, k + 2, k + 8, k + 10, k + 4, k + 6, k + 12, k + 14)
#endif
typedef double NAME(pair) __attribute__((vector_size(SHORT)));
typedef float NAME(floats) __attribute__((vector_size(SHORT)));
typedef int32_t NAME(ints) __attribute__((vector_size(SHORT)));
typedef uint32_t NAME(uints) __attribute__((vector_size(SHORT)));

TARGET static inline void
NAME(standard_normal)(float *RESTRICT x, const uint32_t *RESTRICT w, int n, float std)
{
    for (int j = 0; j < n; j += SHORT / 4) {
        uint32_t piece[SHORT / 4];
        NAME(ints) v;
        memcpy(&v, w + j, SHORT);
        const NAME(floats) f = __builtin_convertvector(v | 1, NAME(floats));
        const NAME(uints) index = ((NAME(uints))f >> 15) & (TABLE - 1);
        memcpy(piece, &index, SHORT);
        LINES(lines, piece)
        const NAME(uints) sign = (NAME(uints))f & 0x80000000u;
        const NAME(floats) a = (NAME(floats))((NAME(uints))SPLIT(lines, 0) ^ sign);
        const NAME(floats) product = SPLIT(lines, 1) * f;
        const NAME(floats) z = (a + product) * std;
        memcpy(x + j, &z, SHORT);
    }
}

#undef SHORT
#undef LINES
#undef SPLIT

#else /* no vectors */

enum { NAME(STEP) = 1 };

INLINE uint32_t NAME(rotl)(uint32_t x, int r) { return (x << r) | (x >> (32 - r)); }

#define ROUND(r) x0 += x1; x1 = NAME(rotl)(x1, r) ^ x0;
#define FOUR(a, b, c, d, i0, i1) ROUND(a) ROUND(b) ROUND(c) ROUND(d) x0 += (i0); x1 += (i1);

INLINE void NAME(block_words)(uint32_t *w, uint64_t block, int from, int to, const Job *job)
{
    const uint64_t counter = block << 8;
    const uint32_t k0 = job->k0, k1 = job->k1, k2 = k0 ^ k1 ^ PARITY;
    for (int j = from; j < to; j++) {
        uint32_t x0 = (uint32_t)counter + k0 + (uint32_t)j, x1 = (uint32_t)(counter >> 32) + k1;
        FOUR(13, 15, 26, 6, k1, k2 + 1)
        FOUR(17, 29, 16, 24, k2, k0 + 2)
        FOUR(13, 15, 26, 6, k0, k1 + 3)
        FOUR(17, 29, 16, 24, k1, k2 + 4)
        FOUR(13, 15, 26, 6, k2, k0 + 5)
        w[j] = x0;
        w[HALF + j] = x1;
    }
}

#undef ROUND
#undef FOUR

INLINE void NAME(standard_normal)(float *x, const uint32_t *w, int n, float std)
{
    for (int i = 0; i < n; i++) {
        const float f = (float)(int32_t)(w[i] | 1);
        const Piece *piece = &table[(bits_of(f) >> 15) & (TABLE - 1)];
        const float a = float_of(bits_of(piece->line[0]) ^ (bits_of(f) & 0x80000000u));
        const float product = piece->line[1] * f;
        const float z = a + product;
        x[i] = z * std;
    }
}
#endif

/* ---- maps: n is a multiple of GROUP ----------------------------------------------------------- */

TARGET static inline void
NAME(uniform)(float *RESTRICT x, const uint32_t *RESTRICT w, int n, const Job *job)
{
    const float s = job->scale, m = job->shift, low = job->low, high = job->high;
    const float threshold = job->threshold;
    if (m == 0)
        for (int i = 0; i < n; i++) x[i] = (float)(((int32_t)w[i] >> 8) | 1) * s;
    else
        for (int i = 0; i < n; i++) {
            float y = (float)(((int32_t)w[i] >> 8) | 1) * s;
            y = y + m;
            y = y < low ? low : y;
            x[i] = y > high ? high : y;
        }
    if (threshold > 0)
        for (int i = 0; i < n; i++) x[i] = fabsf(x[i]) < threshold ? 0.0f : x[i];
}

TARGET static inline void
NAME(normal)(float *RESTRICT x, const uint32_t *RESTRICT w, int n, const Job *job)
{
    const float mean = job->shift;
    NAME(standard_normal)(x, w, n, job->scale);
    if (mean != 0)
        for (int i = 0; i < n; i++) x[i] = x[i] + mean;
}

TARGET static inline void
NAME(trunc_normal)(float *RESTRICT x, uint32_t *RESTRICT w, int n, const Job *job)
{
    const uint32_t top = job->top, span = job->span;
    const float low = job->low, high = job->high;
    for (int i = 0; i < n; i++) w[i] = top + (uint32_t)(((uint64_t)w[i] * span) >> 32);
    NAME(normal)(x, w, n, job);
    for (int i = 0; i < n; i++) {
        const float y = x[i] < low ? low : x[i];
        x[i] = y > high ? high : y;
    }
}

TARGET static inline void NAME(store)(char *out, const float *RESTRICT x, int n, int dtype)
{
    double *RESTRICT wide = (double *)out;
    uint16_t *RESTRICT half = (uint16_t *)out;
    if (dtype == F64)
        for (int i = 0; i < n; i++) wide[i] = x[i];
    else if (dtype == BF16)
        for (int i = 0; i < n; i++) half[i] = to_bf16(x[i]);
    else
        for (int i = 0; i < n; i++) half[i] = to_f16(x[i]);
}

TARGET static inline void NAME(store_words)(char *out, const uint32_t *w, int n, const Job *job)
{
    const uint64_t limit = job->limit;
    int64_t *RESTRICT whole = (int64_t *)out;
    if (job->op == WORDS)
        for (int i = 0; i < n; i++) whole[i] = w[i];
    else if (job->op == BERNOULLI)
        for (int i = 0; i < n; i++) out[i] = w[i] < limit;
    else
        for (int i = 0; i < n; i++) whole[i] = (int64_t)((w[i] * limit) >> 32);
}

TARGET static void NAME(map)(char *out, uint32_t *RESTRICT w, int n, const Job *job)
{
    ALIGNED float scratch[BLOCK];
    float *x = job->dtype == F32 ? (float *)out : scratch;
    switch (job->op) {
    case UNIFORM: NAME(uniform)(x, w, n, job); break;
    case NORMAL: NAME(normal)(x, w, n, job); break;
    case TRUNC_NORMAL: NAME(trunc_normal)(x, w, n, job); break;
    default: NAME(store_words)(out, w, n, job); return;
    }
    if (x == scratch) NAME(store)(out, scratch, n, job->dtype);
}

/* ---- runs ------------------------------------------------------------------------------------- */

/* Whole groups go straight into the tensor, what is left through a group of scratch. */
TARGET static inline void NAME(map_any)(char *out, uint32_t *w, int n, const Job *job)
{
    const int whole = n & ~(GROUP - 1), left = n - whole;
    const uint64_t size = item_size[job->dtype];
    if (whole) NAME(map)(out, w, whole, job);
    if (left) {
        ALIGNED uint32_t last[GROUP] = {0};
        ALIGNED char scratch[GROUP * 8];
        memcpy(last, w + whole, (size_t)left * 4);
        NAME(map)(scratch, last, GROUP, job);
        memcpy(out + (uint64_t)whole * size, scratch, (size_t)left * size);
    }
}

/* The words of elements from .. to of a block, both within one half, or in each. */
TARGET static inline void
NAME(some_words)(uint32_t *w, uint64_t block, int from, int to, const Job *job)
{
    const int mask = ~(NAME(STEP) - 1), round = NAME(STEP) - 1;
    if (to <= HALF || from >= HALF) {
        const int shift = from >= HALF ? HALF : 0;
        NAME(block_words)(w, block, (from - shift) & mask, (to - shift + round) & mask, job);
    } else if (to - HALF <= (from & mask)) {
        NAME(block_words)(w, block, 0, (to - HALF + round) & mask, job);
        NAME(block_words)(w, block, from & mask, HALF, job);
    } else {
        NAME(block_words)(w, block, 0, HALF, job);
    }
}

TARGET static void NAME(fill)(char *out, uint64_t start, uint64_t n, const Job *job)
{
    ALIGNED uint32_t w[BLOCK];
    const uint64_t end = start + n, size = item_size[job->dtype];
    while (start < end) {
        const uint64_t block = start / BLOCK, next = (block + 1) * BLOCK;
        const int from = (int)(start % BLOCK), to = from + (int)((end < next ? end : next) - start);
        NAME(some_words)(w, block, from, to, job);
        NAME(map_any)(out, w + from, to - from, job);
        out += (uint64_t)(to - from) * size;
        start += (uint64_t)(to - from);
    }
}

#undef TARGET
#undef NAME
#undef WIDTH
#undef DEPTH
