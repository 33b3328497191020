//! The alert state machines against the scenarios they come from.

use super::PressureLevel::{Critical, Emergency, Info, Normal, Warning};
use super::*;

fn at(seconds: f64) -> Timestamp {
    Timestamp::ZERO.after(Duration::from_secs_f64(seconds))
}

/// The changes that a series of (second, percent) makes, as (second, from, to).
fn changes(series: &[(f64, f64)]) -> Vec<(f64, PressureLevel, PressureLevel)> {
    let (mut pressure, thresholds) = (Pressure::default(), PressureThresholds::default());
    series
        .iter()
        .filter_map(|&(second, percent)| {
            let change = pressure.observe(&thresholds, at(second), percent / 100.0)?;
            assert_eq!((change.at, change.ratio), (at(second), percent / 100.0));
            assert_eq!(change.to, pressure.level());
            Some((second, change.from, change.to))
        })
        .collect()
}

#[test]
fn m7_each_threshold_is_one_event() {
    let rising: Vec<_> = (0..=100).map(|n| (f64::from(n), f64::from(n))).collect();
    assert_eq!(
        changes(&rising),
        [
            (40.0, Normal, Info),
            (60.0, Info, Warning),
            (80.0, Warning, Critical),
            (90.0, Critical, Emergency)
        ]
    );
}

#[test]
fn m7_a_jump_is_one_event() {
    assert_eq!(
        changes(&[(0.0, 0.0), (1.0, 95.0)]),
        [(1.0, Normal, Emergency)]
    );
}

#[test]
fn m7_a_value_that_swings_around_a_threshold_is_one_event() {
    let swinging: Vec<_> = (0..100)
        .map(|n| (f64::from(n), if n % 2 == 0 { 81.0 } else { 76.0 }))
        .collect();
    assert_eq!(changes(&swinging), [(0.0, Normal, Critical)]);
}

#[test]
fn d12_recovery_is_told_only_after_staying_good() {
    assert_eq!(
        changes(&[(0.0, 85.0), (1.0, 10.0), (10.9, 10.0), (11.0, 10.0)]),
        [(0.0, Normal, Critical), (11.0, Critical, Normal)]
    );
}

#[test]
fn d12_a_relapse_starts_the_wait_again() {
    assert_eq!(
        changes(&[
            (0.0, 85.0),
            (1.0, 10.0),
            (9.0, 80.0),
            (12.0, 10.0),
            (21.9, 10.0),
            (22.0, 10.0)
        ]),
        [(0.0, Normal, Critical), (22.0, Critical, Normal)]
    );
}

#[test]
fn d12_it_falls_to_the_highest_level_touched_meanwhile() {
    assert_eq!(
        changes(&[
            (0.0, 95.0),
            (1.0, 10.0),
            (5.0, 65.0),
            (11.0, 10.0),
            (12.0, 10.0),
            (22.0, 10.0)
        ]),
        [
            (0.0, Normal, Emergency),
            (11.0, Emergency, Warning),
            (22.0, Warning, Normal)
        ]
    );
}

#[test]
fn within_the_margin_a_level_holds() {
    assert_eq!(
        changes(&[(0.0, 90.0), (1.0, 86.0), (60.0, 86.0)]),
        [(0.0, Normal, Emergency)]
    );
}

#[test]
fn an_unknown_value_neither_raises_nor_proves_recovery() {
    assert_eq!(changes(&[(0.0, 95.0), (1.0, 10.0)]).len(), 1, "recovering");
    let (mut pressure, thresholds) = (Pressure::default(), PressureThresholds::default());
    assert!(pressure.observe(&thresholds, at(0.0), 0.95).is_some());
    for (second, ratio) in [(1.0, 0.1), (10.0, f64::NAN), (11.0, 0.1), (20.9, 0.1)] {
        assert_eq!(pressure.observe(&thresholds, at(second), ratio), None);
    }
    assert!(pressure.observe(&thresholds, at(21.0), 0.1).is_some());
}

#[test]
fn m8_latency_over_its_limit_is_raised_once_with_the_measured_value() {
    let mut latency = Alert::over(1_000.0, STABILISE);
    assert_eq!(latency.observe(at(0.0), 1_000.0), None);
    assert_eq!(
        latency.observe(at(1.0), 1_500.0),
        Some(AlertChange {
            at: at(1.0),
            state: AlertState::Raised,
            measured: 1_500.0,
            limit: 1_000.0
        })
    );
    assert_eq!(latency.observe(at(2.0), 1_600.0), None);
}

#[test]
fn m8_memory_over_its_limit_is_raised_once_and_cleared_once() {
    const MB: f64 = 1e6;
    let mut memory = Alert::over(100.0 * MB, STABILISE);
    let raised = memory.observe(at(0.0), 150.0 * MB).unwrap();
    assert_eq!(
        (raised.state, raised.measured),
        (AlertState::Raised, 150.0 * MB)
    );
    assert_eq!(memory.observe(at(1.0), 90.0 * MB), None);
    assert_eq!(memory.state(), AlertState::Raised);
    let cleared = memory.observe(at(11.0), 80.0 * MB).unwrap();
    assert_eq!(
        (cleared.state, cleared.measured),
        (AlertState::Clear, 80.0 * MB)
    );
    assert_eq!(memory.observe(at(30.0), 80.0 * MB), None);
}

#[test]
fn senseless_thresholds_are_refused_by_name() {
    let refused = |levels, margin| match PressureThresholds::new(levels, margin, STABILISE) {
        Err(Error::Threshold { setting, .. }) => setting,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused([0.4, 0.6, 0.6, 0.9], 0.05), "pressure.critical");
    assert_eq!(refused([0.4, f64::NAN, 0.8, 0.9], 0.05), "pressure.warning");
    assert_eq!(refused([0.04, 0.6, 0.8, 0.9], 0.05), "pressure.info");
    assert_eq!(refused([0.4, 0.6, 0.8, 0.9], -0.1), "pressure.margin");
    let same = PressureThresholds::new([0.4, 0.6, 0.8, 0.9], 0.05, STABILISE).unwrap();
    assert_eq!(same, PressureThresholds::default());
}
