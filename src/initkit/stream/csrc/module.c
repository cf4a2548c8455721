/* The kernel's door to Python: arguments are read and checked here, and nothing is computed. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "blake2b.h"
#include "stream.h"

/* ---- Python --------------------------------------------------------------------------------- */

enum { A_PATH, A_DTYPE, A_PTR, A_N, A_BASE, A_BYTES, A_START, N_INTS, A_RUNS = N_INTS, A_KEY, A_SPEC,
       N_ARGS };
enum { MAX_NUMBERS = 6, GIL_FREE = 4096 };

static int table_loaded = 0;

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
    case CONSTANT:
        /* What float16 can hold all dtypes can, and none of the conversions meets an infinity. */
        job->value = x[0];
        return floating && fabs(x[0]) <= 65504 ? 0 : bad("no such constant in this dtype");
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

static void fill_run(Fill fill, char *out, uint64_t start, uint64_t n, const Job *job)
{
    if (job->op == CONSTANT) fill_constant(out, n, job);
    else fill(out, start, n, job);
}

static void carry_out(Fill fill, const uint64_t *a, const Py_buffer *runs, const Job *job)
{
    char *out = (char *)(uintptr_t)a[A_PTR];
    const int64_t *pairs = runs->buf;
    if (runs->obj == NULL) {
        fill_run(fill, out, a[A_START], a[A_N], job);
        return;
    }
    for (Py_ssize_t r = 0; r < runs->len / 16; r++) {
        fill_run(fill, out, (uint64_t)pairs[2 * r], (uint64_t)pairs[2 * r + 1], job);
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
    const Fill fill = a[A_PATH] < N_PATHS ? path_fill((int)a[A_PATH]) : NULL;
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

/* ---- many tensors, each whole or one run of it -------------------------------------------------- */

enum { R_DTYPE, R_PTR, R_N, R_BASE, R_BYTES, R_START, R_INTS, R_NAME = R_INTS, R_SPEC, R_SIZE };

typedef struct {
    char *out;
    uint64_t start, n;
    Job job;
} Row;

static int name_key(PyObject *name, uint64_t seed, Job *job)
{
    PyObject *bytes = PyUnicode_AsEncodedString(name, "utf-8", "surrogatepass");
    char *text;
    Py_ssize_t length;
    if (bytes == NULL) return -1;
    const int wrong = PyBytes_AsStringAndSize(bytes, &text, &length);
    if (!wrong) derive_key(&job->k0, &job->k1, seed, 0, text, (size_t)length);
    Py_DECREF(bytes);
    return wrong;
}

static int read_row(PyObject *from, uint64_t seed, Row *row)
{
    uint64_t a[N_INTS] = {0};
    if (from == NULL || !PyTuple_Check(from) || PyTuple_Size(from) != R_SIZE) return bad("a row has 8 entries");
    static const int places[R_INTS] = {A_DTYPE, A_PTR, A_N, A_BASE, A_BYTES, A_START};
    static const Py_buffer one_run = {0};
    for (int i = 0; i < R_INTS; i++) {
        a[places[i]] = PyLong_AsUnsignedLongLong(PyTuple_GetItem(from, i));
        if (a[places[i]] == (uint64_t)-1 && PyErr_Occurred()) return -1;
    }
    if (a[A_DTYPE] >= N_DTYPES) return bad("no such dtype");
    memset(&row->job, 0, sizeof row->job);
    row->job.dtype = (int)a[A_DTYPE];
    row->out = (char *)(uintptr_t)a[A_PTR];
    row->n = a[A_N];
    row->start = a[A_START];
    if (check_memory(a, item_size[row->job.dtype]) || check_runs(a, &one_run)) return -1;
    if (read_spec(PyTuple_GetItem(from, R_SPEC), &row->job)) return -1;
    return row->job.op == CONSTANT ? 0 : name_key(PyTuple_GetItem(from, R_NAME), seed, &row->job);
}

static void fill_rows(Fill fill, const Row *rows, Py_ssize_t count)
{
    for (const Row *row = rows; row < rows + count; row++) {
        fill_run(fill, row->out, row->start, row->n, &row->job);
    }
}

/* All rows are read and checked before the first is written. */
static int read_and_fill(Fill fill, uint64_t seed, PyObject *from, Row *rows)
{
    const Py_ssize_t count = PyTuple_Size(from);
    uint64_t total = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (read_row(PyTuple_GetItem(from, i), seed, &rows[i])) return -1;
        total += rows[i].n;
    }
    if (total < GIL_FREE) {
        fill_rows(fill, rows, count);
        return 0;
    }
    Py_BEGIN_ALLOW_THREADS
    fill_rows(fill, rows, count);
    Py_END_ALLOW_THREADS
    return 0;
}

static PyObject *py_fill_many(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    (void)self;
    if (nargs != 3 || !PyList_Check(args[2])) return bad("fill_many takes path, seed, a list"), NULL;
    const uint64_t path = PyLong_AsUnsignedLongLong(args[0]);
    const uint64_t seed = PyLong_AsUnsignedLongLongMask(args[1]);
    if (PyErr_Occurred()) return NULL;
    const Fill fill = path < N_PATHS ? path_fill((int)path) : NULL;
    if (fill == NULL) return bad("no such path here"), NULL;
    if (!table_loaded) return bad("no table has been loaded"), NULL;
    PyObject *from = PyList_AsTuple(args[2]); /* which no other thread can change meanwhile */
    if (from == NULL) return NULL;
    Row *rows = PyMem_Malloc(((size_t)PyTuple_Size(from) + 1) * sizeof *rows);
    if (rows == NULL) return Py_DECREF(from), PyErr_NoMemory();
    const int wrong = read_and_fill(fill, seed, from, rows);
    PyMem_Free(rows);
    Py_DECREF(from);
    if (wrong) return NULL;
    Py_RETURN_NONE;
}

/* ---- sums ------------------------------------------------------------------------------------- */

static void sum_runs(Sum sum, uint64_t *sums, const uint64_t *a, const Py_buffer *runs)
{
    const char *data = (const char *)(uintptr_t)a[A_PTR];
    const int64_t *pairs = runs->buf;
    if (runs->obj == NULL) {
        sum(sums, data, a[A_START], a[A_N]);
        return;
    }
    for (Py_ssize_t r = 0; r < runs->len / 16; r++) {
        sum(sums, data, (uint64_t)pairs[2 * r], (uint64_t)pairs[2 * r + 1]);
        data += pairs[2 * r + 1];
    }
}

static PyObject *py_sums(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    static const int places[] = {A_PATH, A_PTR, A_N, A_BASE, A_BYTES, A_START};
    enum { N_PLACES = sizeof places / sizeof *places };
    uint64_t a[N_INTS] = {0}, sums[SUMS] = {0};
    Py_buffer runs = {0};
    (void)self;
    if (nargs != N_PLACES + 1) return bad("sums takes 7 arguments"), NULL;
    for (int i = 0; i < N_PLACES; i++) {
        a[places[i]] = PyLong_AsUnsignedLongLong(args[i]);
        if (a[places[i]] == (uint64_t)-1 && PyErr_Occurred()) return NULL;
    }
    const Sum sum = a[A_PATH] < N_PATHS ? path_sum((int)a[A_PATH]) : NULL;
    if (sum == NULL) return bad("no such path here"), NULL;
    if (check_memory(a, 1) || read_runs(args[N_PLACES], &runs)) return NULL;
    const int wrong = check_runs(a, &runs);
    if (!wrong) {
        Py_BEGIN_ALLOW_THREADS
        sum_runs(sum, sums, a, &runs);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&runs);
    if (wrong) return NULL;
    return Py_BuildValue("(KKKK)", (unsigned long long)sums[0], (unsigned long long)sums[1],
        (unsigned long long)sums[2], (unsigned long long)sums[3]);
}

static PyObject *py_load_table(PyObject *self, PyObject *data)
{
    char *raw;
    Py_ssize_t length;
    (void)self;
    if (PyBytes_AsStringAndSize(data, &raw, &length)) return NULL;
    if (length != 8 * TABLE) return bad("the table has 65536 bytes"), NULL;
    load_table(raw);
    make_sum_keys();
    table_loaded = 1;
    Py_RETURN_NONE;
}

static PyObject *py_has_path(PyObject *self, PyObject *number)
{
    const long path = PyLong_AsLong(number);
    (void)self;
    if (path == -1 && PyErr_Occurred()) return NULL;
    return PyBool_FromLong(path >= 0 && path < N_PATHS && path_fill((int)path) != NULL);
}

static PyMethodDef methods[] = {
    {"fill", (PyCFunction)(void (*)(void))py_fill, METH_FASTCALL,
     "fill(path, dtype, ptr, n, base, nbytes, start, runs, key, spec)"},
    {"fill_many", (PyCFunction)(void (*)(void))py_fill_many, METH_FASTCALL,
     "fill_many(path, seed, [(dtype, ptr, n, base, nbytes, start, name, spec), ...])"},
    {"sums", (PyCFunction)(void (*)(void))py_sums, METH_FASTCALL,
     "sums(path, ptr, n, base, nbytes, start, runs), all in bytes"},
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
    PyObject *made = PyModule_Create(&module);
#ifdef Py_GIL_DISABLED
    /* Safe without the GIL: calls share the table alone, which native.py loads before the first of
       them and nothing writes after that, and hold references to all else that they read. */
    if (made != NULL && PyUnstable_Module_SetGIL(made, Py_MOD_GIL_NOT_USED)) Py_CLEAR(made);
#endif
    return made;
}
