//! Pauses, trials, and what a bare connection is worth.

use super::*;

fn refused() -> UpstreamError {
    UpstreamError::Connect(std::io::ErrorKind::ConnectionRefused.into())
}

fn silent() -> UpstreamError {
    UpstreamError::Timeout(AWAY_FIRST)
}

fn member() -> Member {
    Member::new("ws://a".parse().unwrap(), Timestamp::ZERO)
}

fn until(member: &Member, now: Timestamp) -> Duration {
    match member.usable(now) {
        Use::Away { until } => until.since(now),
        other => panic!("{other:?}"),
    }
}

#[test]
fn pauses_grow_with_every_trial_that_fails_and_end_with_one_that_succeeds() {
    let (member, mut now) = (member(), Timestamp::from_millis(5));
    let mut expected = AWAY_FIRST;
    for _ in 0..8 {
        assert!(member.take(now).is_some());
        member.failed(&silent(), now);
        let pause = until(&member, now);
        let jitter = expected / 5;
        assert!(
            pause >= expected - jitter && pause <= expected + jitter,
            "{pause:?}"
        );
        // Others that began before are no news.
        member.failed(&silent(), now);
        assert_eq!(until(&member, now), pause);
        now = now.after(pause);
        expected = (expected * 2).min(AWAY_MAX);
    }
    assert_eq!(member.take(now), Some(true));
    member.succeeded(now);
    assert_eq!(member.usable(now), Use::Open);
    assert_eq!(member.view(now).up, Some(true));
}

#[test]
fn a_trial_is_one_client_and_goes_back_if_that_leaves() {
    let (member, now) = (member(), Timestamp::ZERO);
    member.failed(&silent(), now);
    let later = now.after(AWAY_FIRST * 2);
    assert_eq!(member.take(later), Some(true));
    assert_eq!(member.take(later), None);
    member.give_trial_back(later);
    assert_eq!(member.take(later), Some(true));
}

/// W44: an open port is no reason to send more than one client.
#[test]
fn w44_a_bare_connection_makes_nothing_well() {
    let (member, now) = (member(), Timestamp::ZERO);
    member.looked_at(Ok(()), now);
    assert_eq!(member.view(now).state, "unknown");
    member.failed(&silent(), now);
    assert!(!member.wants_a_look(false));
    member.looked_at(Ok(()), now);
    assert!(matches!(member.usable(now), Use::Away { .. }));
    // What could not even be reached gets its trial, and no more.
    member.failed(&refused(), now);
    assert!(member.wants_a_look(false));
    member.looked_at(Ok(()), now);
    assert_eq!(member.usable(now), Use::Trial);
    assert_eq!(member.view(now).up, Some(false));
}

#[test]
fn a_backend_out_of_reach_costs_no_client_while_it_is_looked_for() {
    let (member, mut now) = (member(), Timestamp::ZERO);
    member.looked_at(Err(refused()), now);
    assert!(!member.is_there(true, now));
    for _ in 0..10 {
        now = now.after(AWAY_FIRST * 2);
        assert!(!member.is_there(true, now));
        member.looked_at(Err(refused()), now);
        assert!(matches!(member.usable(now), Use::Away { .. }));
    }
    assert_eq!(member.view(now).failures, 1);
    member.looked_at(Ok(()), now);
    assert!(member.is_there(true, now));
}

#[test]
fn recent_failures_weigh_like_connections_for_a_while() {
    let (member, now) = (member(), Timestamp::ZERO);
    for _ in 0..8 {
        member.strained(now);
    }
    assert!((member.burden(now) - 8.0).abs() < 0.01);
    assert!((member.burden(now.after(STRAIN_HALVES * 3)) - 1.0).abs() < 0.01);
}
