//! D6: one trial after the cool-down, success closes after n, failure re-opens, refused tries do not
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

fn call(breaker: &mut Breaker, now: Timestamp, fault: bool) -> Admission {
    let admission = breaker.admit(now);
    if admission != Admission::Refused {
        breaker.record(admission, fault, now);
    }
    admission
}

/// Opened by three faults in the first second.
fn opened() -> Breaker {
    let mut breaker = breaker();
    for _ in 0..3 {
        assert_eq!(call(&mut breaker, at(0), FAULT), Admission::Ordinary);
    }
    assert_eq!(breaker.standing(at(0)), Standing::Open);
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
    assert_eq!(breaker.standing(at(1)), Standing::Closed);
    opened();
}

#[test]
fn refused_tries_do_not_move_the_end_of_the_cool_down() {
    let mut breaker = opened();
    for second in 0..60 {
        assert_eq!(breaker.admit(at(second)), Admission::Refused);
    }
    assert_eq!(breaker.admit(at(60)), Admission::Trial);
}

#[test]
fn exactly_one_trial_runs_at_a_time_and_enough_of_them_close_it() {
    let mut breaker = opened();
    for _ in 0..3 {
        assert_eq!(breaker.standing(at(60)), Standing::HalfOpen);
        assert_eq!(breaker.admit(at(60)), Admission::Trial);
        assert_eq!(breaker.admit(at(60)), Admission::Refused);
        breaker.record(Admission::Trial, FINE, at(60));
    }
    assert_eq!(breaker.standing(at(60)), Standing::Closed);
    // What went wrong before is forgotten.
    call(&mut breaker, at(60), FAULT);
    call(&mut breaker, at(60), FAULT);
    assert_eq!(breaker.standing(at(60)), Standing::Closed);
}

#[test]
fn a_failed_trial_starts_the_cool_down_anew() {
    let mut breaker = opened();
    assert_eq!(call(&mut breaker, at(60), FINE), Admission::Trial);
    assert_eq!(call(&mut breaker, at(61), FAULT), Admission::Trial);
    assert_eq!(breaker.admit(at(120)), Admission::Refused);
    assert_eq!(breaker.admit(at(121)), Admission::Trial);
}

#[test]
fn an_abandoned_trial_makes_room_for_the_next() {
    let mut breaker = opened();
    let trial = breaker.admit(at(60));
    breaker.abandon(trial);
    assert_eq!(breaker.admit(at(60)), Admission::Trial);
}

#[test]
fn a_call_from_before_it_opened_decides_nothing_afterwards() {
    let mut breaker = breaker();
    let slow = breaker.admit(at(0));
    for _ in 0..3 {
        call(&mut breaker, at(0), FAULT);
    }
    breaker.record(slow, FINE, at(1));
    assert_eq!(breaker.standing(at(1)), Standing::Open);
    let mut breaker = opened();
    let _trial = breaker.admit(at(60));
    breaker.record(Admission::Ordinary, FAULT, at(60));
    assert_eq!(breaker.standing(at(60)), Standing::HalfOpen);
}

/// Fails every 50th call, never twice in a row, a call every 100 ms.
#[test]
fn a_rate_of_faults_opens_it_once_there_are_enough_calls() {
    let mut breaker = breaker();
    let opened_at = (0..1_000_u64).find(|&call_no| {
        let now = Timestamp::from_millis(call_no * 100);
        call(&mut breaker, now, call_no % 50 == 0);
        breaker.standing(now) == Standing::Open
    });
    assert_eq!(opened_at, Some(199));
}

/// Failure mode 23: ten faults among hours of good calls opened a breaker that never forgot.
#[test]
fn faults_leave_the_window_and_are_forgotten() {
    let mut breaker = breaker();
    for call_no in 0..36_000_u64 {
        let now = at(call_no);
        assert_ne!(
            call(&mut breaker, now, call_no % 40 == 0),
            Admission::Refused
        );
    }
    assert_eq!(breaker.standing(at(36_000)), Standing::Closed);
}
