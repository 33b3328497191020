//! Our statistics on fixed data, as JSON: what `tests/python/crosscheck.py` holds against other people's
//! packages.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use serde_json::json;
use wastegate_control::experiment::assign::{HashVersion, place};
use wastegate_core::stats::counts::{MultinomialTest, SampleRatio, mcnemar, wilson};
use wastegate_core::stats::rank::kendall_of_orders;
use wastegate_core::stats::{
    Difference, Estimate, Moments, Observed, Sequence, adjust, multiple, power,
};

/// (regrets, evictions) of each user.
const A: [(f64, f64); 8] = [
    (1.0, 3.0),
    (0.0, 1.0),
    (1.0, 2.0),
    (2.0, 5.0),
    (0.0, 1.0),
    (0.0, 4.0),
    (0.0, 2.0),
    (1.0, 1.0),
];
const B: [(f64, f64); 8] = [
    (0.0, 2.0),
    (0.0, 1.0),
    (0.0, 3.0),
    (1.0, 6.0),
    (0.0, 1.0),
    (1.0, 4.0),
    (0.0, 2.0),
    (0.0, 1.0),
];

fn main() {
    let estimates = [A, B].map(|pairs| Estimate::of(&Moments::of(&pairs)));
    let difference = match estimates {
        [Some(a), Some(b)] => Some(Difference::of(&a, &b, 0.05)),
        _ => None,
    };
    // Sixty times over: nothing is adjusted by few users, and neither number depends on how often.
    let [a, b] = [A, B].map(|users| {
        let user = |(y, before): (f64, f64)| Observed {
            pair: (y, 1.0),
            before: [before, 0.0, 0.0],
        };
        users.map(user).repeat(60)
    });
    let cuped = adjust(&a, &b)
        .map(|it| json!({ "theta": it.theta[0], "difference": { "delta": it.contrast.delta } }));
    let evidence = |counts: [u64; 2]| {
        MultinomialTest::against(&[0.5, 0.5], 100.0).map(|evidence| evidence.ln_e(&counts).exp())
    };
    let p = [0.001, 0.04, 0.03, 0.2];
    let places =
        ["user-0", "user-1", "用户"].map(|unit| place(HashVersion::V2, "evict-exp-1", unit));
    println!(
        "{}",
        json!({
            "difference": difference,
            "cuped": cuped,
            "sequence": Sequence::new(0.05, 5_000.0).map(|s| s.at(-0.163, 0.1045, 16.0)),
            "srm": [SampleRatio::of(&[1_000, 1_200], &[0.5, 0.5]), SampleRatio::of(&[900, 950, 1_150], &[1.0; 3])],
            "evidence": [evidence([10, 12]), evidence([60, 72])],
            "wilson": wilson(12, 40, 0.05),
            "mcnemar": mcnemar(3, 12),
            "holm": multiple::holm(&p),
            "benjamini_hochberg": multiple::benjamini_hochberg(&p),
            "users_per_arm_for_t": power::users_per_arm_for_t(0.2, 0.05, 0.8),
            "users_per_arm_for_shares": power::users_per_arm_for_shares(0.05, 0.03, 0.05, 0.8),
            "kendall": kendall_of_orders(&[1, 2, 3, 4, 5, 6], &[2, 1, 4, 3, 6, 5]),
            "places": places,
        })
    );
}
