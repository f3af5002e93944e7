// Calls and returns: recursion, calls through a table of functions, and an interpreter's dispatch.
#include "bench.h"

__attribute__((noinline)) static uint64_t fib(uint64_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

__attribute__((noinline)) static uint64_t ackermann(uint64_t m, uint64_t n)
{
    return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

typedef uint64_t (*operation)(uint64_t, uint64_t);
__attribute__((noinline)) static uint64_t op_add(uint64_t a, uint64_t b) { return a + b; }
__attribute__((noinline)) static uint64_t op_xor(uint64_t a, uint64_t b) { return a ^ b; }
__attribute__((noinline)) static uint64_t op_mix(uint64_t a, uint64_t b) { return (a << 7 | a >> 57) + b; }
__attribute__((noinline)) static uint64_t op_max(uint64_t a, uint64_t b) { return a > b ? a : b - a; }
static operation volatile operations[4] = { op_add, op_xor, op_mix, op_max };

static uint64_t interpret(const uint8_t *code, size_t length, int rounds)
{
    uint64_t a = 1, b = 2;
    for (int r = 0; r < rounds; r++) {
        for (size_t i = 0; i < length; i++) {
            switch (code[i]) {
            case 0: a += b; break;
            case 1: b ^= a; break;
            case 2: a = a << 3 | a >> 61; break;
            case 3: b -= i; break;
            case 4: a = ~a; break;
            case 5: b += a >> 5; break;
            case 6: { uint64_t t = a; a = b; b = t; break; }
            default: a *= 3; break;
            }
        }
    }
    return a ^ b;
}

static uint64_t work(void)
{
    uint64_t sum = fib(36) + ackermann(2, 2000) + ackermann(3, 8);
    for (uint64_t i = 0; i < 40000000; i++)
        sum = operations[(sum ^ i) & 3](sum, i);
    static uint8_t code[4096];
    for (size_t i = 0; i < sizeof code; i++)
        code[i] = next_random() % 8;
    return sum ^ interpret(code, sizeof code, 6000);
}

BENCH("calls")
