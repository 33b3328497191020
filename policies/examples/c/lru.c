/*
 * `lru-c`: what its user has left alone for longest goes first.
 *
 * The same policy as `policies/lru`, in C. Score: `idle-ms`, the time since the last user activity,
 * or 0 where that is unknown. It looks at nothing else.
 */

#include "wastegate_policy.h"

static const wg_string signals[] = {WG_STRING("idle-ms")};
static const wg_string reasons[] = {WG_STRING("least recently used")};
static const uint8_t scopes[] = {WG_USER, WG_NODE};

/* Places in the lists above. */
enum { IDLE = 0 };
enum { LEFT_ALONE = 0 };

const wg_manifest wg_manifest_of_this_policy = {
    .name = WG_STRING("lru-c"),
    .version = WG_STRING("1.0.0"),
    .summary = WG_STRING("Evicts the managers that their users have left alone for longest."),
    .signals = WG_LIST(signals),
    .reasons = WG_LIST(reasons),
    .scopes = WG_LIST(scopes),
};

/* A manager in the running. */
typedef struct {
    double idle; /* less than any known where it is unknown */
    uint32_t row;
} entry;

/* The longest idle first; a merge sort from the bottom up. It is stable, so the lower row of equals
 * stays first, and its fuel hardly depends on the order that it meets. Returns whichever of the two
 * buffers the result is in. */
static const entry *sorted(entry *from, entry *into, size_t len) {
    for (size_t width = 1; width < len; width *= 2) {
        for (size_t start = 0; start < len; start += 2 * width) {
            size_t middle = start + width < len ? start + width : len;
            size_t end = start + 2 * width < len ? start + 2 * width : len;
            const entry *left = from + start, *right = from + middle;
            const entry *left_end = from + middle, *right_end = from + end;
            entry *to = into + start;
            while (left < left_end && right < right_end) {
                *to++ = right->idle > left->idle ? *right++ : *left++;
            }
            while (left < left_end) *to++ = *left++;
            while (right < right_end) *to++ = *right++;
        }
        entry *swap = from;
        from = into;
        into = swap;
    }
    return from;
}

wg_answer wg_rank(const wg_call *call, const wg_column *columns, size_t columns_len) {
    if (columns_len != sizeof signals / sizeof signals[0]) {
        return wg_error((wg_string)WG_STRING("one column was expected"));
    }
    const double *idle = columns[IDLE].values;
    size_t len = columns[IDLE].len, enough = wg_enough(call, len);

    entry *entries = WG_ALLOC(entry, len);
    for (size_t row = 0; row < len; row++) {
        double key = wg_known(idle[row]) ? idle[row] : -__builtin_inf();
        entries[row] = (entry){key, (uint32_t)row};
    }
    const entry *best = sorted(entries, WG_ALLOC(entry, len), len);

    wg_choice *choices = WG_ALLOC(wg_choice, enough);
    for (size_t i = 0; i < enough; i++) {
        uint32_t row = best[i].row;
        double score = wg_known(idle[row]) ? idle[row] : 0.0;
        choices[i] = (wg_choice){.manager = row, .score = score, .reason = LEFT_ALONE};
    }
    return wg_choices(choices, enough);
}
