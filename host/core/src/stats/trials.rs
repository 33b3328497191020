//! Simulated experiments: what the tests and intervals promise, held over many runs.
//!
//! Users are as in the reference simulation: Y ~ Bin(1 + Poisson(1.5), Beta(0.4, 7.6)) regrets among
//! as many evictions. Looks are taken all along, as an operator does who watches a page.

use super::counts::{MultinomialTest, SRM_ALARM, SampleRatio};
use super::moments::Moments;
use super::ratio::{Difference, Estimate};
use super::sequence::{ASYMPTOTIC_USERS_MIN, Sequence};
use super::testing::Uniform;

const LOOK_EVERY: u32 = 100;
const PLANNED: f64 = 2_000.0;

/// One user's (regrets, evictions), each regret with the chance of its user times `harm`.
fn user(uniform: &mut Uniform, harm: f64) -> (f64, f64) {
    let evictions = 1 + poisson(uniform, 1.5);
    let chance = (beta(uniform, 0.4, 7.6) * harm).min(1.0);
    let regrets = (0..evictions).filter(|_| uniform.next() < chance).count();
    (regrets as f64, f64::from(evictions))
}

fn poisson(uniform: &mut Uniform, mean: f64) -> u32 {
    let (limit, mut product, mut count) = ((-mean).exp(), uniform.next(), 0);
    while product > limit {
        product *= uniform.next();
        count += 1;
    }
    count
}

/// Jöhnk's method, which wants nothing but uniform numbers and small parameters; the second one is
/// made of whole exponentials and a fraction.
fn beta(uniform: &mut Uniform, a: f64, b: f64) -> f64 {
    let (x, y) = (gamma(uniform, a), gamma(uniform, b));
    if x + y > 0.0 { x / (x + y) } else { 0.0 }
}

fn gamma(uniform: &mut Uniform, shape: f64) -> f64 {
    let whole: f64 = (0..shape.floor() as u32)
        .map(|_| -uniform.next().max(f64::MIN_POSITIVE).ln())
        .sum();
    let fraction = shape.fract();
    if fraction == 0.0 {
        return whole;
    }
    loop {
        let (x, y) = (
            uniform.next().powf(1.0 / fraction),
            uniform.next().powf(1.0 / (1.0 - fraction)),
        );
        if x + y <= 1.0 && x + y > 0.0 {
            return whole + -uniform.next().max(f64::MIN_POSITIVE).ln() * x / (x + y);
        }
    }
}

/// What one experiment's watcher ever saw.
#[derive(Default)]
struct Seen {
    fixed: bool,
    sequence: bool,
    srm: bool,
    /// At its end, the fixed interval and the sequence hold the truth.
    fixed_holds: bool,
    always_held: bool,
}

/// Runs one experiment and looks all along. `truth` is the real difference.
fn watch(uniform: &mut Uniform, users: u32, harm: f64, share_b: f64, truth: f64) -> Seen {
    let sequence = Sequence::new(0.05, PLANNED).unwrap();
    let mut srm = MultinomialTest::against(&[0.5, 0.5], 100.0).unwrap();
    let (mut a, mut b) = (Moments::default(), Moments::default());
    let mut seen = Seen {
        always_held: true,
        ..Seen::default()
    };
    for number in 1..=users {
        if uniform.next() < share_b {
            let (y, x) = user(uniform, harm);
            b.add(y, x);
        } else {
            let (y, x) = user(uniform, 1.0);
            a.add(y, x);
        }
        if number % LOOK_EVERY != 0 {
            continue;
        }
        seen.srm |= srm.look(&[a.n(), b.n()]) < SRM_ALARM;
        let (Some(ea), Some(eb)) = (Estimate::of(&a), Estimate::of(&b)) else {
            continue;
        };
        let d = Difference::of(&ea, &eb, 0.05);
        seen.fixed |= d.p < 0.05;
        seen.fixed_holds = d.low <= truth && truth <= d.high;
        if a.n().min(b.n()) >= ASYMPTOTIC_USERS_MIN {
            let always = sequence.at(d.delta, d.se, f64::from(number));
            seen.sequence |= always.low > 0.0 || always.high < 0.0;
            seen.always_held &= always.low <= truth && truth <= always.high;
        }
    }
    seen
}

fn rate(runs: &[Seen], of: impl Fn(&Seen) -> bool) -> f64 {
    runs.iter().filter(|seen| of(seen)).count() as f64 / runs.len() as f64
}

/// A thousand A/A experiments with continuous looks: the fixed test cries wolf in a large share of
/// them, the sequence and the sequential sample ratio keep their promise.
#[test]
fn looking_all_the_time_at_nothing() {
    let mut uniform = Uniform(2_026);
    let runs: Vec<Seen> = (0..1_000)
        .map(|_| watch(&mut uniform, 2_000, 1.0, 0.5, 0.0))
        .collect();
    let (fixed, sequence) = (rate(&runs, |s| s.fixed), rate(&runs, |s| s.sequence));
    let srm = rate(&runs, |s| s.srm);
    println!("ever rejected: fixed {fixed}, sequence {sequence}, sample ratio {srm}");
    assert!(fixed > 0.15, "the fixed test is fooled: {fixed}");
    assert!(sequence <= 0.05, "the sequence is not: {sequence}");
    assert!(srm <= 0.003, "nor the sample ratio: {srm}");
    // The last look alone is what the fixed interval promises: 95 %, give or take three errors.
    let covered = rate(&runs, |s| s.fixed_holds);
    assert!((0.929..=0.971).contains(&covered), "{covered}");
}

#[test]
fn a_real_effect_is_found_and_covered() {
    let mut uniform = Uniform(4);
    // A regret in 1 of 20 evictions against 3 of 20.
    let truth = 0.05 * 3.0 - 0.05;
    let runs: Vec<Seen> = (0..200)
        .map(|_| watch(&mut uniform, 4_000, 3.0, 0.5, truth))
        .collect();
    assert!(rate(&runs, |s| s.sequence) > 0.95);
    // Capped chances make the truth a little smaller than that.
    let held = rate(&runs, |s| s.always_held);
    assert!(held > 0.85, "{held}");
}

#[test]
fn a_skewed_assignment_is_found() {
    let mut uniform = Uniform(9);
    let runs: Vec<Seen> = (0..100)
        .map(|_| watch(&mut uniform, 4_000, 1.0, 0.55, 0.0))
        .collect();
    assert!(rate(&runs, |s| s.srm) > 0.9);
    let fixed = SampleRatio::of(&[1_800, 2_200], &[1.0, 1.0]).unwrap();
    assert!(fixed.p < SRM_ALARM);
}
