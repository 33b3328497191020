//! By which rules everything comes about, for whoever reads the activity stream later: what a replay needs
//! to know of the settings.

use serde_json::{Map, Value, json};

use super::policies::Policies;
use crate::config::ProgramConfig;
use wastegate_core::decision::{IdleTtl, LendOrder, Probe, Take, TierRule, TierTable};
use wastegate_core::types::Tier;
use wastegate_core::types::time::whole_ms;

/// The rules in force, in the words of the settings.
pub(super) fn rules(config: &ProgramConfig, policies: &Policies) -> Value {
    let mut rules = Map::new();
    for part in [
        who(config, policies),
        room(config),
        lifetimes(config),
        yielding(config),
    ] {
        if let Value::Object(part) = part {
            rules.extend(part);
        }
    }
    Value::Object(rules)
}

fn who(config: &ProgramConfig, policies: &Policies) -> Value {
    let active = policies.catalog.current();
    let policy = active.map(|policy| {
        let about = policy.about();
        json!({
            "name": about.name,
            "version": about.version,
            "digest": about.digest,
            "params": policy.params(),
        })
    });
    json!({
        "wastegate": env!("CARGO_PKG_VERSION"),
        "node": config.server.node,
        "policy": policy,
    })
}

fn room(config: &ProgramConfig) -> Value {
    let cleanup = &config.cleanup;
    json!({
        "managers_per_user": config.limits.managers_per_user,
        "reserve": cleanup.table.reserve,
        "keep_one": cleanup.table.keep_one,
        "last_tier": cleanup.user_last_tier,
        "proactive_from": cleanup.proactive_from,
        "sweep_interval_ms": whole_ms(cleanup.sweep_interval),
        "dead_for_ms": whole_ms(cleanup.dead_for),
        "tiers": tiers(&cleanup.table),
    })
}

fn lifetimes(config: &ProgramConfig) -> Value {
    let (manager, health) = (&config.manager, &config.health);
    // In front of a backend the grace is another: a manager's state lives there.
    let grace = if config.gateway.hands_on() {
        config.gateway.upstream_grace
    } else {
        manager.reconnect_grace
    };
    json!({
        "attach_grace_ms": whole_ms(manager.attach_grace),
        "reconnect_grace_ms": whole_ms(grace),
        "recently_active_ms": whole_ms(manager.recently_active),
        "trust_hints": manager.trust_hints,
        "ping_interval_ms": whole_ms(health.ping_interval),
        "pong_deadline_ms": whole_ms(health.pong_deadline),
        "suspect_after_misses": health.suspect_after_misses,
        "half_open_after_misses": health.half_open_after_misses,
        "dead_after_ms": whole_ms(health.dead_after),
        "evidence_age_ms": whole_ms(health.evidence_age),
    })
}

fn yielding(config: &ProgramConfig) -> Value {
    let (limits, cleanup) = (&config.limits, &config.cleanup);
    json!({
        "temporary_slots": limits.temporary_slots,
        "temporary_slots_for_ms": whole_ms(limits.temporary_slots_for),
        "temporary_slots_cool_down_ms": whole_ms(limits.temporary_slots_cool_down),
        "temporary_slots_after_force": limits.temporary_slots_order == LendOrder::AfterForce,
        "displaced_hold_ms": whole_ms(cleanup.displaced.first),
        "displaced_hold_max_ms": whole_ms(cleanup.displaced.max),
        "force_per_user_max": cleanup.force_per_user_max,
        "force_window_ms": whole_ms(cleanup.force_window),
    })
}

fn tiers(table: &TierTable) -> Value {
    let rule = |tier: Tier| (tier.name().to_owned(), rule(table.rule(tier)));
    Value::Object(Tier::ALL.into_iter().map(rule).collect())
}

fn rule(rule: &TierRule) -> Value {
    let admits: Vec<&str> = rule.admits.iter().map(|class| class.name()).collect();
    let ttl = |ttl: &IdleTtl| {
        json!({
            "max_ms": whole_ms(ttl.max),
            "min_ms": whole_ms(ttl.min),
            "scale": ttl.scale,
            "saturation": ttl.saturation,
        })
    };
    json!({
        "enabled": rule.enabled,
        "admits": admits,
        "probe": match rule.probe {
            Probe::Cached => "cached",
            Probe::Round => "round",
        },
        "take": match rule.take {
            Take::All => "all",
            Take::NeededAndReserve => "needed-and-reserve",
            Take::Needed => "needed",
        },
        "idle_ttl": rule.idle_ttl.as_ref().map(ttl),
    })
}
