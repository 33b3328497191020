//! D6: one trial after the cool-down, success closes after n, failure re-opens, refused calls do not
//! move the time. And the lock-outs that other breakers were seen to cause.

use super::*;

const FAULT: bool = true;
const FINE: bool = false;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn breaker() -> Breaker {
    Breaker::new(BreakerSettings::default())
}

/// A call in earnest; false if it is refused.
fn call(breaker: &mut Breaker, now: Timestamp, fault: bool) -> bool {
    let admitted = breaker.is_closed();
    if admitted {
        breaker.record(Call::Live, fault, now);
    }
    admitted
}

/// A trial; false if none is due.
fn trial(breaker: &mut Breaker, now: Timestamp, fault: bool) -> bool {
    let due = breaker.begin_trial(now);
    if due {
        breaker.record(Call::Trial, fault, now);
    }
    due
}

/// Opened by three faults in the first second.
fn opened() -> Breaker {
    let mut breaker = breaker();
    for _ in 0..3 {
        assert!(call(&mut breaker, at(0), FAULT));
    }
    assert_eq!(breaker.standing(at(0)), BreakerState::Open);
    breaker
}

#[test]
fn faults_in_a_row_open_it_and_a_success_between_does_not() {
    let mut breaker = breaker();
    for _ in 0..20 {
        call(&mut breaker, at(1), FAULT);
        call(&mut breaker, at(1), FAULT);
        call(&mut breaker, at(1), FINE);
    }
    assert_eq!(breaker.standing(at(1)), BreakerState::Closed);
    opened();
}

#[test]
fn refused_calls_do_not_move_the_end_of_the_cool_down() {
    let mut breaker = opened();
    for second in 0..60 {
        assert!(!call(&mut breaker, at(second), FINE));
        assert!(!breaker.begin_trial(at(second)));
    }
    assert!(breaker.begin_trial(at(60)));
}

#[test]
fn exactly_one_trial_runs_at_a_time_and_enough_of_them_close_it() {
    let mut breaker = opened();
    let mut causes = Vec::new();
    for _ in 0..3 {
        assert_eq!(breaker.standing(at(60)), BreakerState::HalfOpen);
        assert!(breaker.begin_trial(at(60)));
        assert!(!breaker.begin_trial(at(60)));
        assert!(!breaker.is_closed(), "no live call meanwhile");
        causes.extend(breaker.record(Call::Trial, FINE, at(60)));
    }
    assert_eq!(causes, [Cause::TrialsPassed(3)]);
    assert_eq!(breaker.standing(at(60)), BreakerState::Closed);
    assert!(!breaker.begin_trial(at(60)), "there is nothing to try");
    // What went wrong before is forgotten.
    call(&mut breaker, at(60), FAULT);
    call(&mut breaker, at(60), FAULT);
    assert_eq!(breaker.standing(at(60)), BreakerState::Closed);
}

#[test]
fn a_failed_trial_starts_the_cool_down_anew() {
    let mut breaker = opened();
    assert!(trial(&mut breaker, at(60), FINE));
    assert!(trial(&mut breaker, at(61), FAULT));
    assert_eq!(breaker.open_until(), Some(at(121)));
    assert!(!breaker.begin_trial(at(120)));
    assert!(breaker.begin_trial(at(121)));
}

#[test]
fn an_abandoned_trial_makes_room_for_the_next() {
    let mut breaker = opened();
    assert!(breaker.begin_trial(at(60)));
    breaker.abandon_trial();
    assert!(breaker.begin_trial(at(60)));
}

#[test]
fn a_call_from_before_it_opened_decides_nothing_afterwards() {
    let mut breaker = opened();
    assert_eq!(breaker.record(Call::Live, FINE, at(1)), None);
    assert_eq!(breaker.standing(at(1)), BreakerState::Open);
    assert!(breaker.begin_trial(at(60)));
    assert_eq!(breaker.record(Call::Live, FAULT, at(60)), None);
    assert_eq!(breaker.standing(at(60)), BreakerState::HalfOpen);
}

/// Fails every 50th call, never twice in a row, a call every 100 ms.
#[test]
fn a_rate_of_faults_opens_it_once_there_are_enough_calls() {
    let mut breaker = breaker();
    let opened_at = (0..1_000_u64).find(|&call_no| {
        let now = Timestamp::from_millis(call_no * 100);
        call(&mut breaker, now, call_no % 50 == 0);
        breaker.standing(now) == BreakerState::Open
    });
    assert_eq!(opened_at, Some(199));
}

/// Failure mode 23: ten faults among hours of good calls opened a breaker that never forgot.
#[test]
fn faults_leave_the_window_and_are_forgotten() {
    let mut breaker = breaker();
    for call_no in 0..36_000_u64 {
        let now = at(call_no);
        assert!(call(&mut breaker, now, call_no % 40 == 0));
    }
    assert_eq!(breaker.standing(at(36_000)), BreakerState::Closed);
}
