// Numbers become integers and back: a histogram, and sorting in single precision.
#include "bench.h"

static double uniform(void) { return (double)(next_random() >> 11) / 9007199254740992.0; }

static uint64_t work(void)
{
    static uint32_t bin[1000];
    static float value[20000];
    for (int i = 0; i < 8000000; i++) {
        double u = uniform();
        int k = (int)(u * u * 1000);
        bin[k]++;
    }
    uint64_t sum = 0;
    for (int i = 0; i < 1000; i++)
        sum = sum * 31 + bin[i];
    for (int i = 0; i < 20000; i++)
        value[i] = (float)uniform() + (float)(i % 17) * 0.01f;
    for (int gap = 8929; gap > 0; gap = gap * 5 / 11)
        for (int i = gap; i < 20000; i++) {
            float t = value[i];
            int j = i;
            for (; j >= gap && value[j - gap] > t; j -= gap)
                value[j] = value[j - gap];
            value[j] = t;
        }
    for (int i = 0; i < 20000; i += 100)
        sum = sum * 31 + (uint64_t)(value[i] * 65536);
    return sum;
}

BENCH("convert")
