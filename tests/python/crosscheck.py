"""Holds our statistics against other people's packages. For developers; no test needs it.

    python3 -m venv /tmp/crosscheck
    /tmp/crosscheck/bin/pip install numpy scipy statsmodels growthbook
    cargo run --quiet -p wastegate-cli --example statistics | /tmp/crosscheck/bin/python tests/python/crosscheck.py

Prints a line for each number and ends with 1 if one differs.
"""

import json
import sys

import numpy as np
import statsmodels.api as sm
from growthbook.core import gbhash
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower, TTestIndPower
from statsmodels.stats.proportion import proportion_confint, proportion_effectsize

A = [(1, 3), (0, 1), (1, 2), (2, 5), (0, 1), (0, 4), (0, 2), (1, 1)]
B = [(0, 2), (0, 1), (0, 3), (1, 6), (0, 1), (1, 4), (0, 2), (0, 1)]
ours = json.load(sys.stdin)
wrong = []


def same(name, found, expected, tolerance=1e-7):
    for at, (one, other) in enumerate(zip(np.atleast_1d(found), np.atleast_1d(expected), strict=True)):
        agree = abs(one - other) <= tolerance * max(1.0, abs(other))
        print("ok   " if agree else "WRONG", f"{name}[{at}]", one, other)
        if not agree:
            wrong.append(name)


# The ratio's difference: the delta method as a cluster-robust regression, a row for each eviction.
rows = [(arm, user, i < y) for arm, users in ((0, A), (1, B)) for user, (y, x) in enumerate(users) for i in range(x)]
y = np.array([row[2] for row in rows], float)
x = np.column_stack([np.ones(len(rows)), [row[0] for row in rows]])
clusters = np.array([row[0] * 100 + row[1] for row in rows])
fit = sm.OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False})
same("difference", ours["difference"]["delta"], fit.params[1])
same("difference.se", ours["difference"]["se"], fit.bse[1] * np.sqrt(8 / 7))
same("difference.p", ours["difference"]["p"], 2 * stats.t.sf(abs(ours["difference"]["t"]), ours["difference"]["df"]))

design = np.array([(1, arm, before) for arm, users in ((0, A), (1, B)) for _, before in users], float)
response = np.array([y for users in (A, B) for y, _ in users], float)
_, effect, theta = np.linalg.lstsq(design, response, rcond=None)[0]
same("cuped.theta", ours["cuped"]["theta"], theta)
same("cuped.delta", ours["cuped"]["difference"]["delta"], effect)

for one, counts in zip(ours["srm"], ([1000, 1200], [900, 950, 1150])):
    chi2, p = stats.chisquare(counts)
    same("srm", [one["chi2"], one["p"]], [chi2, p], 1e-6)
for one, counts in zip(ours["evidence"], ([10, 12], [60, 72])):
    prior = stats.dirichlet_multinomial.logpmf(counts, [50, 50], sum(counts))
    null = stats.multinomial.logpmf(counts, sum(counts), [0.5, 0.5])
    same("evidence", one, np.exp(prior - null), 1e-9)
same("wilson", ours["wilson"], proportion_confint(12, 40, method="wilson"))
same("mcnemar", ours["mcnemar"], mcnemar([[0, 3], [12, 0]], exact=True).pvalue)
p = [0.001, 0.04, 0.03, 0.2]
same("holm", ours["holm"], multipletests(p, method="holm")[1])
same("benjamini_hochberg", ours["benjamini_hochberg"], multipletests(p, method="fdr_bh")[1])
same("users_per_arm_for_t", ours["users_per_arm_for_t"], TTestIndPower().solve_power(0.2, alpha=0.05, power=0.8), 1e-5)
h = proportion_effectsize(0.05, 0.03)
same("users_per_arm_for_shares", ours["users_per_arm_for_shares"], NormalIndPower().solve_power(h, alpha=0.05, power=0.8), 1e-4)
same("kendall", ours["kendall"], stats.kendalltau([1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5]).statistic)
same("places", ours["places"], [gbhash("evict-exp-1", unit, 2) for unit in ("user-0", "user-1", "用户")])
print(f"{len(wrong)} differ")
sys.exit(bool(wrong))
