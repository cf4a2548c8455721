/* What the body needs of SSE2, which every x86-64 processor has. */

#define TARGET
#define NAME(x) x##_sse2
#define WIDTH 16
#define DEPTH 4
#define FENCE _mm_sfence()
#define ROTATE(x, r) ((x) << (r) | (x) >> (32 - (r)))

typedef uint32_t NAME(lanes) __attribute__((vector_size(WIDTH)));
typedef float NAME(floats) __attribute__((vector_size(WIDTH)));
typedef uint64_t NAME(doublewords) __attribute__((vector_size(WIDTH)));

INLINE NAME(lanes) NAME(high_product)(NAME(lanes) w, NAME(lanes) span)
{
    const __m128i x = (__m128i)w, y = (__m128i)span, odd = _mm_set1_epi64x(-(1LL << 32));
    const __m128i even = _mm_srli_epi64(_mm_mul_epu32(x, y), 32);
    return (NAME(lanes))(even | (_mm_mul_epu32(_mm_srli_epi64(x, 32), y) & odd));
}

INLINE NAME(doublewords) NAME(add_products)(
    NAME(doublewords) sums, NAME(lanes) x, NAME(lanes) y)
{
    const __m128i upper_x = _mm_srli_epi64((__m128i)x, 32);
    const __m128i upper_y = _mm_srli_epi64((__m128i)y, 32);
    sums += (NAME(doublewords))_mm_mul_epu32((__m128i)x, (__m128i)y);
    return sums + (NAME(doublewords))_mm_mul_epu32(upper_x, upper_y);
}

INLINE NAME(floats) NAME(clamped)(NAME(floats) x, NAME(floats) low, NAME(floats) high)
{
    return (NAME(floats))_mm_min_ps((__m128)high, _mm_max_ps((__m128)low, (__m128)x));
}

INLINE void NAME(look_up)(const char *twice, NAME(floats) *a, NAME(floats) *b)
{
    const __m128 x = _mm_castpd_ps(_mm_loadh_pd(_mm_load_sd(piece(twice, 0)), piece(twice, 1)));
    const __m128 y = _mm_castpd_ps(_mm_loadh_pd(_mm_load_sd(piece(twice, 2)), piece(twice, 3)));
    *a = (NAME(floats))_mm_shuffle_ps(x, y, 0x88);
    *b = (NAME(floats))_mm_shuffle_ps(x, y, 0xdd);
}

INLINE void NAME(put)(char *out, NAME(lanes) x, int far)
{
    if (far) _mm_stream_si128((__m128i *)out, (__m128i)x);
    else _mm_storeu_si128((__m128i *)out, (__m128i)x);
}

INLINE void NAME(store_doubles)(char *out, NAME(floats) x, int far)
{
    const __m128 upper = _mm_movehl_ps((__m128)x, (__m128)x);
    NAME(put)(out, (NAME(lanes))_mm_cvtps_pd((__m128)x), far);
    NAME(put)(out + 16, (NAME(lanes))_mm_cvtps_pd(upper), far);
}

/* The lower halves of two vectors, packed; signed, since SSE2 has no other packing. */
INLINE void NAME(store_lower)(char *out, NAME(lanes) x, NAME(lanes) y, int far)
{
    const __m128i a = _mm_srai_epi32(_mm_slli_epi32((__m128i)x, 16), 16);
    const __m128i b = _mm_srai_epi32(_mm_slli_epi32((__m128i)y, 16), 16);
    NAME(put)(out, (NAME(lanes))_mm_packs_epi32(a, b), far);
}

/* As `to_f16`, with masks for its choices. */
INLINE NAME(lanes) NAME(rounded_f16)(NAME(floats) x)
{
    const NAME(lanes) u = (NAME(lanes))x, v = u & 0x7fffffffu;
    const NAME(lanes) usual = (v - 0x38000000u + 0xfffu + ((v >> 13) & 1)) >> 13;
    const NAME(lanes) small = (NAME(lanes))((NAME(floats))v + 0.5f) - 0x3f000000u;
    const NAME(lanes) is_small = (NAME(lanes))(v < 0x38800000u);
    const NAME(lanes) is_large = (NAME(lanes))(v >= 0x477ff000u);
    const NAME(lanes) finite = (small & is_small) | (usual & ~is_small);
    return ((u >> 16) & 0x8000u) | (0x7c00u & is_large) | (finite & ~is_large);
}

INLINE void NAME(store_f16)(char *out, NAME(floats) x, NAME(floats) y, int far)
{
    NAME(store_lower)(out, NAME(rounded_f16)(x), NAME(rounded_f16)(y), far);
}
