// The contract `wastegate:policy@1.0.0` for C, by hand: types, the allocator, sorting, the log.
// It needs no C library. The contract itself is in `wit/policy.wit`; yours to change is `policy.c`.
#ifndef WASTEGATE_H
#define WASTEGATE_H

#include <stddef.h>
#include <stdint.h>

// ---- what crosses the boundary, laid out as the component model wants it ----

typedef struct { const char *text; uint32_t bytes; } wg_string;
#define WG_STRING(literal) { (literal), sizeof(literal) - 1 }
#define WG_COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum wg_tier { WG_PROACTIVE, WG_CONSERVATIVE, WG_MODERATE, WG_AGGRESSIVE, WG_FORCE };
enum wg_scope { WG_USER, WG_NODE };

typedef struct {
    wg_string name;
    double standard, min, max;  // the default, and the range it lies in
    wg_string doc;
} wg_parameter;

typedef struct {
    wg_string name, version, summary;
    const wg_string *signals;
    uint32_t signals_count;
    const wg_parameter *parameters;
    uint32_t parameters_count;
    const wg_string *reasons;
    uint32_t reasons_count;
    const uint8_t *scopes;
    uint32_t scopes_count;
} wg_manifest;

// One column: a number for each manager, NaN where the host does not know.
typedef struct { const double *values; uint32_t count; } wg_column;

typedef struct {
    uint32_t manager;  // the row, from 0
    double score;      // for the record; must not be NaN
    uint16_t reason;   // one of the manifest's, from 0
} wg_choice;

typedef struct {
    uint8_t tier, scope;
    uint32_t needed, limit, held;
    uint64_t now_ms, seed;
    const double *params;  // in the order of the manifest
    uint32_t params_count;
} wg_call;

// On the machine of a unit test pointers are larger, and nothing is exported or imported.
#ifdef __wasm__
#define WG_EXPORT(name) __attribute__((export_name(name)))
_Static_assert(sizeof(wg_parameter) == 40 && sizeof(wg_manifest) == 56, "as in the contract");
_Static_assert(sizeof(wg_choice) == 24, "as in the contract");
#else
#define WG_EXPORT(name)
#endif

// ---- what a policy writes ----

extern const wg_manifest MANIFEST;

// Puts the best victim first into `choices`, which has room for `enough` of them, and returns how
// many it put there. There are `rows` managers and a column for each signal of the manifest.
uint32_t wg_rank(const wg_call *call, const wg_column *columns, uint32_t rows,
                 wg_choice *choices, uint32_t enough);

// ---- what a policy may use ----

enum wg_level { WG_DEBUG, WG_INFO, WG_WARN, WG_ERROR };

// A unit test has to say what becomes of a line, if the policy logs.
#ifdef __wasm__
__attribute__((import_module("wastegate:policy/log@1.0.0"), import_name("log")))
#endif
void wg_log(uint32_t level, const char *text, uint32_t bytes);

static inline int wg_unknown(double value) { return value != value; }

// Memory for this call: every call has a fresh instance, so nothing is ever given back.
void *wg_take(size_t bytes);

// Puts the rows in order: the largest key first, unknown keys last, and rows with equal keys as they
// were. Returns the rows.
uint32_t *wg_order(const double *keys, uint32_t rows);

#endif
