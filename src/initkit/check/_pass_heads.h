/* The first elements of a tensor, read forwards, from its end or by columns: on which side of a
   middle they lie, and where they rise. */

enum { FORWARDS, REVERSED, BY_COLUMNS, N_WAYS };

typedef struct {
    int count;
    double values[64 * WORDS];
} Head;

/* Read as many of the first elements as `most`, in one of the ways. */
static void read_head(const Chunk *chunk, int way, uint64_t columns, int most, Head *head)
{
    const uint64_t n = chunk->n, count = n < (uint64_t)most ? n : (uint64_t)most;
    const uint64_t rows = n / columns, step = way == FORWARDS ? 1 : way == REVERSED ? -1ull : columns;
    uint64_t at = way == REVERSED ? n - 1 : 0, row = 0;
    head->count = (int)count;
    for (uint64_t k = 0; k < count; k++) {
        if (chunk->dtype == F32) {
            head->values[k] = (double)((const float *)chunk->values)[at];
        } else if (chunk->dtype == F64) {
            head->values[k] = ((const double *)chunk->values)[at];
        } else {
            float wide;
            BEST(widen, (const uint16_t *)chunk->values + at, 1, chunk->dtype == F16, &wide);
            head->values[k] = (double)wide;
        }
        at += step;
        if (way == BY_COLUMNS && ++row % rows == 0) at = row / rows; /* down the next column */
    }
}

/* Read (dtype, ptr, n, base, nbytes) and the columns of a matrix. */
static int read_matrix(PyObject *const *args, PyObject *given, Chunk *chunk, uint64_t *columns)
{
    const long long c = PyLong_AsLongLong(given);
    if (PyErr_Occurred() || read_chunk(args, chunk)) return -1;
    if (c < 1 || chunk->n % (uint64_t)c) return bad("the columns do not fit the values");
    *columns = (uint64_t)c;
    return 0;
}

/* The lower median, by quickselect on a copy. */
static double median(const Head *head)
{
    double x[64 * WORDS];
    int left = 0, right = head->count - 1;
    const int middle = right / 2;
    memcpy(x, head->values, sizeof *x * (size_t)head->count);
    while (left < right) {
        const double pivot = x[(left + right) / 2];
        int i = left - 1, j = right + 1;
        for (;;) { /* what lies up to j is at most the pivot then, and the rest at least */
            while (x[++i] < pivot) {}
            while (x[--j] > pivot) {}
            if (i >= j) break;
            const double swapped = x[i];
            x[i] = x[j];
            x[j] = swapped;
        }
        if (middle <= j)
            right = j;
        else
            left = j + 1;
    }
    return x[middle];
}

/* A bit for each element above a middle; nothing where most lie on one side. */
static PyObject *bits_above(const Head *head, double middle)
{
    uint64_t bits[WORDS] = {0};
    int above = 0;
    for (int k = 0; k < head->count; k++) {
        const int over = head->values[k] > middle;
        above += over;
        bits[k / 64] |= (uint64_t)over << k % 64;
    }
    const int told = 4 * above > head->count && 4 * above < 3 * head->count;
    return PyBytes_FromStringAndSize((char *)bits, told ? sizeof bits : 0);
}

/* sides(dtype, ptr, n, base, nbytes, columns, middle): on which side of the middle the first
   elements lie, then in each way on which side of their own median. All must be finite. */
static PyObject *py_sides(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Chunk chunk = {0};
    Head head;
    uint64_t columns;
    PyObject *rows[1 + N_WAYS] = {NULL}, *result = NULL;
    (void)self;
    if (nargs != 7) return bad("sides takes 7 arguments"), NULL;
    double middle = PyFloat_AsDouble(args[6]);
    if (PyErr_Occurred() || read_matrix(args, args[5], &chunk, &columns)) return NULL;
    int made = 1, way = FORWARDS;
    for (; made && way < N_WAYS; way++) {
        read_head(&chunk, way, columns, 64 * WORDS, &head);
        if (way == FORWARDS) made = (rows[0] = bits_above(&head, middle)) != NULL;
        /* Of few elements all come in each way, and their median is one. */
        if (way == FORWARDS || chunk.n > 64 * WORDS) middle = median(&head);
        made = made && (rows[1 + way] = bits_above(&head, middle)) != NULL;
    }
    if (made) result = PyTuple_Pack(1 + N_WAYS, rows[0], rows[1], rows[2], rows[3]);
    for (way = 0; way <= N_WAYS; way++) Py_XDECREF(rows[way]);
    return result;
}

/* rises(dtype, ptr, n, base, nbytes, columns, transposed): a bit for each of the first elements but
   one that rises to the next as the first that moves does, or None where hardly any moves. */
static PyObject *py_rises(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Chunk chunk = {0};
    Head head;
    uint64_t columns;
    (void)self;
    if (nargs != 7) return bad("rises takes 7 arguments"), NULL;
    const int transposed = PyObject_IsTrue(args[6]);
    if (transposed < 0 || read_matrix(args, args[5], &chunk, &columns)) return NULL;
    read_head(&chunk, transposed ? BY_COLUMNS : FORWARDS, columns, RISES + 1, &head);
    uint64_t up = 0;
    int moving = 0, first = 0;
    for (int k = 0; k + 1 < head.count; k++) {
        const int rises = head.values[k + 1] > head.values[k];
        if (head.values[k + 1] != head.values[k] && !moving++) first = rises;
        up |= (uint64_t)rises << k;
    }
    if (!moving || moving < (head.count - 1 < FEWEST ? head.count - 1 : FEWEST))
        return Py_NewRef(Py_None);
    if (!first) up = ~up & (head.count > RISES ? ~0ull : (1ull << (head.count - 1)) - 1);
    return PyLong_FromUnsignedLongLong(up);
}

/* following(drawn, drawn_lengths, sides, lengths, place, known, plain): the samples whose sides go with
   those that were drawn at a place, each with the number of elements in which they agree. */
static PyObject *py_following(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Py_buffer given[5] = {{0}};
    PyObject *result = NULL;
    Py_ssize_t *which = NULL;
    int *agreeing = NULL, got = 0;
    (void)self;
    if (nargs != 7) return bad("following takes 7 arguments"), NULL;
    const Py_ssize_t place = PyLong_AsSsize_t(args[4]);
    const int plain = PyObject_IsTrue(args[6]);
    if (PyErr_Occurred()) return NULL;
    for (; got < 5; got++)
        if (PyObject_GetBuffer(args[got < 4 ? got : 5], &given[got], PyBUF_SIMPLE)) goto done;
    const Samples all = {given[1].len / 8, given[0].buf, given[2].buf,
                         given[1].buf,     given[3].buf, given[4].buf, plain};
    int fits = place >= 0 && place < all.count;
    for (int b = 0; b < 5; b++) {
        const Py_ssize_t each = b == 4 ? 1 : b % 2 ? 8 : 8 * WORDS;
        fits = fits && given[b].len == each * all.count && (each == 1 || (uintptr_t)given[b].buf % 8 == 0);
    }
    if (!fits || all.drawn_lengths[place] < 1 || all.drawn_lengths[place] > 64 * WORDS) {
        bad("the samples do not fit each other");
        goto done;
    }
    which = malloc(sizeof *which * (size_t)all.count);
    agreeing = malloc(sizeof *agreeing * (size_t)all.count);
    if (which == NULL || agreeing == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    const Py_ssize_t found = BEST(follow, &all, place, which, agreeing);
    result = PyList_New(found);
    for (Py_ssize_t k = 0; result != NULL && k < found; k++) {
        PyObject *pair = Py_BuildValue("(ni)", which[k], agreeing[k]);
        if (pair == NULL || PyList_SetItem(result, k, pair)) Py_CLEAR(result);
    }
done:
    free(which);
    free(agreeing);
    for (int b = 0; b < got; b++) PyBuffer_Release(&given[b]);
    return result;
}
