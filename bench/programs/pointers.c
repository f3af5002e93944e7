// Dependent loads: walks of a shuffled ring, and a binary tree that is built, searched and torn down.
#include "bench.h"

struct node { struct node *left, *right; uint64_t key; };

static struct node *insert(struct node *root, struct node *n)
{
    struct node **link = &root;
    while (*link)
        link = n->key < (*link)->key ? &(*link)->left : &(*link)->right;
    *link = n;
    return root;
}

static uint64_t work(void)
{
    enum { RING = 1 << 16, NODES = 1 << 17 };
    static struct link { struct link *next; uint64_t value; } ring[RING];
    static uint32_t order[RING];
    for (uint32_t i = 0; i < RING; i++)
        order[i] = i;
    for (uint32_t i = RING - 1; i > 0; i--) {
        uint32_t j = next_random() % (i + 1), t = order[i];
        order[i] = order[j], order[j] = t;
    }
    for (uint32_t i = 0; i < RING; i++) {
        ring[order[i]].next = &ring[order[(i + 1) % RING]];
        ring[order[i]].value = i;
    }
    uint64_t sum = 0;
    struct link *at = ring;
    for (uint64_t i = 0; i < 20000000; i++) {
        sum += at->value ^ i;
        at = at->next;
    }

    struct node *nodes = calloc(NODES, sizeof *nodes), *root = NULL;
    for (int i = 0; i < NODES; i++) {
        nodes[i].key = next_random();
        root = insert(root, &nodes[i]);
    }
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < NODES; i++) {
            uint64_t key = nodes[(i * 40503u) % NODES].key;
            struct node *n = root;
            for (; n->key != key; sum++)
                n = key < n->key ? n->left : n->right;
        }
    }
    free(nodes);
    return sum;
}

BENCH("pointers")
