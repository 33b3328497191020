//! What a user may send, on a clock that is moved by hand.

use super::*;

fn budgets(messages_per_s: u32, bytes_per_s: u64, over: OverBudget) -> (Clock, Budgets) {
    let clock = Clock::manual();
    let config = BudgetConfig {
        messages_per_s,
        bytes_per_s,
        burst: Duration::from_secs(1),
        over,
    };
    (clock.clone(), Budgets::new(config, clock))
}

fn user(number: usize) -> UserId {
    UserId::new(&format!("user-{number}")).unwrap()
}

#[test]
fn without_a_limit_nothing_is_kept() {
    let (_clock, budgets) = budgets(0, 0, OverBudget::Slow);
    assert!(budgets.join(&user(1)).is_none());
    assert_eq!(budgets.users(), 0);
}

#[test]
fn connections_of_a_user_spend_from_one_budget_and_other_users_from_theirs() {
    let (clock, budgets) = budgets(10, 0, OverBudget::Slow);
    let shares: Vec<_> = (0..5).map(|_| budgets.join(&user(1)).unwrap()).collect();
    let other = budgets.join(&user(2)).unwrap();
    for share in &shares {
        share.spend(clock.now(), 2, 1_000_000).unwrap();
        assert_eq!(share.held_for(clock.now()), None, "ten are saved up");
    }
    shares[0].spend(clock.now(), 1, 0).unwrap();
    let held = shares[4].held_for(clock.now()).unwrap();
    assert!((100..=101).contains(&held.as_millis()), "{held:?}");
    other.spend(clock.now(), 10, 0).unwrap();
    assert_eq!(other.held_for(clock.now()), None);
    clock.advance(held);
    assert_eq!(shares[0].held_for(clock.now()), None);
}

/// Over a long time, whatever the clients try: the rate, what was saved up, and one read a connection.
#[test]
fn the_rate_holds_over_time_for_bytes_too() {
    const READ: u64 = 700;
    let (clock, budgets) = budgets(0, 1_000, OverBudget::Slow);
    let shares: Vec<_> = (0..20).map(|_| budgets.join(&user(1)).unwrap()).collect();
    let mut sent = 0;
    for _ in 0..6_000 {
        for share in &shares {
            if share.held_for(clock.now()).is_none() {
                share.spend(clock.now(), 1, READ).unwrap();
                sent += READ;
            }
        }
        clock.advance(Duration::from_millis(10));
    }
    let (rate, saved, reads) = (60 * 1_000, 1_000, 20 * READ);
    assert!(sent <= rate + saved + reads, "{sent}");
    assert!(sent >= rate * 9 / 10, "{sent}");
}

#[test]
fn a_connection_over_it_is_closed_where_that_is_configured() {
    let (clock, budgets) = budgets(2, 0, OverBudget::Close);
    let share = budgets.join(&user(1)).unwrap();
    assert_eq!(share.spend(clock.now(), 2, 0), Ok(()));
    assert_eq!(share.spend(clock.now(), 1, 0), Err(Exceeded));
}

#[test]
fn a_client_that_comes_again_has_its_debt_and_users_are_forgotten_once_it_is_paid() {
    let (clock, budgets) = budgets(10, 0, OverBudget::Slow);
    let share = budgets.join(&user(1)).unwrap();
    share.spend(clock.now(), 30, 0).unwrap();
    drop(share);
    let again = budgets.join(&user(1)).unwrap();
    assert!(again.held_for(clock.now()).is_some(), "from the start");
    drop(again);
    assert_eq!(budgets.users(), 1);
    clock.advance(Duration::from_secs(60));
    drop(budgets.join(&user(2)).unwrap());
    assert_eq!(budgets.users(), 0);
}

#[test]
fn debts_are_bounded() {
    let (clock, budgets) = budgets(10, 0, OverBudget::Slow);
    let kept = budgets.join(&user(0)).unwrap();
    kept.spend(clock.now(), 1_000, 0).unwrap();
    for number in 0..DEBTORS_MAX + 10 {
        let share = budgets.join(&user(number)).unwrap();
        share.spend(clock.now(), 1_000, 0).unwrap();
    }
    assert_eq!(
        budgets.users(),
        DEBTORS_MAX + 1,
        "and the one that is connected"
    );
}

#[cfg(feature = "upstream")]
#[test]
fn reads_are_no_longer_than_the_burst() {
    let read = |messages_per_s, bytes_per_s| {
        let (_clock, budgets) = budgets(messages_per_s, bytes_per_s, OverBudget::Slow);
        budgets.join(&user(1)).unwrap().read_bytes(65_536)
    };
    let most = 65_536;
    for (messages_per_s, bytes_per_s, expected) in [
        (0, 10, 512),
        (0, 4_096, 4_096),
        (0, 1_000_000, most),
        (1, 0, 512),
        (100, 0, 3_200),
        (1_000_000, 0, most),
        (100, 1_000, 1_000),
    ] {
        let bytes = read(messages_per_s, bytes_per_s);
        assert_eq!(bytes, expected, "{messages_per_s} {bytes_per_s}");
    }
}
