/* The loops of _pass.c for values of type T in vectors V of N lanes, with masks M of their size.
   Included once for each type and each instruction set. */

TARGET static INLINE V NAME(load)(const T *at)
{
    V v;
    memcpy(&v, at, sizeof v);
    return v;
}

TARGET static INLINE V NAME(choose)(M mask, V one, V other)
{
    return (V)(((M)one & mask) | ((M)other & ~mask));
}

/* Count values that are at most `edge`. */
TARGET static uint64_t NAME(at_most)(const T *x, uint64_t n, T edge)
{
    uint64_t i = 0, count = 0;
    const V e = edge - (V){0};
    M a = {0}, b = {0};
    for (; i + 2 * N <= n; i += 2 * N) {
        a -= NAME(load)(x + i) <= e;
        b -= NAME(load)(x + i + N) <= e;
    }
    for (int l = 0; l < N; l++) count += (uint64_t)a[l] + (uint64_t)b[l];
    for (; i < n; i++) count += x[i] <= edge;
    return count;
}

/* Count values on the same side of `edge` as the one `step` before them. */
TARGET static uint64_t NAME(agreeing)(const T *x, uint64_t n, uint64_t step, T edge)
{
    uint64_t i = step, count = 0;
    const V e = edge - (V){0};
    M a = {0};
    for (; i + N <= n; i += N)
        a -= (NAME(load)(x + i) > e) == (NAME(load)(x + i - step) > e);
    for (int l = 0; l < N; l++) count += (uint64_t)a[l];
    for (; i < n; i++) count += (x[i] > edge) == (x[i - step] > edge);
    return count;
}

/* Extremes, sums of y = x - centre and of its squares, and how many are 0, or nearly. */
TARGET static void NAME(sums)(const T *x, uint64_t n, double centre, Sums *found)
{
    uint64_t i = 0;
    const V tiny = (T)TINY - (V){0};
    V low = x[0] - (V){0}, high = low;
    M zeros = {0}, small = {0};
    D c = centre - (D){0}, s[2] = {{0}, {0}}, q[2] = {{0}, {0}};
    for (; i + N <= n; i += N) {
        const V v = NAME(load)(x + i);
        low = NAME(choose)(v < low, v, low);
        high = NAME(choose)(v > high, v, high);
        zeros -= v == 0;
        small -= (v < tiny) & (v > -tiny);
        for (int h = 0; h < N / 4; h++) {
            const D y = NAME(four)(x + i + 4 * h) - c;
            s[h & 1] += y;
            q[h & 1] += y * y;
        }
    }
    s[0] += s[1];
    q[0] += q[1];
    found->low = found->high = (double)x[0];
    found->sum = (s[0][0] + s[0][1]) + (s[0][2] + s[0][3]);
    found->squares = (q[0][0] + q[0][1]) + (q[0][2] + q[0][3]);
    found->zeros = found->small = 0;
    for (int l = 0; l < N; l++) {
        found->low = low[l] < found->low ? low[l] : found->low;
        found->high = high[l] > found->high ? high[l] : found->high;
        found->zeros += (uint64_t)zeros[l];
        found->small += (uint64_t)small[l];
    }
    for (; i < n; i++) {
        const double v = (double)x[i], y = v - centre;
        found->low = v < found->low ? v : found->low;
        found->high = v > found->high ? v : found->high;
        found->sum += y;
        found->squares += y * y;
        found->zeros += x[i] == 0;
        found->small += x[i] < (T)TINY && x[i] > -(T)TINY;
    }
}

/* Write the sum of each row's squares, ((x - mean) / std)^2, and add those of each column. */
TARGET static void NAME(squares)(const T *x, uint64_t rows, uint64_t columns, double mean,
                                 double per_std, double *by_row, double *by_column)
{
    const D m = mean - (D){0}, f = per_std - (D){0};
    for (uint64_t r = 0; r < rows; r++, x += columns) {
        uint64_t i = 0;
        D total = {0};
        for (; i + 4 <= columns; i += 4) {
            D y = (NAME(four)(x + i) - m) * f, sum;
            y *= y;
            total += y;
            memcpy(&sum, by_column + i, sizeof sum);
            sum += y;
            memcpy(by_column + i, &sum, sizeof sum);
        }
        by_row[r] = (total[0] + total[1]) + (total[2] + total[3]);
        for (; i < columns; i++) {
            const double y = ((double)x[i] - mean) * per_std;
            by_row[r] += y * y;
            by_column[i] += y * y;
        }
    }
}

#undef T
#undef V
#undef M
#undef N
#undef NAME
