/* The passes of check_init over contiguous memory: sums, counts, and runs of values.

   Each function looks at one chunk; what it returns is what the loops in plain torch beside its
   callers return (measure.py, norms.py, duplicates.py), up to the rounding of sums. */

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

static const uint64_t item_size[N_DTYPES] = {4, 8, 2, 2};

/* Vectors pass between functions of this file alone, which are inlined: no convention of calls is
   at stake where a processor has no registers for them. */
#pragma GCC diagnostic ignored "-Wpsabi"

#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2")))
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
    if (size > 2) return 0;
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
    if (PyErr_Occurred() || read_chunk(args, &chunk)) return NULL;
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

/* squares(dtype, ptr, n, base, nbytes, mean, std, by_row, by_column): write sums of squares of
   rows, add those of columns. */
static PyObject *py_squares(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Chunk chunk = {0};
    Py_buffer rows = {0}, columns = {0};
    PyObject *result = NULL;
    (void)self;
    if (nargs != 9) return bad("squares takes 9 arguments"), NULL;
    const double mean = PyFloat_AsDouble(args[5]), std = PyFloat_AsDouble(args[6]);
    if (PyErr_Occurred() || read_chunk(args, &chunk)) return NULL;
    if (PyObject_GetBuffer(args[7], &rows, PyBUF_WRITABLE)
        || PyObject_GetBuffer(args[8], &columns, PyBUF_WRITABLE))
        goto done;
    const uint64_t r = (uint64_t)rows.len / 8, c = (uint64_t)columns.len / 8;
    if (!r || !c || chunk.n / r != c || chunk.n % r || (uintptr_t)rows.buf % 8
        || (uintptr_t)columns.buf % 8 || !(std > 0)) {
        bad("the sums do not fit the values");
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    widen(&chunk);
    if (chunk.dtype == F64)
        BEST(squares64, chunk.values, r, c, mean, 1 / std, rows.buf, columns.buf);
    else
        BEST(squares32, chunk.values, r, c, mean, 1 / std, rows.buf, columns.buf);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
done:
    if (rows.obj != NULL) PyBuffer_Release(&rows);
    if (columns.obj != NULL) PyBuffer_Release(&columns);
    free(chunk.scratch);
    return result;
}

/* runs(dtype, ptr, n, base, nbytes): the keys of the runs that begin here, and their places, each
   as the bytes of int64. */
static PyObject *py_runs(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Chunk chunk = {0};
    (void)self;
    if (nargs != 5) return bad("runs takes 5 arguments"), NULL;
    if (read_chunk(args, &chunk)) return NULL;
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

static PyMethodDef methods[] = {
    {"tally", (PyCFunction)(void (*)(void))py_tally, METH_FASTCALL,
     "tally(dtype, ptr, n, base, nbytes, centre, taken, edges, middle, stride)"},
    {"squares", (PyCFunction)(void (*)(void))py_squares, METH_FASTCALL,
     "squares(dtype, ptr, n, base, nbytes, mean, std, by_row, by_column)"},
    {"runs", (PyCFunction)(void (*)(void))py_runs, METH_FASTCALL,
     "runs(dtype, ptr, n, base, nbytes)"},
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
    has_avx2 = __builtin_cpu_supports("avx2");
#endif
    PyObject *made = PyModule_Create(&module);
    /* To be raised with the arguments or results of a function: Python asks for it. */
    if (made != NULL && PyModule_AddIntConstant(made, "VERSION", 1)) Py_CLEAR(made);
#ifdef Py_GIL_DISABLED
    /* Safe without the GIL: nothing is shared but what this function has set. */
    if (made != NULL && PyUnstable_Module_SetGIL(made, Py_MOD_GIL_NOT_USED)) Py_CLEAR(made);
#endif
    return made;
}
