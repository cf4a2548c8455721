/* The stream for CPU memory: words and their maps, as docs/stream.md defines them to the bit.

   One body, _kernel_body.h, is compiled for each instruction set. It must be built without
   floating-point contraction: a fused multiply-add changes the bits. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER)
#pragma fp_contract(off)
#define INLINE static __forceinline
#define ALIGNED __declspec(align(64))
#define RESTRICT __restrict
#define VECTORS 0
#else
#define INLINE static inline __attribute__((always_inline))
#define ALIGNED __attribute__((aligned(64)))
#define RESTRICT __restrict__
#define VECTORS 1
#endif

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 12
#define SHUFFLE(indices, a, b, ...) __builtin_shuffle(a, b, (indices){__VA_ARGS__})
#else
#define SHUFFLE(indices, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif

#if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
#define HAVE_X86 1
#else
#define HAVE_X86 0
#endif

#define PARITY 0x1BD11BDAu

enum { BLOCK = 512, HALF = 256, GROUP = 16, TABLE = 8192, GIL_FREE = 4096 };
enum { WORDS, UNIFORM, NORMAL, TRUNC_NORMAL, BERNOULLI, CHOICE, N_OPS };
enum { F32, F64, BF16, F16, I64, BOOL, N_DTYPES };
enum { BASELINE, AVX2, AVX512, N_PATHS };

static const uint64_t item_size[N_DTYPES] = {4, 8, 2, 2, 8, 1};

/* Intercept and slope of each piece of the normal's quantile, side by side for a single load. */
typedef union {
    float line[2];
    double both;
} Piece;
ALIGNED static Piece table[TABLE];
static int table_loaded = 0;

typedef struct {
    int op, dtype;
    uint32_t k0, k1;
    float scale, shift, low, high, threshold; /* value = raw * scale + shift, clamped */
    uint32_t top, span;                       /* trunc_normal: words top .. top + span */
    uint64_t limit; /* bernoulli: 2^32 p; choice: m */
} Job;

INLINE uint32_t bits_of(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
INLINE float float_of(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }

/* Both conversions round to nearest even; neither meets a NaN. */
INLINE uint16_t to_bf16(float x)
{
    const uint32_t u = bits_of(x);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1)) >> 16);
}

INLINE uint16_t to_f16(float x)
{
    const uint32_t u = bits_of(x), sign = (u >> 16) & 0x8000u, v = u & 0x7fffffffu;
    const uint32_t usual = (v - 0x38000000u + 0xfffu + ((v >> 13) & 1)) >> 13;
    /* Adding 1/2 leaves the multiples of 2^-24, the steps of the subnormals, in the last bits. */
    const uint32_t small = bits_of(float_of(v) + 0.5f) - 0x3f000000u;
    /* Masks, since a choice between a float sum and another value is not vectorised. */
    const uint32_t is_small = 0u - (v < 0x38800000u), is_large = 0u - (v >= 0x477ff000u);
    const uint32_t finite = (small & is_small) | (usual & ~is_small);
    return (uint16_t)(sign | (0x7c00u & is_large) | (finite & ~is_large));
}

#define TARGET
#define NAME(x) x##_baseline
#define WIDTH 16
#define DEPTH 4
#include "_kernel_body.h"

#if HAVE_X86
#define TARGET __attribute__((target("avx2")))
#define NAME(x) x##_avx2
#define WIDTH 32
#define DEPTH 4
#include "_kernel_body.h"

#if defined(__clang__)
#define TARGET                                                                                     \
    __attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl"), min_vector_width(512)))
#else
#define TARGET                                                                                     \
    __attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
#endif
#define NAME(x) x##_avx512
#define WIDTH 64
#define DEPTH 2
#include "_kernel_body.h"
#endif

typedef void (*Fill)(char *, uint64_t, uint64_t, const Job *);

static Fill path_fill(long path)
{
    if (path == BASELINE) return fill_baseline;
#if HAVE_X86
    if (path == AVX2 && __builtin_cpu_supports("avx2")) return fill_avx2;
    if (path == AVX512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return fill_avx512;
#endif
    return NULL;
}

/* ---- Python --------------------------------------------------------------------------------- */

enum { A_PATH, A_DTYPE, A_PTR, A_N, A_BASE, A_BYTES, A_START, N_INTS, A_RUNS = N_INTS, A_KEY, A_SPEC,
       N_ARGS };
enum { MAX_NUMBERS = 6 };

static int bad(const char *why)
{
    PyErr_SetString(PyExc_ValueError, why);
    return -1;
}

static int single(double x, float *to)
{
    if (!(fabs(x) <= 3.4028234663852886e38)) return bad("a number is not finite in float32");
    *to = (float)x;
    return 0;
}

static int read_uniform(Job *job, const double *x)
{
    if (!(x[0] <= x[1]) || !(x[2] >= 0)) return bad("low must not be above high");
    if (single((x[1] - x[0]) * 0x1p-24, &job->scale) || single((x[0] + x[1]) / 2, &job->shift)
        || single(x[0], &job->low) || single(x[1], &job->high))
        return -1;
    job->threshold = (float)x[2];
    return 0;
}

static int read_normal(Job *job, const double *x)
{
    if (!(x[1] >= 0)) return bad("std must not be negative");
    return single(x[0], &job->shift) || single(x[1], &job->scale) ? -1 : 0;
}

static int read_trunc_normal(Job *job, const double *x)
{
    if (read_normal(job, x)) return -1;
    if (!(x[2] < x[3])) return bad("low must be below high");
    if (!(x[4] >= 0 && x[4] < 4294967296.0 && x[5] >= 2 && x[5] < 4294967296.0))
        return bad("top or span is out of range");
    job->low = (float)x[2];
    job->high = (float)x[3];
    job->top = (uint32_t)x[4];
    job->span = (uint32_t)x[5];
    return 0;
}

static int read_numbers(Job *job, const double *x)
{
    const int floating = job->dtype <= F16;
    switch (job->op) {
    case WORDS:
        return job->dtype == I64 ? 0 : bad("words go into int64");
    case UNIFORM:
        return floating ? read_uniform(job, x) : bad("uniform needs a float dtype");
    case NORMAL:
        return floating ? read_normal(job, x) : bad("normal needs a float dtype");
    case TRUNC_NORMAL:
        return floating ? read_trunc_normal(job, x) : bad("trunc_normal needs a float dtype");
    case BERNOULLI:
        if (job->dtype != BOOL) return bad("bernoulli goes into bool");
        break;
    default:
        if (job->dtype != I64) return bad("choice goes into int64");
        if (!(x[0] >= 1)) return bad("choice needs at least one thing");
    }
    if (!(x[0] >= 0 && x[0] <= 4294967296.0)) return bad("the limit is out of range");
    job->limit = (uint64_t)x[0];
    return 0;
}

/* The memory must lie inside base .. base + bytes, which the caller vouches for. */
static int check_memory(const uint64_t *a, uint64_t size)
{
    const uint64_t ptr = a[A_PTR], n = a[A_N], base = a[A_BASE], bytes = a[A_BYTES];
    if (n == 0) return 0;
    if (ptr == 0 || base == 0) return bad("there is no memory");
    if (ptr % size) return bad("the memory is not aligned");
    if (ptr < base || ptr - base > bytes || n > (bytes - (ptr - base)) / size)
        return bad("the memory is too short");
    return 0;
}

static int check_run(int64_t start, int64_t length)
{
    if (start < 0 || length < 0 || (uint64_t)start + (uint64_t)length > (uint64_t)1 << 63)
        return bad("a run leaves the range 0 <= i < 2^63");
    return 0;
}

/* Runs are a buffer of int64, start and length by turns; None stands for one run from A_START on. */
static int read_runs(PyObject *from, Py_buffer *runs)
{
    if (from == Py_None) return 0;
    if (PyObject_GetBuffer(from, runs, PyBUF_SIMPLE)) return -1;
    const int aligned = runs->len == 0 || (uintptr_t)runs->buf % 8 == 0;
    if (runs->len % 16 == 0 && aligned) return 0;
    PyBuffer_Release(runs);
    return bad("runs are pairs of int64");
}

static int check_runs(const uint64_t *a, const Py_buffer *runs)
{
    const int64_t *pairs = runs->buf;
    uint64_t total = 0;
    if (a[A_N] > (uint64_t)1 << 62) return bad("too many elements");
    if (a[A_START] > (uint64_t)INT64_MAX) return bad("a run leaves the range 0 <= i < 2^63");
    if (runs->obj == NULL) return check_run((int64_t)a[A_START], (int64_t)a[A_N]);
    for (Py_ssize_t r = 0; r < runs->len / 16; r++) {
        if (check_run(pairs[2 * r], pairs[2 * r + 1])) return -1;
        total += (uint64_t)pairs[2 * r + 1];
        if (total > a[A_N]) break;
    }
    return total == a[A_N] ? 0 : bad("the runs and the memory differ in length");
}

static void carry_out(Fill fill, const uint64_t *a, const Py_buffer *runs, const Job *job)
{
    char *out = (char *)(uintptr_t)a[A_PTR];
    const int64_t *pairs = runs->buf;
    if (runs->obj == NULL) {
        fill(out, a[A_START], a[A_N], job);
        return;
    }
    for (Py_ssize_t r = 0; r < runs->len / 16; r++) {
        fill(out, (uint64_t)pairs[2 * r], (uint64_t)pairs[2 * r + 1], job);
        out += (uint64_t)pairs[2 * r + 1] * item_size[job->dtype];
    }
}

static int read_integers(PyObject *const *args, uint64_t *a)
{
    for (int i = 0; i < N_INTS; i++) {
        a[i] = PyLong_AsUnsignedLongLong(args[i]);
        if (a[i] == (uint64_t)-1 && PyErr_Occurred()) return -1;
    }
    if (a[A_DTYPE] >= N_DTYPES) return bad("no such dtype");
    return 0;
}

static int read_key(PyObject *key, Job *job)
{
    if (!PyTuple_Check(key) || PyTuple_Size(key) != 2) return bad("a key is a pair");
    for (int i = 0; i < 2; i++) {
        const unsigned long long k = PyLong_AsUnsignedLongLong(PyTuple_GetItem(key, i));
        if (k > UINT32_MAX) return PyErr_Occurred() ? -1 : bad("a key is two 32-bit words");
        *(i ? &job->k1 : &job->k0) = (uint32_t)k;
    }
    return 0;
}

static int read_spec(PyObject *spec, Job *job)
{
    double x[MAX_NUMBERS] = {0};
    const Py_ssize_t size = PyTuple_Check(spec) ? PyTuple_Size(spec) : 0;
    if (size < 1 || size > MAX_NUMBERS + 1) return bad("a spec is an op and up to six numbers");
    const long op = PyLong_AsLong(PyTuple_GetItem(spec, 0));
    if (op < 0 || op >= N_OPS) return PyErr_Occurred() ? -1 : bad("no such op");
    job->op = (int)op;
    for (Py_ssize_t i = 1; i < size; i++) {
        x[i - 1] = PyFloat_AsDouble(PyTuple_GetItem(spec, i));
        if (x[i - 1] == -1.0 && PyErr_Occurred()) return -1;
    }
    return read_numbers(job, x);
}

static PyObject *py_fill(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    uint64_t a[N_INTS];
    Job job = {0};
    Py_buffer runs = {0};
    (void)self;
    if (nargs != N_ARGS) return bad("fill takes 10 arguments"), NULL;
    if (read_integers(args, a)) return NULL;
    job.dtype = (int)a[A_DTYPE];
    const Fill fill = a[A_PATH] < N_PATHS ? path_fill((long)a[A_PATH]) : NULL;
    if (fill == NULL) return bad("no such path here"), NULL;
    if (!table_loaded) return bad("no table has been loaded"), NULL;
    if (read_key(args[A_KEY], &job) || read_spec(args[A_SPEC], &job)) return NULL;
    if (check_memory(a, item_size[job.dtype]) || read_runs(args[A_RUNS], &runs)) return NULL;
    const int wrong = check_runs(a, &runs);
    if (!wrong && a[A_N] < GIL_FREE) {
        carry_out(fill, a, &runs, &job);
    } else if (!wrong) {
        Py_BEGIN_ALLOW_THREADS
        carry_out(fill, a, &runs, &job);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&runs);
    if (wrong) return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_load_table(PyObject *self, PyObject *data)
{
    char *raw;
    Py_ssize_t length;
    (void)self;
    if (PyBytes_AsStringAndSize(data, &raw, &length)) return NULL;
    if (length != 8 * TABLE) return bad("the table has 65536 bytes"), NULL;
    for (int i = 0; i < TABLE; i++) {
        memcpy(&table[i].line[0], raw + 4 * i, 4);
        memcpy(&table[i].line[1], raw + 4 * (TABLE + i), 4);
    }
    table_loaded = 1;
    Py_RETURN_NONE;
}

static PyObject *py_has_path(PyObject *self, PyObject *number)
{
    const long path = PyLong_AsLong(number);
    (void)self;
    if (path == -1 && PyErr_Occurred()) return NULL;
    return PyBool_FromLong(path_fill(path) != NULL);
}

static PyMethodDef methods[] = {
    {"fill", (PyCFunction)(void (*)(void))py_fill, METH_FASTCALL,
     "fill(path, dtype, ptr, n, base, nbytes, start, runs, key, spec)"},
    {"load_table", py_load_table, METH_O, "Take the table: A[8192], then B[8192], as bytes."},
    {"has_path", py_has_path, METH_O, "Tell whether this processor can run a path."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "initkit.stream._kernel", "The stream for CPU memory.", 0, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void);

PyMODINIT_FUNC PyInit__kernel(void)
{
#if HAVE_X86
    __builtin_cpu_init();
#endif
    return PyModule_Create(&module);
}
