/* The stream in plain C, one element after the other. */

/* Both conversions round to nearest even; neither meets a NaN. */
INLINE uint16_t to_bf16(float x)
{
    const uint32_t u = bits_of(x);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1)) >> 16);
}

INLINE uint16_t to_f16(float x)
{
    const uint32_t u = bits_of(x), sign = (u >> 16) & 0x8000u, v = u & 0x7fffffffu;
    if (v >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u);
    /* Adding 1/2 leaves the multiples of 2^-24, the steps of the subnormals, in the last bits. */
    if (v < 0x38800000u)
        return (uint16_t)(sign | (bits_of(float_of(v) + 0.5f) - 0x3f000000u));
    return (uint16_t)(sign | ((v - 0x38000000u + 0xfffu + ((v >> 13) & 1)) >> 13));
}

INLINE uint32_t rotated(uint32_t x, int r) { return (x << r) | (x >> (32 - r)); }

/* Threefry2x32-20 of one counter of a block: its two words lie half a block apart. */
static inline void plain_words(uint32_t *w, uint64_t counter, const Job *job)
{
    static const int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
    const uint32_t key[3] = {job->k0, job->k1, job->k0 ^ job->k1 ^ PARITY};
    uint32_t x0 = (uint32_t)counter + key[0], x1 = (uint32_t)(counter >> 32) + key[1];
    for (int n = 1; n <= 20; n++) {
        x0 += x1;
        x1 = rotated(x1, rotations[(n - 1) % 8]) ^ x0;
        if (n % 4 == 0) {
            x0 += key[n / 4 % 3];
            x1 += key[(n / 4 + 1) % 3] + (uint32_t)(n / 4);
        }
    }
    w[0] = x0;
    w[HALF] = x1;
}

static inline float plain_normal(uint32_t w, const Job *job)
{
    const float f = (float)(int32_t)(w | 1);
    const Piece *piece = &table[((bits_of(f) >> 15) & 0xffff) - FIRST];
    const float a = float_of(bits_of(piece->line[0]) ^ (bits_of(f) & 0x80000000u));
    const float product = piece->line[1] * f; /* by itself, since compilers fuse expressions */
    const float z = a + product;
    const float x = z * job->scale;
    return x + addend(job);
}

static inline float plain_value(uint32_t w, const Job *job)
{
    float x;
    switch (job->op) {
    case NORMAL:
        return plain_normal(w, job);
    case TRUNC_NORMAL:
        x = plain_normal(job->top + (uint32_t)(((uint64_t)w * job->span) >> 32), job);
        break;
    default:
        /* An arithmetic shift, without the choice that C leaves to its compilers. */
        x = (float)((int32_t)(w & ~0xffu) / 256 | 1) * job->scale;
        x = x + addend(job);
        if (job->shift != 0) {
            x = x < job->low ? job->low : x;
            x = x > job->high ? job->high : x;
        }
        return fabsf(x) < job->threshold ? 0.0f : x;
    }
    x = x < job->low ? job->low : x;
    return x > job->high ? job->high : x;
}

static inline void plain_store(char *out, float x, int dtype)
{
    const double wide = x;
    const uint16_t half = dtype == BF16 ? to_bf16(x) : to_f16(x);
    if (dtype == F32) memcpy(out, &x, 4);
    else if (dtype == F64) memcpy(out, &wide, 8);
    else memcpy(out, &half, 2);
}

static inline void fill_plain(char *out, uint64_t start, uint64_t n, const Job *job)
{
    const uint64_t end = start + n, size = item_size[job->dtype];
    const int numbers = job->op == UNIFORM || job->op == NORMAL || job->op == TRUNC_NORMAL;
    uint32_t w[BLOCK];
    while (start < end) {
        const uint64_t block = start / BLOCK;
        const int from = (int)(start % BLOCK);
        const int to = end - block * BLOCK < BLOCK ? (int)(end - block * BLOCK) : BLOCK;
        for (int j = 0; j < HALF; j++)
            if ((j >= from && j < to) || (j + HALF >= from && j + HALF < to))
                plain_words(&w[j], (block << 8) + (uint64_t)j, job);
        for (int i = from; numbers && i < to; i++)
            plain_store(out + (uint64_t)(i - from) * size, plain_value(w[i], job), job->dtype);
        if (!numbers) store_words(out, w + from, to - from, job);
        out += (uint64_t)(to - from) * size;
        start += (uint64_t)(to - from);
    }
}
