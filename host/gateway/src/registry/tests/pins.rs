//! Pins stay within their budget, and never lock a user out.

use super::*;

#[tokio::test(start_paused = true)]
async fn pins_are_budgeted() {
    let registry = registry(SlotLimits::default());
    let _permits: Vec<_> = (0..5)
        .map(|number| permit(&registry, "ann", number))
        .collect();
    let minute = Duration::from_secs(60);
    for number in 0..3 {
        registry.pin(&user("ann"), &key(number), minute).unwrap();
    }
    assert_eq!(
        registry.pin(&user("ann"), &key(3), minute),
        Err(PinError::BudgetSpent {
            pinned: 3,
            budget: 3
        })
    );
    assert_eq!(
        registry.pin(&user("ann"), &key(2), minute),
        Ok(()),
        "again is no second pin"
    );
    assert_eq!(
        registry.pin(&user("bob"), &key(0), minute),
        Err(PinError::NoSuchManager)
    );
    tokio::time::advance(minute).await;
    assert_eq!(registry.pin(&user("ann"), &key(3), minute), Ok(()));
    let hour = Duration::from_secs(3_600);
    assert_eq!(
        registry.pin(&user("ann"), &key(3), hour * 2),
        Err(PinError::TooLong(hour))
    );
}

/// Ann holds as many managers as she may: three.
fn three_of_three() -> (Arc<Registry>, Vec<Permit>) {
    let registry = registry(SlotLimits {
        managers_per_user: 3,
        ..SlotLimits::default()
    });
    let permits = (0..3).map(|number| permit(&registry, "ann", number));
    let permits = permits.collect();
    (registry, permits)
}

/// Failure mode 1: pins never take the last slot that could be made free, whatever the limit is when they are set
/// and whatever it becomes.
#[tokio::test(start_paused = true)]
async fn pins_leave_a_slot_that_can_be_made_free() {
    let (registry, _permits) = three_of_three();
    let (ann, minute) = (user("ann"), Duration::from_secs(60));
    registry.pin(&ann, &key(0), minute).unwrap();
    registry.pin(&ann, &key(1), minute / 2).unwrap();
    let (pinned, budget) = (2, 2);
    let spent = Err(PinError::BudgetSpent { pinned, budget });
    assert_eq!(registry.pin(&ann, &key(2), minute), spent);

    let now = registry.surroundings.clock.now();
    let is_pinned = |number| {
        let manager = registry.get(&ann, &key(number)).unwrap();
        manager.hints.is_pinned(now)
    };
    registry.set_limit(&ann, Some(2));
    assert!(is_pinned(0) && is_pinned(1), "nobody needs room yet");
    let full = registry.enter(&ann, &key(9), now);
    assert!(matches!(full, Entrance::UserFull { held: 3, limit: 2 }));
    assert!(is_pinned(0) && !is_pinned(1), "the one with less time left");

    registry.set_limit(&ann, Some(1));
    let _ = registry.enter(&ann, &key(9), now);
    assert!(!is_pinned(0));
    let (pinned, budget) = (0, 0);
    let spent = Err(PinError::BudgetSpent { pinned, budget });
    assert_eq!(registry.pin(&ann, &key(0), minute), spent);
}

/// Where a limit fell, pins of operators outlast those of applications.
#[tokio::test(start_paused = true)]
async fn of_pins_that_are_too_many_those_of_applications_end_first() {
    let (registry, _permits) = three_of_three();
    let (ann, minute) = (user("ann"), Duration::from_secs(60));
    let now = registry.surroundings.clock.now();
    let operator_until = now.after(minute / 2);
    registry.keep_pinned(&ann, &key(0), operator_until).unwrap();
    registry.pin(&ann, &key(1), minute).unwrap();
    registry.set_limit(&ann, Some(2));
    let _ = registry.enter(&ann, &key(9), now);
    let pinned = registry.of(&ann).into_iter();
    let pinned: Vec<_> = pinned
        .filter(|manager| manager.hints.is_pinned(now))
        .collect();
    assert_eq!(pinned.len(), 1);
    assert_eq!(pinned[0].key, key(0));
}
