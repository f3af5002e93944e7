// What the compute programs share: each runs once, checks nothing itself, and prints "NAME CHECKSUM SECONDS".
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t random_state = 88172645463325252u;

// xorshift64: the same sequence everywhere.
static inline uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static uint64_t work(void);

#define BENCH(name) \
    int main(void) \
    { \
        double start = now(); \
        uint64_t sum = work(); \
        printf("%s %016llx %.4f\n", name, (unsigned long long)sum, now() - start); \
        return 0; \
    }
