// Floating point in double and single precision: bodies under gravity, a matrix product, and a Mandelbrot set.
#include "bench.h"
#include <math.h>

static uint64_t bits(double d)
{
    uint64_t u;
    memcpy(&u, &d, 8);
    return u;
}

static uint64_t bodies(void)
{
    enum { N = 5 };
    double p[N][3], v[N][3], m[N];
    for (int i = 0; i < N; i++) {
        m[i] = 1.0 / (i + 1);
        for (int k = 0; k < 3; k++) {
            p[i][k] = (double)(next_random() % 2000) / 100 - 10;
            v[i][k] = (double)(next_random() % 200) / 100 - 1;
        }
    }
    for (int step = 0; step < 600000; step++) {
        for (int i = 0; i < N; i++) {
            for (int j = i + 1; j < N; j++) {
                double d[3], r2 = 0.01;
                for (int k = 0; k < 3; k++) {
                    d[k] = p[i][k] - p[j][k];
                    r2 += d[k] * d[k];
                }
                double f = 0.001 / (r2 * sqrt(r2));
                for (int k = 0; k < 3; k++) {
                    v[i][k] -= d[k] * m[j] * f;
                    v[j][k] += d[k] * m[i] * f;
                }
            }
        }
        for (int i = 0; i < N; i++)
            for (int k = 0; k < 3; k++)
                p[i][k] += 0.001 * v[i][k];
    }
    uint64_t sum = 0;
    for (int i = 0; i < N; i++)
        sum ^= bits(p[i][0]) + bits(v[i][2]);
    return sum;
}

static uint64_t matrix(void)
{
    enum { N = 200 };
    static double a[N][N], b[N][N], c[N][N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (double)(next_random() % 1000) / 7;
            b[i][j] = (double)(next_random() % 1000) / 11;
        }
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double s = 0;
                for (int k = 0; k < N; k++)
                    s += a[i][k] * b[k][j];
                c[i][j] += s;
            }
    return bits(c[3][5]) ^ bits(c[N - 1][N - 1]);
}

static uint64_t mandelbrot(void)
{
    uint64_t sum = 0;
    for (int y = 0; y < 300; y++)
        for (int x = 0; x < 400; x++) {
            float cr = x / 200.0f - 1.5f, ci = y / 150.0f - 1.0f, r = 0, i = 0;
            int n = 0;
            for (; n < 200 && r * r + i * i < 4; n++) {
                float t = r * r - i * i + cr;
                i = 2 * r * i + ci;
                r = t;
            }
            sum += n;
        }
    return sum;
}

static uint64_t work(void) { return bodies() ^ matrix() ^ mandelbrot(); }

BENCH("float")
