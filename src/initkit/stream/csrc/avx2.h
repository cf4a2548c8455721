/* What the body needs of AVX2 and F16C. */

#define TARGET __attribute__((target("avx2,f16c")))
#define NAME(x) x##_avx2
#define WIDTH 32
#define DEPTH 4
#define FENCE _mm_sfence()

typedef uint32_t NAME(lanes) __attribute__((vector_size(WIDTH)));
typedef float NAME(floats) __attribute__((vector_size(WIDTH)));
typedef uint64_t NAME(doublewords) __attribute__((vector_size(WIDTH)));

/* By whole bytes a shuffle rotates alone; else it takes two shifts and a union. */
#define BYTES(a, b, c, d)                                                                          \
    _mm256_setr_epi8(a, b, c, d, a + 4, b + 4, c + 4, d + 4, a + 8, b + 8, c + 8, d + 8, a + 12,   \
        b + 12, c + 12, d + 12, a, b, c, d, a + 4, b + 4, c + 4, d + 4, a + 8, b + 8, c + 8,       \
        d + 8, a + 12, b + 12, c + 12, d + 12)
#define ROTATE(x, r)                                                                               \
    ((r) == 16 ? (NAME(lanes))_mm256_shuffle_epi8((__m256i)(x), BYTES(2, 3, 0, 1))                 \
     : (r) == 24 ? (NAME(lanes))_mm256_shuffle_epi8((__m256i)(x), BYTES(1, 2, 3, 0))               \
                 : ((x) << (r) | (x) >> (32 - (r))))

TARGET INLINE NAME(lanes) NAME(high_product)(NAME(lanes) w, NAME(lanes) span)
{
    const __m256i x = (__m256i)w, y = (__m256i)span;
    const __m256i even = _mm256_srli_epi64(_mm256_mul_epu32(x, y), 32);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), y);
    return (NAME(lanes))_mm256_blend_epi32(even, odd, 0xaa);
}

TARGET INLINE NAME(doublewords) NAME(add_products)(
    NAME(doublewords) sums, NAME(lanes) x, NAME(lanes) y)
{
    const __m256i upper_x = _mm256_srli_epi64((__m256i)x, 32);
    const __m256i upper_y = _mm256_srli_epi64((__m256i)y, 32);
    sums += (NAME(doublewords))_mm256_mul_epu32((__m256i)x, (__m256i)y);
    return sums + (NAME(doublewords))_mm256_mul_epu32(upper_x, upper_y);
}

TARGET INLINE NAME(floats) NAME(clamped)(NAME(floats) x, NAME(floats) low, NAME(floats) high)
{
    return (NAME(floats))_mm256_min_ps((__m256)high, _mm256_max_ps((__m256)low, (__m256)x));
}

/* Four pieces by ordinary loads, put together by blends: gathers are no faster. */
TARGET INLINE __m256 NAME(pieces)(const char *twice, int i, int j, int k, int l)
{
    __m256d x = _mm256_broadcast_sd(piece(twice, i));
    x = _mm256_blend_pd(x, _mm256_broadcast_sd(piece(twice, j)), 2);
    x = _mm256_blend_pd(x, _mm256_broadcast_sd(piece(twice, k)), 4);
    x = _mm256_blend_pd(x, _mm256_broadcast_sd(piece(twice, l)), 8);
    return _mm256_castpd_ps(x);
}

TARGET INLINE void NAME(look_up)(const char *twice, NAME(floats) *a, NAME(floats) *b)
{
    const __m256 x = NAME(pieces)(twice, 0, 1, 4, 5), y = NAME(pieces)(twice, 2, 3, 6, 7);
    *a = (NAME(floats))_mm256_shuffle_ps(x, y, 0x88);
    *b = (NAME(floats))_mm256_shuffle_ps(x, y, 0xdd);
}

TARGET INLINE void NAME(put)(char *out, NAME(lanes) x, int far)
{
    if (far) _mm256_stream_si256((__m256i *)out, (__m256i)x);
    else _mm256_storeu_si256((__m256i *)out, (__m256i)x);
}

TARGET INLINE void NAME(store_doubles)(char *out, NAME(floats) x, int far)
{
    const __m128 lower = _mm256_castps256_ps128((__m256)x);
    const __m128 upper = _mm256_extractf128_ps((__m256)x, 1);
    NAME(put)(out, (NAME(lanes))_mm256_cvtps_pd(lower), far);
    NAME(put)(out + 32, (NAME(lanes))_mm256_cvtps_pd(upper), far);
}

TARGET INLINE void NAME(store_lower)(char *out, NAME(lanes) x, NAME(lanes) y, int far)
{
    const __m256i packed = _mm256_packus_epi32((__m256i)x, (__m256i)y);
    NAME(put)(out, (NAME(lanes))_mm256_permute4x64_epi64(packed, 0xd8), far);
}

TARGET INLINE void NAME(store_f16)(char *out, NAME(floats) x, NAME(floats) y, int far)
{
    const __m128i a = _mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT);
    const __m128i b = _mm256_cvtps_ph((__m256)y, _MM_FROUND_TO_NEAREST_INT);
    NAME(put)(out, (NAME(lanes))_mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1), far);
}
