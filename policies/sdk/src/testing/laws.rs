//! The rules that the host checks when it loads a policy, checked natively.

use super::made_up;
use crate::testing::Fixture;
use crate::{Choice, Policy, Scope, Signal, Tier, random};

/// Enough rows for every helper to take its large path.
const ROWS: [u32; 6] = [0, 1, 2, 20, 300, 10_000];

const TIERS: [Tier; 5] = [
    Tier::Proactive,
    Tier::Conservative,
    Tier::Moderate,
    Tier::Aggressive,
    Tier::Force,
];

/// Holds a policy to the host's rules on made-up calls.
///
/// For every scope it declares, at every tier, with 0 to 10,000 rows: it names only rows that
/// exist, each at most once, with a score that is a number and a declared reason; it answers the
/// same when asked again, when the rows come in another order and when the clock reads otherwise;
/// and it bears unknown values, up to knowing nothing, and every parameter at both ends of its
/// range.
///
/// ```
/// # use wastegate_policy::prelude::*;
/// # manifest! {
/// #     name: "doc", version: "1.0.0", summary: "Doc.", scopes: [User],
/// #     signals: { IDLE: IdleMs }, parameters: {}, reasons: { IDLING: "idle" },
/// # }
/// # struct MyPolicy;
/// # impl Policy for MyPolicy {
/// #     const MANIFEST: Manifest = MANIFEST;
/// #     fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
/// #         Ok(top_k(rows, call.enough(rows), |row| Some(Bid::new([row.value(IDLE)], IDLING))))
/// #     }
/// # }
/// wastegate_policy::testing::check_laws::<MyPolicy>();
/// ```
///
/// # Panics
///
/// With a sentence that names the rule, if the policy breaks one, and if it answers with an error
/// while its parameters are at their defaults.
#[track_caller]
pub fn check_laws<P: Policy>() {
    let _ = P::MANIFEST.checked();
    for &scope in P::MANIFEST.scopes {
        for rows in ROWS {
            for (seed, tier) in (u64::from(rows)..).zip(TIERS) {
                let call = made_up::call(scope, tier, rows, seed);
                let answer = lawful::<P>(&call, rows);
                same_again::<P>(&call, &answer);
                same_reordered::<P>(&call, rows, seed, &answer);
                same_later::<P>(&call, &answer);
            }
            bears_the_unknown::<P>(scope, rows);
        }
        bears_its_parameters::<P>(scope);
    }
}

#[track_caller]
fn lawful<P: Policy>(call: &Fixture, rows: u32) -> Vec<Choice> {
    match call.rank::<P>() {
        Ok(choices) => {
            well_formed::<P>(&choices, rows);
            choices
        }
        Err(error) => panic!("{} answered with an error: {error}", P::MANIFEST.name),
    }
}

#[track_caller]
fn well_formed<P: Policy>(choices: &[Choice], rows: u32) {
    let mut chosen = vec![false; rows as usize];
    for &Choice { row, score, reason } in choices {
        let Some(chosen) = chosen.get_mut(row as usize) else {
            panic!("row {row} was chosen and there are {rows}");
        };
        assert!(!*chosen, "row {row} was chosen twice");
        *chosen = true;
        assert!(!score.is_nan(), "the score of row {row} is NaN");
        let reasons = P::MANIFEST.reasons.len();
        assert!(
            usize::from(reason.index()) < reasons,
            "row {row} has an undeclared reason"
        );
    }
}

#[track_caller]
fn same_again<P: Policy>(call: &Fixture, answer: &[Choice]) {
    let again = call.rank::<P>();
    assert_eq!(
        again.as_deref(),
        Ok(answer),
        "the same call was answered differently"
    );
}

#[track_caller]
fn same_reordered<P: Policy>(call: &Fixture, rows: u32, seed: u64, answer: &[Choice]) {
    let mut order: Vec<u32> = (0..rows).collect();
    order.sort_by_key(|&row| random::mix(!seed, u64::from(row)));
    let mut mapped = call.reordered(&order).rank::<P>().unwrap_or_default();
    for choice in &mut mapped {
        choice.row = order.get(choice.row as usize).copied().unwrap_or(u32::MAX);
    }
    assert_eq!(
        mapped, answer,
        "the same managers in another order were ranked differently: break ties by a signal that \
         tells managers apart, such as idle-ms, and leave row numbers alone"
    );
}

#[track_caller]
fn same_later<P: Policy>(call: &Fixture, answer: &[Choice]) {
    for now_ms in [0, 86_400_000_123, u64::MAX] {
        let later = call.clone().now_ms(now_ms).rank::<P>();
        assert_eq!(
            later.as_deref(),
            Ok(answer),
            "the answer depends on the clock"
        );
    }
}

#[track_caller]
fn bears_the_unknown<P: Policy>(scope: Scope, rows: u32) {
    let mut blank = made_up::call(scope, Tier::Force, 0, 1);
    for _ in 0..rows {
        blank = blank.row(&[]);
    }
    lawful::<P>(&blank, rows);
    for strange in [f64::INFINITY, f64::NEG_INFINITY, -1.0, f64::MAX, 0.0] {
        let mut fixture = made_up::call(scope, Tier::Force, 0, 1);
        for _ in 0..rows.min(20) {
            fixture = fixture.row(
                &Signal::ALL
                    .iter()
                    .map(|&s| (s, strange))
                    .collect::<Vec<_>>(),
            );
        }
        lawful::<P>(&fixture, rows.min(20));
    }
}

/// At an end of its range a parameter may contradict another one, so an error is an answer here.
#[track_caller]
fn bears_its_parameters<P: Policy>(scope: Scope) {
    for parameter in P::MANIFEST.parameters {
        for value in [parameter.min, parameter.max] {
            let call = made_up::call(scope, Tier::Force, 20, 1).param(parameter.name, value);
            well_formed::<P>(&call.rank::<P>().unwrap_or_default(), 20);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    manifest! {
        name: "subject",
        version: "1.0.0",
        summary: "Breaks a rule.",
        scopes: [User, Node],
        signals: { IDLE: IdleMs },
        parameters: {},
        reasons: { BROKEN: "broken" },
    }

    macro_rules! breaks {
        ($test:ident, $says:literal, |$call:ident, $rows:ident| $rank:block) => {
            #[test]
            #[should_panic(expected = $says)]
            fn $test() {
                struct Subject;
                impl Policy for Subject {
                    const MANIFEST: Manifest = MANIFEST;
                    fn rank($call: &Call, $rows: &Rows<'_>) -> Result<Vec<Choice>, String> $rank
                }
                check_laws::<Subject>();
            }
        };
    }

    fn choice(row: u32) -> Choice {
        Choice {
            row,
            score: 0.0,
            reason: BROKEN,
        }
    }

    breaks!(
        a_row_that_is_not,
        "row 7 was chosen and there are 0",
        |_call, _rows| { Ok(vec![choice(7)]) }
    );
    breaks!(a_row_twice, "row 0 was chosen twice", |_call, rows| {
        Ok(rows.iter().flat_map(|_| [choice(0), choice(0)]).collect())
    });
    breaks!(
        a_score_that_is_none,
        "the score of row 0 is NaN",
        |_call, rows| {
            Ok(rows
                .iter()
                .map(|row| Choice {
                    score: f64::NAN,
                    ..choice(row.index())
                })
                .collect())
        }
    );
    breaks!(
        an_undeclared_reason,
        "row 0 has an undeclared reason",
        |_call, rows| {
            let reason = crate::Reason::at(1);
            Ok(rows
                .iter()
                .map(|row| Choice {
                    reason,
                    ..choice(row.index())
                })
                .collect())
        }
    );
    breaks!(
        going_by_position,
        "in another order were ranked differently",
        |_call, rows| { Ok(rows.iter().map(|row| choice(row.index())).collect()) }
    );
    breaks!(going_by_the_clock, "depends on the clock", |call, rows| {
        let sign = if call.now_ms.is_multiple_of(2) {
            1.0
        } else {
            -1.0
        };
        Ok(top_k(rows, rows.len(), |row| {
            Some(Bid::new([sign * row.get(IDLE)?], BROKEN))
        }))
    });
    breaks!(
        giving_up,
        "answered with an error: cannot",
        |_call, _rows| { Err("cannot".to_owned()) }
    );

    #[test]
    fn an_honest_policy_passes() {
        struct Honest;
        impl Policy for Honest {
            const MANIFEST: Manifest = MANIFEST;
            fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
                log(Level::Debug, "ranking");
                Ok(top_k(rows, call.enough(rows), |row| {
                    Some(Bid::new([row.value(IDLE)], BROKEN))
                }))
            }
        }
        check_laws::<Honest>();
        let logged = crate::testing::take_log();
        assert_eq!(logged.first(), Some(&(Level::Debug, "ranking".to_owned())));
    }
}
