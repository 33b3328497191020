// `{{name}}`: what its user has left alone for longest goes first.
#include "wastegate.h"

// The signals that are read, in the order of their columns.
enum { IDLE, SIGNALS };
static const wg_string signals[SIGNALS] = {[IDLE] = WG_STRING("idle-ms")};

// The reasons that choices refer to.
enum { LEFT_ALONE, REASONS };
static const wg_string reasons[REASONS] = {[LEFT_ALONE] = WG_STRING("least recently used")};

static const uint8_t scopes[] = {WG_USER, WG_NODE};

const wg_manifest MANIFEST = {
    .name = WG_STRING("{{name}}"),
    .version = WG_STRING("0.1.0"),
    .summary = WG_STRING("Evicts the managers that their users have left alone for longest."),
    .signals = signals,
    .signals_count = SIGNALS,
    .parameters = 0,
    .parameters_count = 0,
    .reasons = reasons,
    .reasons_count = REASONS,
    .scopes = scopes,
    .scopes_count = WG_COUNT(scopes),
};

uint32_t wg_rank(const wg_call *call, const wg_column *columns, uint32_t rows,
                 wg_choice *choices, uint32_t enough) {
    (void)call;
    const double *idle = columns[IDLE].values;
    const uint32_t *order = wg_order(idle, rows);
    for (uint32_t i = 0; i < enough; i++) {
        uint32_t row = order[i];
        double score = wg_unknown(idle[row]) ? 0 : idle[row];
        choices[i] = (wg_choice){.manager = row, .score = score, .reason = LEFT_ALONE};
    }
    return enough;
}
