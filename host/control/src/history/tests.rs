//! Rings against what happened.

use super::*;

fn rings() -> Rings {
    NodeHistory::new(Clock::manual()).rings.into_inner()
}

fn step(connections: f64, refused: f64) -> PerSeries<f64> {
    PerSeries::of(|series| match series {
        Series::Connections => connections,
        Series::Refused => refused,
        _ => 0.0,
    })
}

#[test]
fn ten_fine_steps_are_a_coarse_one() {
    let mut rings = rings();
    for second in 0..25_u8 {
        rings.end(step(second.into(), 2.0));
    }
    assert_eq!(rings.fine.of(Series::Connections).len(), 25);
    // The last value of a gauge, the sum of what counts.
    assert_eq!(rings.coarse.of(Series::Connections), [9.0, 19.0]);
    assert_eq!(rings.coarse.of(Series::Refused), [20.0, 20.0]);
}

#[test]
fn what_is_unknown_is_not_counted_as_nothing() {
    let mut rings = rings();
    for second in 0..10_u8 {
        let unknown = PerSeries::of(|_| f64::NAN);
        rings.end(if second < 7 { unknown } else { step(1.0, 3.0) });
    }
    assert_eq!(rings.coarse.of(Series::Refused), [9.0]);
    for _ in 0..10 {
        rings.end(PerSeries::of(|_| f64::NAN));
    }
    assert!(rings.coarse.of(Series::Refused)[1].is_nan());
}

#[test]
fn a_ring_keeps_its_last_steps() {
    let mut rings = rings();
    let all = FINE_STEPS + 7;
    for second in 0..all {
        rings.end(step(number(second as u64), 0.0));
    }
    let kept = rings.fine.of(Series::Connections);
    assert_eq!(kept.len(), FINE_STEPS);
    assert_eq!(kept.first(), Some(&7.0));
    assert_eq!(kept.last(), Some(&number(all as u64 - 1)));
}

#[test]
fn every_series_stands_at_its_place() {
    for (place, series) in Series::ALL.into_iter().enumerate() {
        assert_eq!(series as usize, place, "{}", series.name());
    }
}
