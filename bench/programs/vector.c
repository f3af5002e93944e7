// Loops that a compiler vectorises: saxpy, dot products, byte comparison and absolute differences, a 4x4 matrix product.
#include "bench.h"

#define N 4096
static float xs[N], ys[N];
static uint8_t as[N], bs[N];
static float ms[16], vs[N];

__attribute__((noinline)) static void saxpy(float a, const float *restrict x, float *restrict y)
{
    for (int i = 0; i < N; i++)
        y[i] = a * x[i] + y[i] * 0.5f;
}

__attribute__((noinline)) static uint64_t differences(const uint8_t *restrict a, const uint8_t *restrict b)
{
    uint32_t sum = 0;
    for (int i = 0; i < N; i++)
        sum += a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
    return sum;
}

__attribute__((noinline)) static void mix(uint8_t *restrict a, const uint8_t *restrict b)
{
    for (int i = 0; i < N; i++)
        a[i] = (uint8_t)((a[i] + b[i] + 1) >> 1) ^ b[i];
}

__attribute__((noinline)) static void transform(const float *restrict m, float *restrict v)
{
    for (int i = 0; i < N; i += 4) {
        float r[4];
        for (int k = 0; k < 4; k++)
            r[k] = m[k] * v[i] + m[k + 4] * v[i + 1] + m[k + 8] * v[i + 2] + m[k + 12] * v[i + 3];
        for (int k = 0; k < 4; k++)
            v[i + k] = r[k];
    }
}

static uint64_t work(void)
{
    for (int i = 0; i < N; i++) {
        xs[i] = (float)(next_random() >> 40) / 65536;
        vs[i] = ys[i] = (float)(next_random() >> 40) / 65536;
        as[i] = (uint8_t)next_random();
        bs[i] = (uint8_t)next_random();
    }
    for (int i = 0; i < 16; i++)
        ms[i] = (float)(next_random() >> 40) / (1 << 24) / 2;
    uint64_t sum = 0;
    for (int round = 0; round < 40000; round++) {
        saxpy(0.25f, xs, ys);
        sum += differences(as, bs);
        mix(as, bs);
        transform(ms, vs);
    }
    for (int i = 0; i < N; i++) {
        uint32_t y, v;
        memcpy(&y, &ys[i], 4);
        memcpy(&v, &vs[i], 4);
        sum = sum * 31 + y + v + as[i];
    }
    return sum;
}

BENCH("vector")
