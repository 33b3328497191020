// The other side of `wastegate.h`: the exports that the host calls. Not yours to change.
#include "wastegate.h"

#define ARENA_BYTES (96 * 1024)
#define PAGE_BYTES 65536

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(16)));
static uintptr_t top, end;

void *wg_take(size_t bytes) {
    if (end == 0) {
        top = (uintptr_t)arena;
        end = top + ARENA_BYTES;
    }
    uintptr_t start = (top + 15) & ~(uintptr_t)15;
    if (bytes > end - start || start > end) {
#ifndef __wasm__
        // A unit test is short: one block after the other, and none given back.
        extern void *malloc(size_t bytes);
        return malloc(bytes);
#else
        size_t pages = bytes / PAGE_BYTES + 1;
        size_t before = __builtin_wasm_memory_grow(0, pages);
        // The host's memory limit: the call ends here, and the host ranks by itself.
        if (before == (size_t)-1) __builtin_trap();
        start = before * PAGE_BYTES;
        end = start + pages * PAGE_BYTES;
#endif
    }
    top = start + bytes;
    return (void *)start;
}

// How the host puts columns into our memory.
WG_EXPORT("cabi_realloc")
void *cabi_realloc(void *old, size_t old_bytes, size_t align, size_t bytes) {
    (void)align;  // every block is aligned to 16, and nothing wants more
    uint8_t *block = wg_take(bytes);
    const uint8_t *from = old;
    for (size_t i = 0; i < old_bytes && i < bytes; i++) block[i] = from[i];
    return block;
}

// Whether row `a` goes before row `b`, which came after it.
static int stays(const double *keys, uint32_t a, uint32_t b) {
    return wg_unknown(keys[b]) || keys[a] >= keys[b];
}

// A merge sort from the bottom up: its fuel grows by n log n, whatever the keys are.
uint32_t *wg_order(const double *keys, uint32_t rows) {
    uint32_t *from = wg_take(rows * sizeof *from), *to = wg_take(rows * sizeof *to);
    for (uint32_t row = 0; row < rows; row++) from[row] = row;
    for (uint32_t width = 1; width < rows; width *= 2) {
        for (uint32_t low = 0; low < rows; low += 2 * width) {
            uint32_t middle = low + width < rows ? low + width : rows;
            uint32_t high = middle + width < rows ? middle + width : rows;
            uint32_t a = low, b = middle;
            for (uint32_t at = low; at < high; at++) {
                int left = b >= high || (a < middle && stays(keys, from[a], from[b]));
                to[at] = left ? from[a++] : from[b++];
            }
        }
        uint32_t *sorted = to;
        to = from;
        from = sorted;
    }
    return from;
}

WG_EXPORT("wastegate:policy/ranker@1.0.0#describe")
const wg_manifest *wg_describe(void) { return &MANIFEST; }

// A list of choices, or a sentence if `failed`.
static struct { uint8_t failed; const void *at; uint32_t count; } answer;

WG_EXPORT("wastegate:policy/ranker@1.0.0#rank")
const void *wg_rank_export(uint32_t tier, uint32_t scope, uint32_t needed, uint32_t limit,
                           uint32_t held, uint64_t now_ms, uint64_t seed, const double *params,
                           uint32_t params_count, const wg_column *columns,
                           uint32_t columns_count) {
    uint32_t rows = columns_count ? columns[0].count : 0;
    // Up to 64 rows all of them; beyond, a quarter more than needed, since the host strikes some.
    uint64_t wanted = (uint64_t)needed + (needed / 4 > 16 ? needed / 4 : 16);
    uint32_t enough = rows <= 64 || wanted > rows ? rows : (uint32_t)wanted;
    wg_call call = {tier, scope, needed, limit, held, now_ms, seed, params, params_count};
    wg_choice *choices = wg_take(enough * sizeof *choices);
    answer.at = choices;
    answer.count = wg_rank(&call, columns, rows, choices, enough);
    return &answer;
}
