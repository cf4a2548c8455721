/* What the body needs of AVX-512 (F, BW, DQ, VL). */

#define TARGET __attribute__((target("avx2,f16c,avx512f,avx512bw,avx512dq,avx512vl")))
#define NAME(x) x##_avx512
#define WIDTH 64
#define DEPTH 4
#define FENCE _mm_sfence()
#define ROTATE(x, r) ((NAME(lanes))_mm512_rol_epi32((__m512i)(x), r))

typedef uint32_t NAME(lanes) __attribute__((vector_size(WIDTH)));
typedef float NAME(floats) __attribute__((vector_size(WIDTH)));
typedef uint64_t NAME(doublewords) __attribute__((vector_size(WIDTH)));

TARGET INLINE NAME(lanes) NAME(high_product)(NAME(lanes) w, NAME(lanes) span)
{
    const __m512i x = (__m512i)w, y = (__m512i)span;
    const __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(x, y), 32);
    const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), y);
    return (NAME(lanes))_mm512_mask_blend_epi32(0xaaaa, even, odd);
}

TARGET INLINE NAME(doublewords) NAME(add_products)(
    NAME(doublewords) sums, NAME(lanes) x, NAME(lanes) y)
{
    const __m512i upper_x = _mm512_srli_epi64((__m512i)x, 32);
    const __m512i upper_y = _mm512_srli_epi64((__m512i)y, 32);
    sums += (NAME(doublewords))_mm512_mul_epu32((__m512i)x, (__m512i)y);
    return sums + (NAME(doublewords))_mm512_mul_epu32(upper_x, upper_y);
}

TARGET INLINE NAME(floats) NAME(clamped)(NAME(floats) x, NAME(floats) low, NAME(floats) high)
{
    return (NAME(floats))_mm512_min_ps((__m512)high, _mm512_max_ps((__m512)low, (__m512)x));
}

/* Eight pieces from the k-th on; each load writes its own lane alone. */
TARGET INLINE __m512 NAME(pieces)(const char *twice, int k)
{
#define LANE(n) x = _mm512_mask_broadcastsd_pd(x, 1 << (n), _mm_load_sd(piece(twice, k + (n))));
    __m512d x = _mm512_broadcastsd_pd(_mm_load_sd(piece(twice, k)));
    LANE(1) LANE(2) LANE(3) LANE(4) LANE(5) LANE(6) LANE(7)
#undef LANE
    return _mm512_castpd_ps(x);
}

TARGET INLINE void NAME(look_up)(const char *twice, NAME(floats) *a, NAME(floats) *b)
{
    const __m512i even
        = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    const __m512 x = NAME(pieces)(twice, 0), y = NAME(pieces)(twice, 8);
    *a = (NAME(floats))_mm512_permutex2var_ps(x, even, y);
    *b = (NAME(floats))_mm512_permutex2var_ps(x, odd, y);
}

TARGET INLINE void NAME(put)(char *out, NAME(lanes) x, int far)
{
    if (far) _mm512_stream_si512((__m512i *)out, (__m512i)x);
    else _mm512_storeu_si512((__m512i *)out, (__m512i)x);
}

TARGET INLINE void NAME(store_doubles)(char *out, NAME(floats) x, int far)
{
    const __m256 lower = _mm512_castps512_ps256((__m512)x);
    const __m256 upper = _mm512_extractf32x8_ps((__m512)x, 1);
    NAME(put)(out, (NAME(lanes))_mm512_cvtps_pd(lower), far);
    NAME(put)(out + 64, (NAME(lanes))_mm512_cvtps_pd(upper), far);
}

TARGET INLINE void NAME(store_lower)(char *out, NAME(lanes) x, NAME(lanes) y, int far)
{
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    const __m512i packed = _mm512_packus_epi32((__m512i)x, (__m512i)y);
    NAME(put)(out, (NAME(lanes))_mm512_permutexvar_epi64(order, packed), far);
}

TARGET INLINE void NAME(store_f16)(char *out, NAME(floats) x, NAME(floats) y, int far)
{
    const __m256i a = _mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT);
    const __m256i b = _mm512_cvtps_ph((__m512)y, _MM_FROUND_TO_NEAREST_INT);
    NAME(put)(out, (NAME(lanes))_mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1), far);
}
