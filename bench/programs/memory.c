// Loads and stores: sorting, a hash table larger than a cache, copying, and strided sums over many pages.
#include "bench.h"

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint64_t work(void)
{
    enum { COUNT = 1 << 20, SLOTS = 1 << 21, BIG = 32 << 20 };
    uint64_t sum = 0;

    uint32_t *numbers = malloc(COUNT * sizeof *numbers);
    for (int i = 0; i < COUNT; i++)
        numbers[i] = next_random();
    qsort(numbers, COUNT, sizeof *numbers, compare);
    for (int i = 0; i < COUNT; i += 1000)
        sum = sum * 31 + numbers[i];

    uint64_t *slots = calloc(SLOTS, sizeof *slots);
    for (int i = 0; i < COUNT; i++) {
        uint64_t key = next_random() | 1;
        uint64_t at = key * 0x9e3779b97f4a7c15u >> 43;
        while (slots[at])
            at = (at + 1) % SLOTS;
        slots[at] = key;
    }
    for (int i = 0; i < SLOTS; i += 7)
        sum ^= slots[i];

    uint8_t *from = malloc(BIG), *to = malloc(BIG);
    memset(from, 0x5a, BIG);
    for (int round = 0; round < 8; round++) {
        from[round * 1000] = round;
        memcpy(to, from, BIG);
        for (size_t i = 0; i < BIG; i += 4096 + 64)
            sum += to[i];
    }
    uint64_t *words = (uint64_t *)to;
    for (int round = 0; round < 4; round++)
        for (size_t i = 0; i < BIG / 8; i++)
            words[i] += i ^ sum;
    for (size_t i = 0; i < BIG / 8; i += 512)
        sum += words[i];
    free(numbers), free(slots), free(from), free(to);
    return sum;
}

BENCH("memory")
