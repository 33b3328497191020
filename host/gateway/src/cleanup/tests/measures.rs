//! M: what is counted, and what is announced.

use super::*;
use crate::testing::{Setup, settle};
use wastegate_core::types::CloseReason;

/// M5: runs, evictions by class and end, durations; what `force` took of the responsive apart.
#[tokio::test(start_paused = true)]
async fn m5_every_run_and_every_end_is_counted() {
    let world = Setup::default().build();
    world.dead("ann", 0..1).await;
    world.healthy("ann", 1..20);
    world.enter("ann", 20).await;
    world.enter("ann", 21).await;
    world.pass(3).await;
    let metrics = world.metrics();
    for line in [
        "tier_runs_total{tier=\"conservative\",result=\"freed\"} 1",
        "tier_runs_total{tier=\"conservative\",result=\"empty\"} 1",
        "tier_runs_total{tier=\"moderate\",result=\"empty\"} 1",
        "tier_runs_total{tier=\"force\",result=\"freed\"} 1",
        "freed_total{tier=\"conservative\"} 1",
        "freed_total{tier=\"force\"} 1",
        "evictions_total{tier=\"conservative\",class=\"dead\",outcome=\"gone\",peer=\"dead\"} 1",
        "evictions_total{tier=\"force\",class=\"responsive\",outcome=\"echoed\",peer=\"alive\"} 1",
        "forced_responsive_total 1",
        "tier_duration_seconds_count{tier=\"force\"} 1",
    ] {
        assert!(metrics.contains(line), "no `{line}` in\n{metrics}");
    }
}

/// M7: one event per change of level, none in between, whoever looks how often.
#[tokio::test(start_paused = true)]
async fn m7_one_event_per_change() {
    let world = Setup::default().build();
    for number in 0..20 {
        world.enter("ann", number).await;
        world.cleaner.observe_pressure(&user("ann"));
    }
    let levels = [
        ("info", 8),
        ("warning", 12),
        ("critical", 16),
        ("emergency", 18),
    ];
    assert_eq!(world.notes.pressure(), levels);
    assert_eq!(
        world.cleaner.pressure().level(&user("ann")).name(),
        "emergency"
    );
}

/// D12: a recovery is announced once it has lasted; D10: and once.
#[tokio::test(start_paused = true)]
async fn d12_recovery_is_announced_when_it_has_lasted() {
    let world = Setup::default().build();
    let clients: Vec<_> = world.healthy("ann", 0..19);
    world.cleaner.observe_pressure(&user("ann"));
    world.notes.clear();
    for client in &clients[1..] {
        client.leave(CloseReason::ClientClosed);
    }
    settle().await;
    assert_eq!(world.held("ann"), 1);
    world.cleaner.sweep().await;
    world.pass(9).await;
    world.cleaner.sweep().await;
    assert_eq!(world.notes.pressure(), []);
    world.pass(1).await;
    for _ in 0..3 {
        world.cleaner.sweep().await;
    }
    assert_eq!(world.notes.pressure(), [("normal", 1)]);
    assert_eq!(
        world.cleaner.pressure().users(),
        [],
        "at rest it is in no book"
    );
}

/// D10: refusals do not speak of pressure again and again.
#[tokio::test(start_paused = true)]
async fn d10_a_refused_try_is_no_event() {
    let world = Setup::of_limit(2).up_to(Tier::Aggressive).build();
    world.healthy("ann", 0..2);
    for number in 2..12 {
        world.refused("ann", number).await;
    }
    assert_eq!(world.notes.pressure(), [("emergency", 2)]);
}
