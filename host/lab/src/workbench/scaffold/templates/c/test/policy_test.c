// Unit tests, on your own machine and with its debugger:
//
//     cc -std=c11 -Wall -g -o build-test test/policy_test.c src/policy.c src/wastegate.c && ./build-test
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "../src/wastegate.h"

#define ROWS_MAX 64

// Asks the policy about so many managers, of whom only the idle times are known.
static uint32_t ranked(const double *idle, uint32_t rows, wg_choice *choices) {
    wg_column columns[] = {{idle, rows}};
    wg_call call = {.tier = WG_FORCE, .scope = WG_USER, .needed = 1, .limit = rows, .held = rows};
    assert(MANIFEST.signals_count == WG_COUNT(columns));
    return wg_rank(&call, columns, rows, choices, rows);
}

static void the_longest_idle_goes_first_and_the_unknown_last(void) {
    double idle[] = {10, NAN, 30, 20};
    uint32_t expected[] = {2, 3, 0, 1};
    wg_choice choices[ROWS_MAX];
    assert(ranked(idle, 4, choices) == 4);
    for (uint32_t i = 0; i < 4; i++) assert(choices[i].manager == expected[i]);
    assert(choices[0].score == 30 && choices[3].score == 0);
}

static void equals_stay_as_they_were(void) {
    double idle[] = {5, 5, 5};
    wg_choice choices[ROWS_MAX];
    assert(ranked(idle, 3, choices) == 3);
    for (uint32_t i = 0; i < 3; i++) assert(choices[i].manager == i);
}

int main(void) {
    the_longest_idle_goes_first_and_the_unknown_last();
    equals_stay_as_they_were();
    puts("2 passed");
    return 0;
}
