// A fast Fourier transform in double precision.
#include "bench.h"

static uint64_t bits(double d)
{
    uint64_t u;
    memcpy(&u, &d, 8);
    return u;
}

static double uniform(void) { return (double)(next_random() >> 11) / 9007199254740992.0; }

static uint64_t work(void)
{
    enum { N = 4096 };
    static double re[N], im[N], c[N / 2], s[N / 2];
    for (int i = 0; i < N / 2; i++) {
        // Of a polynomial: the library's last bit may differ between instruction sets.
        double x = 2.0 * i / N - 0.5, t = x * x;
        c[i] = 1 - t * (4.93 - t * (4.05 - t * 1.33));
        s[i] = x * (3.14 - t * (5.16 - t * 2.55));
    }
    for (int i = 0; i < N; i++)
        re[i] = uniform() - 0.5, im[i] = 0;
    for (int round = 0; round < 120; round++) {
        for (int i = 1, j = 0; i < N; i++) {
            int bit = N >> 1;
            for (; j & bit; bit >>= 1)
                j ^= bit;
            j ^= bit;
            if (i < j) {
                double t = re[i];
                re[i] = re[j], re[j] = t;
                t = im[i], im[i] = im[j], im[j] = t;
            }
        }
        for (int length = 2; length <= N; length *= 2)
            for (int i = 0; i < N; i += length)
                for (int k = 0; k < length / 2; k++) {
                    double wr = c[k * (N / length)], wi = s[k * (N / length)];
                    int a = i + k, b = a + length / 2;
                    double vr = re[b] * wr - im[b] * wi, vi = re[b] * wi + im[b] * wr;
                    re[b] = re[a] - vr, im[b] = im[a] - vi;
                    re[a] += vr, im[a] += vi;
                }
        for (int i = 0; i < N; i++)
            re[i] *= 1.0 / 64, im[i] *= 1.0 / 64;
    }
    return bits(re[17]) ^ bits(im[N - 3]);
}

BENCH("fft")
