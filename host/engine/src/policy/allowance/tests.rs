//! What a call may take, by weight, limits, scope and rows.

use super::*;
use crate::policy::heavy::HeavyReason;

fn of(limits: &Limits, scope: Scope, rows: u32, columns: usize) -> Allowance {
    let config = Config::default();
    Allowance::of(&config, Weight::Light, limits, scope, rows, columns)
}

#[test]
fn a_limit_out_of_range_is_named_with_what_it_may_be() {
    let config = Config::default();
    let refused =
        |limits: Limits| check(&limits, &config, Weight::Light).map_err(|error| error.to_string());
    assert_eq!(refused(Limits::NODES), Ok(()));
    let most = Limits {
        fuel_base: Some(FUEL_MAX),
        fuel_per_row: Some(0),
        memory_bytes: Some(config.memory_large_bytes_max),
        deadline: Some(config.deadline_large),
    };
    assert_eq!(refused(most), Ok(()));
    let wrong = [
        (
            Limits {
                fuel_base: Some(0),
                ..most
            },
            "the limit `fuel_base` is 0 and must be from 1 to 1000000000000",
        ),
        (
            Limits {
                memory_bytes: Some(1),
                ..most
            },
            "the limit `memory_bytes` is 1 and must be from 65536 to 67108864, which is `policy.memory_large_bytes_max`",
        ),
        (
            Limits {
                deadline: Some(Duration::from_secs(1)),
                ..most
            },
            "the limit `deadline_ms` is 1000 and must be from 1 to 500, which is `policy.deadline_large_ms`",
        ),
    ];
    for (limits, sentence) in wrong {
        assert_eq!(refused(limits).unwrap_err(), sentence);
    }
}

#[test]
fn what_may_take_more_than_an_inline_call_goes_to_the_pool() {
    let config = Config::default();
    let large = |limits: Limits| of(&limits, Scope::User, 20, 6).is_pooled();
    let inline = Limits {
        fuel_base: Some(
            config.fuel_base + config.fuel_per_row * u64::from(config.inline_rows_max)
                - 20 * config.fuel_per_row,
        ),
        fuel_per_row: None,
        memory_bytes: Some(config.memory_user_bytes),
        deadline: Some(config.deadline),
    };
    assert!(!large(inline));
    for more in [
        Limits {
            fuel_base: inline.fuel_base.map(|fuel| fuel + 1),
            ..inline
        },
        Limits {
            memory_bytes: Some(config.memory_user_bytes + 1),
            ..inline
        },
        Limits {
            deadline: Some(config.deadline + Duration::from_millis(1)),
            ..inline
        },
    ] {
        assert!(large(more), "{more:?}");
    }
}

#[test]
fn large_is_node_scope_or_many_rows() {
    let size = |scope, rows| of(&Limits::NODES, scope, rows, 6).size;
    assert_eq!(size(Scope::User, 4_096), Size::Small);
    assert_eq!(size(Scope::User, 4_097), Size::Large);
    assert_eq!(size(Scope::Node, 1), Size::Large);
}

/// Its own fuel, memory, deadline and keys, whatever is asked; and the policy's own limits go first.
#[test]
fn a_heavy_policy_has_the_heavy_allowance() {
    let config = Config::default();
    let heavy = Weight::Heavy(HeavyReason::Stubs);
    let of = |limits: &Limits, rows| Allowance::of(&config, heavy, limits, Scope::User, rows, 6);
    let call = of(&Limits::NODES, 20);
    assert_eq!((call.size, call.fuel), (Size::Heavy, 30_000_000));
    assert_eq!(call.memory_bytes, config.heavy.memory_bytes);
    assert_eq!(call.deadline, config.heavy.deadline);
    assert_eq!(call.keys.fuel_base, "policy.heavy.fuel_base");
    assert_eq!(call.percent(2_592_617), 8);
    let less = Limits {
        fuel_base: Some(5),
        fuel_per_row: Some(1),
        ..Limits::NODES
    };
    assert_eq!(of(&less, 20).fuel, 25);
    let off_path = call.off_path(&config);
    assert_eq!(off_path.deadline, config.heavy.deadline * HEAVY_PATIENCE);
    assert_eq!(
        (off_path.fuel, off_path.patience),
        (call.fuel, call.patience)
    );
}

#[test]
fn a_user_call_has_the_fixed_cap_and_a_large_one_room_for_its_rows() {
    let config = Config::default();
    let rank = |scope, rows, columns| of(&Limits::NODES, scope, rows, columns);
    let user = rank(Scope::User, 20, 6);
    assert_eq!((user.fuel, user.memory_bytes), (60_000, 2 << 20));
    let node = rank(Scope::Node, 100_000, 6);
    assert_eq!(node.memory_bytes, (2 << 20) + 100_000 * (6 * 16 + 128));
    let huge = rank(Scope::Node, u32::MAX, 34);
    assert_eq!(huge.memory_bytes, config.memory_large_bytes_max);
}

#[test]
fn a_policys_own_limits_stand_in_for_the_nodes() {
    let limits = Limits {
        fuel_base: Some(1_000),
        fuel_per_row: Some(10),
        memory_bytes: Some(8 << 20),
        deadline: Some(Duration::from_millis(40)),
    };
    let budget = of(&limits, Scope::User, 20, 6);
    assert_eq!((budget.fuel, budget.memory_bytes), (1_200, 8 << 20));
    assert_eq!(budget.deadline.as_millis(), 40);
    assert_eq!(budget.size, Size::Large, "no small slot has that much");
    let node = of(&limits, Scope::Node, 100_000, 6);
    assert_eq!(node.memory_bytes, (8 << 20) + 100_000 * (6 * 16 + 128));
    let tight = Limits {
        memory_bytes: Some(1 << 20),
        ..Limits::NODES
    };
    let budget = of(&tight, Scope::User, 20, 6);
    assert_eq!((budget.size, budget.memory_bytes), (Size::Small, 1 << 20));
}
