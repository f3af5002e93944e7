// A pendulum's motion by the mathematical library: sin, cos, exp, log, pow.
#include "bench.h"
#include <math.h>

static uint64_t work(void)
{
    // Results are rounded, for the same reason.
    double x = 0.3, v = 0, energy = 0;
    for (int step = 0; step < 600000; step++) {
        double t = step * 1e-3;
        v += 1e-3 * (-sin(x) - 0.1 * v + 0.3 * cos(t));
        x += 1e-3 * v;
        energy += exp(-v * v) + log(1 + x * x) + pow(fabs(x) + 0.1, 0.3);
    }
    return (uint64_t)(int64_t)floor(x * 1e4) + (uint64_t)(int64_t)(energy * 1e-2);
}

BENCH("libm")
