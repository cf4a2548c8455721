/* What the body needs of NEON, which every 64-bit ARM processor has. */

#define TARGET
#define NAME(x) x##_neon
#define WIDTH 16
#define DEPTH 4
#define FENCE (void)0 /* nothing goes past the caches */
#define ROTATE(x, r) ((x) << (r) | (x) >> (32 - (r)))

typedef uint32_t NAME(lanes) __attribute__((vector_size(WIDTH)));
typedef float NAME(floats) __attribute__((vector_size(WIDTH)));
typedef uint64_t NAME(doublewords) __attribute__((vector_size(WIDTH)));

INLINE NAME(lanes) NAME(high_product)(NAME(lanes) w, NAME(lanes) span)
{
    const uint32x4_t x = (uint32x4_t)w, y = (uint32x4_t)span;
    const uint32x2_t lower = vshrn_n_u64(vmull_u32(vget_low_u32(x), vget_low_u32(y)), 32);
    return (NAME(lanes))vshrn_high_n_u64(lower, vmull_high_u32(x, y), 32);
}

INLINE NAME(doublewords) NAME(add_products)(
    NAME(doublewords) sums, NAME(lanes) x, NAME(lanes) y)
{
    const uint32x4_t a = (uint32x4_t)x, b = (uint32x4_t)y;
    const uint64x2_t lower = vmlal_u32((uint64x2_t)sums, vget_low_u32(a), vget_low_u32(b));
    return (NAME(doublewords))vmlal_high_u32(lower, a, b);
}

/* By comparison: its own maximum takes 0 for more than -0. */
INLINE NAME(floats) NAME(clamped)(NAME(floats) x, NAME(floats) low, NAME(floats) high)
{
    const float32x4_t a = (float32x4_t)low, b = (float32x4_t)high;
    const float32x4_t y = vbslq_f32(vcltq_f32((float32x4_t)x, a), a, (float32x4_t)x);
    return (NAME(floats))vbslq_f32(vcgtq_f32(y, b), b, y);
}

INLINE void NAME(look_up)(const char *twice, NAME(floats) *a, NAME(floats) *b)
{
    const float32x4_t x = (float32x4_t)(float64x2_t){*piece(twice, 0), *piece(twice, 1)};
    const float32x4_t y = (float32x4_t)(float64x2_t){*piece(twice, 2), *piece(twice, 3)};
    *a = (NAME(floats))vuzp1q_f32(x, y);
    *b = (NAME(floats))vuzp2q_f32(x, y);
}

INLINE void NAME(put)(char *out, NAME(lanes) x, int far)
{
    (void)far;
    memcpy(out, &x, WIDTH);
}

INLINE void NAME(store_doubles)(char *out, NAME(floats) x, int far)
{
    const float32x4_t y = (float32x4_t)x;
    NAME(put)(out, (NAME(lanes))vcvt_f64_f32(vget_low_f32(y)), far);
    NAME(put)(out + 16, (NAME(lanes))vcvt_high_f64_f32(y), far);
}

INLINE void NAME(store_lower)(char *out, NAME(lanes) x, NAME(lanes) y, int far)
{
    NAME(put)(out, (NAME(lanes))vmovn_high_u32(vmovn_u32((uint32x4_t)x), (uint32x4_t)y), far);
}

INLINE void NAME(store_f16)(char *out, NAME(floats) x, NAME(floats) y, int far)
{
    const float16x4_t lower = vcvt_f16_f32((float32x4_t)x);
    NAME(put)(out, (NAME(lanes))vcvt_high_f16_f32(lower, (float32x4_t)y), far);
}
