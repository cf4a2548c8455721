/* The passes of check_init over contiguous memory: sums, counts, and runs of values.

   Each function looks at one chunk; what it returns is what the loops in plain torch beside its
   callers return (measure.py, norms.py, slices.py, duplicates.py, followers.py), up to the rounding
   of sums. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if !defined(__GNUC__) && !defined(__clang__)
#error "the vectors of GCC and Clang are needed; without this extension plain torch does its work"
#endif

#define INLINE inline __attribute__((always_inline))
#define TINY 1e-30 /* as in measure.py */

enum { F32, F64, BF16, F16, N_DTYPES };
enum { RUN = 16 }; /* as in duplicates.py, with the numbers of find_runs */
enum { KEYS = 8 }; /* values that stand for a slice, as in slices.py */
enum { WIDENED = 1 << 16 }; /* values of 16 bits that are widened at a time */
enum { RISES = 64, FEWEST = 8 }; /* of a tensor's first elements, as in duplicates.py */
enum { WORDS = 8, CLEAR = 60 }; /* of 64 bits, and twice what CERTAIN is, as in followers.py */
enum { BLOCK = 2048 }; /* values that stay in the first cache while all is counted of them */

typedef float F4 __attribute__((vector_size(16)));
typedef float F8 __attribute__((vector_size(32)));
typedef int32_t I8 __attribute__((vector_size(32)));
typedef uint32_t U8 __attribute__((vector_size(32)));
typedef double D __attribute__((vector_size(32)));
typedef int64_t L4 __attribute__((vector_size(32)));

typedef struct {
    double low, high, sum, squares;
    uint64_t zeros, small;
} Sums;

static void add_sums(Sums *all, const Sums *part, int first)
{
    if (first || part->low < all->low) all->low = part->low;
    if (first || part->high > all->high) all->high = part->high;
    all->sum += part->sum;
    all->squares += part->squares;
    all->zeros += part->zeros;
    all->small += part->small;
}

/* Rows of bits as followers.py makes them, and how many of each count. */
typedef struct {
    Py_ssize_t count;
    const uint64_t *drawn, *sides;
    const int64_t *drawn_lengths, *lengths;
    const uint8_t *known; /* which later ones need not be looked at any more */
    int plain; /* whether the sides are those of the samples as they are, and not turned */
} Samples;

static const uint64_t item_size[N_DTYPES] = {4, 8, 2, 2};

/* Vectors pass between functions of this file alone, which are inlined: no convention of calls is
   at stake where a processor has no registers for them. */
#pragma GCC diagnostic ignored "-Wpsabi"

#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2,popcnt")))
#define SUFFIX(x) x##_avx2
#include "_pass_types.h"
#endif

#define TARGET
#define SUFFIX(x) x##_baseline
#include "_pass_types.h"

#if defined(__x86_64__)
static int has_avx2 = 0;
#define BEST(x, ...) (has_avx2 ? x##_avx2(__VA_ARGS__) : x##_baseline(__VA_ARGS__))
#else
#define BEST(x, ...) x##_baseline(__VA_ARGS__)
#endif

/* ---- memory --------------------------------------------------------------------------------- */

typedef struct {
    int dtype;
    uint64_t n;
    const void *values; /* of float, or of double */
    float *scratch;     /* where values of 16 bits are widened; to be freed */
} Chunk;

static int bad(const char *why)
{
    PyErr_SetString(PyExc_ValueError, why);
    return -1;
}

/* Read (dtype, ptr, n, base, nbytes); the memory must lie within what the caller vouches for. */
static int read_chunk(PyObject *const *args, Chunk *chunk)
{
    unsigned long long a[5];
    for (int i = 0; i < 5; i++) {
        a[i] = PyLong_AsUnsignedLongLong(args[i]);
        if (a[i] == (unsigned long long)-1 && PyErr_Occurred()) return -1;
    }
    if (a[0] >= N_DTYPES) return bad("no such dtype");
    const uint64_t size = item_size[a[0]], ptr = a[1], base = a[3], bytes = a[4];
    if (!a[2] || !ptr || !base) return bad("there is no memory");
    if (ptr % size) return bad("the memory is not aligned");
    if (ptr < base || ptr - base > bytes || a[2] > (bytes - (ptr - base)) / size)
        return bad("the memory is too short");
    *chunk = (Chunk){(int)a[0], a[2], (const void *)(uintptr_t)ptr, NULL};
    return 0;
}

/* Read a chunk all of whose values are widened at once. */
static int read_wide(PyObject *const *args, Chunk *chunk)
{
    if (read_chunk(args, chunk)) return -1;
    if (item_size[chunk->dtype] > 2) return 0;
    chunk->scratch = malloc(4 * chunk->n);
    if (chunk->scratch == NULL) return PyErr_NoMemory(), -1;
    return 0;
}

static void widen(Chunk *chunk)
{
    if (chunk->scratch == NULL) return;
    BEST(widen, chunk->values, chunk->n, chunk->dtype == F16, chunk->scratch);
    chunk->values = chunk->scratch;
}

/* ---- Python --------------------------------------------------------------------------------- */

enum { MAX_EDGES = 64 };

/* tally(dtype, ptr, n, base, nbytes, centre, taken, edges, middle, stride):
   of all n values low, high, sum, squares, zeros, tiny; of the first `taken` how many are at most
   each edge, and how many agree with their neighbour and with the one a stride before. None where
   a value is not finite. */
static PyObject *py_tally(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Chunk chunk = {0};
    Py_buffer buffer = {0};
    Sums found;
    uint64_t below[MAX_EDGES] = {0}, same[2] = {0, 0};
    (void)self;
    if (nargs != 10) return bad("tally takes 10 arguments"), NULL;
    const double centre = PyFloat_AsDouble(args[5]);
    const long long taken = PyLong_AsLongLong(args[6]), middle = PyLong_AsLongLong(args[8]);
    const long long stride = PyLong_AsLongLong(args[9]);
    if (PyErr_Occurred() || read_wide(args, &chunk)) return NULL;
    if (PyObject_GetBuffer(args[7], &buffer, PyBUF_SIMPLE)) return free(chunk.scratch), NULL;
    const double *edges = buffer.buf;
    const Py_ssize_t count = buffer.len / 8;
    PyObject *result = NULL;
    if (taken < 0 || (uint64_t)taken > chunk.n || count > MAX_EDGES || stride < 0
        || (count && (uintptr_t)buffer.buf % 8) || middle >= count) {
        bad("taken, edges, middle or stride is out of range");
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    widen(&chunk);
    if (chunk.dtype == F64)
        BEST(tally64, chunk.values, chunk.n, centre, (uint64_t)taken, edges, count, middle,
             (uint64_t)stride, &found, below, same);
    else
        BEST(tally32, chunk.values, chunk.n, centre, (uint64_t)taken, edges, count, middle,
             (uint64_t)stride, &found, below, same);
    Py_END_ALLOW_THREADS
    if (!isfinite(found.squares) || !isfinite(found.low) || !isfinite(found.high)) {
        result = Py_NewRef(Py_None);
        goto done;
    }
    PyObject *counts = PyTuple_New(count);
    for (Py_ssize_t i = 0; counts != NULL && i < count; i++) {
        PyObject *number = PyLong_FromUnsignedLongLong(below[i]);
        if (number == NULL || PyTuple_SetItem(counts, i, number)) Py_CLEAR(counts);
    }
    if (counts != NULL)
        result = Py_BuildValue("(ddddKKNKK)", found.low, found.high, found.sum, found.squares,
                               (unsigned long long)found.zeros,
                               (unsigned long long)(found.small - found.zeros), counts,
                               (unsigned long long)same[0], (unsigned long long)same[1]);
done:
    PyBuffer_Release(&buffer);
    free(chunk.scratch);
    return result;
}

/* The least and the greatest of some sums, each divided by `each`, and where they stand first. */
static PyObject *ends_of(const double *sums, uint64_t count, uint64_t each)
{
    uint64_t low = 0, high = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (isnan(sums[i])) { /* it is neither less nor greater than any, and must not be missed */
            low = high = i;
            break;
        }
        if (sums[i] < sums[low]) low = i;
        if (sums[i] > sums[high]) high = i;
    }
    const double n = (double)each;
    return Py_BuildValue("(dKdK)", sums[low] / n, (unsigned long long)low, sums[high] / n,
                         (unsigned long long)high);
}

/* lengths(dtype, ptr, n, base, nbytes, mean, std, rows): of the mean squares of rows and of those
   of columns the least and its place, the greatest and its place. */
static PyObject *py_lengths(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Chunk chunk = {0};
    (void)self;
    if (nargs != 8) return bad("lengths takes 8 arguments"), NULL;
    const double mean = PyFloat_AsDouble(args[5]), std = PyFloat_AsDouble(args[6]);
    const long long r = PyLong_AsLongLong(args[7]);
    if (PyErr_Occurred() || read_chunk(args, &chunk)) return NULL;
    if (r < 1 || chunk.n % (uint64_t)r || !(std > 0))
        return bad("the rows do not fit the values"), NULL;
    const uint64_t rows = (uint64_t)r, columns = chunk.n / rows, size = item_size[chunk.dtype];
    /* In blocks of rows, since values of 16 bits are widened first. */
    const uint64_t fit = WIDENED / columns, block = fit < 1 ? 1 : fit < rows ? fit : rows;
    float *wide = size > 2 ? NULL : malloc(4 * block * columns);
    double *sums = calloc(rows + columns, sizeof *sums);
    PyObject *result = NULL;
    if (sums == NULL || (size <= 2 && wide == NULL)) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    for (uint64_t row = 0; row < rows; row += block) {
        const uint64_t some = rows - row < block ? rows - row : block;
        const void *x = (const char *)chunk.values + row * columns * size;
        if (wide != NULL) {
            BEST(widen, x, some * columns, chunk.dtype == F16, wide);
            x = wide;
        }
        if (chunk.dtype == F64)
            BEST(squares64, x, some, columns, mean, 1 / std, sums + row, sums + rows);
        else
            BEST(squares32, x, some, columns, mean, 1 / std, sums + row, sums + rows);
    }
    Py_END_ALLOW_THREADS
    PyObject *by_row = ends_of(sums, rows, columns), *by_column = NULL;
    if (by_row != NULL) by_column = ends_of(sums + rows, columns, rows);
    if (by_column != NULL) result = PyTuple_Pack(2, by_row, by_column);
    Py_XDECREF(by_row);
    Py_XDECREF(by_column);
done:
    free(sums);
    free(wide);
    return result;
}

/* The bits of a value without its sign. */
static uint64_t magnitude(const Chunk *chunk, uint64_t i)
{
    const uint64_t size = item_size[chunk->dtype];
    const char *at = (const char *)chunk->values + i * size;
    uint64_t wide;
    uint32_t word;
    uint16_t half;
    if (size == 8) return memcpy(&wide, at, 8), wide & 0x7fffffffffffffffull;
    if (size == 4) return memcpy(&word, at, 4), word & 0x7fffffffu;
    return memcpy(&half, at, 2), half & 0x7fffu;
}

/* distinct(dtype, ptr, n, base, nbytes, outer, count): whether no two of so many slices, along the
   dimension behind `outer` elements of those before it, agree in the few values that stand for
   each, up to signs. */
static PyObject *py_distinct(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Chunk chunk = {0};
    (void)self;
    if (nargs != 7) return bad("distinct takes 7 arguments"), NULL;
    const long long o = PyLong_AsLongLong(args[5]), c = PyLong_AsLongLong(args[6]);
    if (PyErr_Occurred() || read_chunk(args, &chunk)) return NULL;
    if (o < 1 || c < 1 || chunk.n % (uint64_t)o || chunk.n / (uint64_t)o % (uint64_t)c)
        return bad("the slices do not fit the values"), NULL;
    const uint64_t count = (uint64_t)c, inner = chunk.n / (uint64_t)o / count;
    const uint64_t length = (uint64_t)o * inner, keys = length < KEYS ? length : KEYS;
    uint64_t places[KEYS], slots = 2;
    for (uint64_t k = 0; k < keys; k++) {
        const uint64_t at = k * (length - 1) / (keys > 1 ? keys - 1 : 1);
        places[k] = at / inner * count * inner + at % inner;
    }
    int bits = 1;
    for (; slots < 2 * count; slots *= 2) bits++;
    uint64_t *table = calloc(slots, sizeof *table);
    if (table == NULL) return PyErr_NoMemory();
    int distinct = 1;
    Py_BEGIN_ALLOW_THREADS
    for (uint64_t s = 0; s < count && distinct; s++) {
        uint64_t key = 0;
        for (uint64_t k = 0; k < keys; k++)
            key = (key + magnitude(&chunk, places[k] + s * inner)) * 0x5851F42D4C957F2Dull;
        key |= key == 0; /* which stands for none: two such slices are looked at, and no harm done */
        uint64_t slot = (key * 0x9E3779B97F4A7C15ull) >> (64 - bits);
        while (table[slot] && table[slot] != key) slot = (slot + 1) & (slots - 1);
        distinct = table[slot] == 0;
        table[slot] = key;
    }
    Py_END_ALLOW_THREADS
    free(table);
    return PyBool_FromLong(distinct);
}

/* runs(dtype, ptr, n, base, nbytes): the keys of the runs that begin here, and their places, each
   as the bytes of int64. */
static PyObject *py_runs(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Chunk chunk = {0};
    (void)self;
    if (nargs != 5) return bad("runs takes 5 arguments"), NULL;
    if (read_wide(args, &chunk)) return NULL;
    float *narrowed = chunk.dtype == F64 ? malloc(4 * chunk.n) : NULL;
    uint64_t *keys = malloc(8 * chunk.n);
    int64_t *places = malloc(8 * chunk.n);
    PyObject *result = NULL;
    if (keys == NULL || places == NULL || (chunk.dtype == F64 && narrowed == NULL)) {
        PyErr_NoMemory();
    } else {
        Py_ssize_t count;
        Py_BEGIN_ALLOW_THREADS
        widen(&chunk);
        if (narrowed != NULL) {
            const double *x = chunk.values;
            for (uint64_t i = 0; i < chunk.n; i++) narrowed[i] = (float)x[i];
            chunk.values = narrowed;
        }
        count = (Py_ssize_t)BEST(find_runs, chunk.values, chunk.n, item_size[chunk.dtype] <= 2,
                                 keys, places);
        Py_END_ALLOW_THREADS
        result = Py_BuildValue("(y#y#)", (char *)keys, 8 * count, (char *)places, 8 * count);
    }
    free(places);
    free(keys);
    free(narrowed);
    free(chunk.scratch);
    return result;
}

#include "_pass_heads.h"

static PyMethodDef methods[] = {
    {"tally", (PyCFunction)(void (*)(void))py_tally, METH_FASTCALL,
     "tally(dtype, ptr, n, base, nbytes, centre, taken, edges, middle, stride)"},
    {"lengths", (PyCFunction)(void (*)(void))py_lengths, METH_FASTCALL,
     "lengths(dtype, ptr, n, base, nbytes, mean, std, rows)"},
    {"distinct", (PyCFunction)(void (*)(void))py_distinct, METH_FASTCALL,
     "distinct(dtype, ptr, n, base, nbytes, outer, count)"},
    {"runs", (PyCFunction)(void (*)(void))py_runs, METH_FASTCALL,
     "runs(dtype, ptr, n, base, nbytes)"},
    {"rises", (PyCFunction)(void (*)(void))py_rises, METH_FASTCALL,
     "rises(dtype, ptr, n, base, nbytes, columns, transposed)"},
    {"sides", (PyCFunction)(void (*)(void))py_sides, METH_FASTCALL,
     "sides(dtype, ptr, n, base, nbytes, columns, middle)"},
    {"following", (PyCFunction)(void (*)(void))py_following, METH_FASTCALL,
     "following(drawn, drawn_lengths, sides, lengths, place, known, plain)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "initkit.check._pass", "The passes of check_init over memory.", 0,
    methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__pass(void);

PyMODINIT_FUNC PyInit__pass(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
#endif
    PyObject *made = PyModule_Create(&module);
    /* To be raised with the arguments or results of a function: Python asks for it. */
    if (made != NULL && PyModule_AddIntConstant(made, "VERSION", 3)) Py_CLEAR(made);
#ifdef Py_GIL_DISABLED
    /* Safe without the GIL: nothing is shared but what this function has set. */
    if (made != NULL && PyUnstable_Module_SetGIL(made, Py_MOD_GIL_NOT_USED)) Py_CLEAR(made);
#endif
    return made;
}
