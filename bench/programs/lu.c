// LU decomposition with pivots, in double precision.
#include "bench.h"
#include <math.h>

static uint64_t bits(double d)
{
    uint64_t u;
    memcpy(&u, &d, 8);
    return u;
}

static double uniform(void) { return (double)(next_random() >> 11) / 9007199254740992.0; }

static uint64_t work(void)
{
    enum { N = 160 };
    static double a[N][N];
    uint64_t sum = 0;
    for (int round = 0; round < 24; round++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                a[i][j] = uniform() + (i == j ? 2 : 0);
        for (int k = 0; k < N; k++) {
            int pivot = k;
            for (int i = k + 1; i < N; i++)
                if (fabs(a[i][k]) > fabs(a[pivot][k]))
                    pivot = i;
            for (int j = 0; j < N && pivot != k; j++) {
                double t = a[k][j];
                a[k][j] = a[pivot][j], a[pivot][j] = t;
            }
            for (int i = k + 1; i < N; i++) {
                double f = a[i][k] /= a[k][k];
                for (int j = k + 1; j < N; j++)
                    a[i][j] -= f * a[k][j];
            }
        }
        sum ^= bits(a[N - 1][N - 1]);
    }
    return sum;
}

BENCH("lu")
