/*
 * A wastegate policy in C: the whole ABI of `wit/policy.wit`, written by hand.
 *
 * Include it in exactly one source file, define `wg_manifest_of_this_policy` and `wg_rank`, and
 * build a module for wasm32 without a standard library (see README.md). The host makes a component
 * of the module itself, by the world in `wastegate_policy_world.h`; there is no further tool.
 *
 * Licence: Apache-2.0, as everything of wastegate. Copy both headers into your own project.
 */

#ifndef WASTEGATE_POLICY_H
#define WASTEGATE_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "wastegate_policy_world.h"

/* ---- What a policy says of itself ----------------------------------------------------------- */

/* A text. Not terminated by a zero. */
typedef struct {
    const char *text;
    size_t len;
} wg_string;

#define WG_STRING(literal) { (literal), sizeof(literal) - 1 }

/* A list of anything, by its first element. */
#define WG_LIST(array) { (array), sizeof(array) / sizeof((array)[0]) }

typedef struct {
    const wg_string *items;
    size_t len;
} wg_strings;

/* A number that the operator may set; the host keeps it between `min` and `max`. */
typedef struct {
    wg_string name;
    double initial, min, max;
    wg_string doc;
} wg_parameter;

typedef struct {
    const wg_parameter *items;
    size_t len;
} wg_parameters;

enum { WG_USER = 0, WG_NODE = 1 };

typedef struct {
    const uint8_t *items;
    size_t len;
} wg_scopes;

typedef struct {
    wg_string name;    /* lower case words joined by hyphens */
    wg_string version; /* major.minor.patch */
    wg_string summary; /* one sentence for the operator */
    wg_strings signals; /* the columns it wants, in its order */
    wg_parameters parameters;
    wg_strings reasons; /* at least one */
    wg_scopes scopes;   /* at least one */
} wg_manifest;

/* ---- What it is asked, and what it answers -------------------------------------------------- */

enum { WG_PROACTIVE, WG_CONSERVATIVE, WG_MODERATE, WG_AGGRESSIVE, WG_FORCE };

typedef struct {
    uint32_t tier, scope;
    uint32_t needed, limit, held; /* managers */
    uint64_t now_ms, seed;
    const double *params; /* in the order of the manifest */
    size_t params_len;
} wg_call;

/* One signal of all managers; unknown values are NaN. */
typedef struct {
    const double *values;
    size_t len;
} wg_column;

typedef struct {
    uint32_t manager; /* its row, from 0 */
    double score;     /* kept in the record, compared with nothing */
    uint16_t reason;  /* which of the manifest's, from 0 */
} wg_choice;

/* Choices, best victim first; or an error, which counts as a fault. */
typedef struct {
    uint8_t is_error;
    const void *items;
    size_t len;
} wg_answer;

_Static_assert(sizeof(wg_choice) == 24 && sizeof(wg_answer) == 12, "wasm32 only");

static inline wg_answer wg_choices(const wg_choice *choices, size_t len) {
    return (wg_answer){0, choices, len};
}

static inline wg_answer wg_error(wg_string message) {
    return (wg_answer){1, message.text, message.len};
}

/* ---- What you write ------------------------------------------------------------------------- */

extern const wg_manifest wg_manifest_of_this_policy;

wg_answer wg_rank(const wg_call *call, const wg_column *columns, size_t columns_len);

/* ---- What you may use ----------------------------------------------------------------------- */

enum { WG_DEBUG, WG_INFO, WG_WARN, WG_ERROR };

__attribute__((import_module("wastegate:policy/log@1.0.0"), import_name("log")))
extern void wg_log(uint32_t level, const char *text, size_t len);

static inline int wg_known(double value) { return value == value; }

/* How many choices do: the host strikes some, so a quarter more than it needs, at least 16 more. */
static inline size_t wg_enough(const wg_call *call, size_t rows) {
    size_t needed = call->needed, more = needed / 4;
    size_t enough = needed + (more > 16 ? more : 16);
    return rows <= 64 || enough > rows || enough < needed ? rows : enough;
}

/* Memory for this call; `align` is a power of two. It is never given back: the instance ends with
 * the call. The first part of it is there from the start; large calls grow the memory. */
static void *wg_alloc(size_t bytes, size_t align) {
    static _Alignas(16) uint8_t first[128 * 1024];
    static uintptr_t next, end;
    if (next == 0) {
        next = (uintptr_t)first;
        end = next + sizeof first;
    }
    uintptr_t at = (next + align - 1) & ~(uintptr_t)(align - 1);
    if (at < next || bytes > SIZE_MAX - at) __builtin_trap();
    if (at + bytes > end) {
        size_t page = 64 * 1024, pages = (bytes + align) / page + 1;
        size_t old = __builtin_wasm_memory_grow(0, pages);
        if (old == SIZE_MAX) __builtin_trap();
        if (end != old * page) at = old * page;
        end = (old + pages) * page;
    }
    next = at + bytes;
    return (void *)at;
}

#define WG_ALLOC(type, count) ((type *)wg_alloc(sizeof(type) * (count), _Alignof(type)))

/* ---- The exports, by the canonical ABI of the component model ------------------------------- */

#define WG_EXPORT(name) __attribute__((export_name(name), visibility("default")))

/* The host puts what it passes here. Nothing is ever freed, so `old` stays valid. */
WG_EXPORT("cabi_realloc")
void *wg_cabi_realloc(void *old, size_t old_len, size_t align, size_t len) {
    uint8_t *new = wg_alloc(len, align);
    for (size_t i = 0; i < old_len && i < len; i++) new[i] = ((const uint8_t *)old)[i];
    return new;
}

WG_EXPORT("wastegate:policy/ranker@1.0.0#describe")
const wg_manifest *wg_describe(void) { return &wg_manifest_of_this_policy; }

WG_EXPORT("wastegate:policy/ranker@1.0.0#rank")
const wg_answer *wg_rank_export(
    uint32_t tier, uint32_t scope, uint32_t needed, uint32_t limit, uint32_t held,
    uint64_t now_ms, uint64_t seed, const double *params, size_t params_len,
    const wg_column *columns, size_t columns_len) {
    static wg_answer answer;
    wg_call call = {tier, scope, needed, limit, held, now_ms, seed, params, params_len};
    answer = wg_rank(&call, columns, columns_len);
    return &answer;
}

#endif
