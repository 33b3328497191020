//! `[cleanup]`: who is cleaned up, when, and how far it may go; with a section for each tier.

use super::{DAY, HOUR, MANY, MINUTE, Section};
use crate::config::shape::{MillisOrOff, SHARE, Switch, Word, Words, bytes, count, millis};
use wastegate_core::decision::{Class, Probe, Take};
use wastegate_core::types::Tier;

pub(super) fn sections() -> Vec<Section> {
    let mut sections = vec![user(), node()];
    sections.extend(
        Tier::ALL
            .into_iter()
            .flat_map(|tier| [rule(tier), idle_ttl(tier)]),
    );
    sections
}

fn user() -> Section {
    Section::new("cleanup", "Who is cleaned up, when, and how far it may go.")
        .key(
            "reserve",
            count(0, 1_000),
            |d| &mut d.rooms.cleanup.table.reserve,
            "How many more than needed the tiers below `force` free, so that the next one need not.",
        )
        .key(
            "keep_one",
            Switch,
            |d| &mut d.rooms.cleanup.table.keep_one,
            "Whether a user always keeps the last manager that still answers.",
        )
        .key(
            "last_tier",
            last_tier(&Tier::ADMISSION),
            |d| &mut d.rooms.cleanup.user_last_tier,
            "The last tier that an admission may reach for its own user.",
        )
        .key(
            "proactive_from",
            SHARE,
            |d| &mut d.rooms.cleanup.proactive_from,
            "Occupancy of a user from which on its managers are cleaned up in the background.",
        )
        .key(
            "sweep_interval_ms",
            millis(10, HOUR),
            |d| &mut d.rooms.cleanup.sweep_interval,
            "Between two background passes.",
        )
        .key(
            "sweep_users_max",
            count(1, MANY),
            |d| &mut d.rooms.cleanup.sweep_users_max,
            "Users looked at in one background pass.",
        )
        .key(
            "force_per_user_max",
            count(0, 1_000_000),
            |d| &mut d.rooms.cleanup.force_per_user_max,
            "Evictions of one user's responsive managers in `force_window_ms`; 0 for no limit.",
        )
        .key(
            "force_window_ms",
            millis(100, DAY),
            |d| &mut d.rooms.cleanup.force_window,
            "The window of `force_per_user_max`.",
        )
        .key(
            "displaced_hold_ms",
            millis(0, DAY),
            |d| &mut d.rooms.cleanup.displaced.first,
            "How long a manager that was evicted while it answered may not displace another one that answers; 0 for no such rule.",
        )
        .key(
            "displaced_hold_max_ms",
            millis(0, DAY),
            |d| &mut d.rooms.cleanup.displaced.max,
            "The longest such hold: it doubles each time that a manager displaces another one after its hold.",
        )
        .key(
            "dead_for_ms",
            millis(0, DAY),
            |d| &mut d.rooms.cleanup.dead_for,
            "How long a manager must have been dead, or have taken nothing, to be evicted at any occupancy.",
        )
        .key(
            "close_deadline_ms",
            millis(1, MINUTE),
            |d| &mut d.rooms.cleanup.close_deadline,
            "How long the client of an evicted manager has to answer our Close.",
        )
}

fn node() -> Section {
    Section::new("cleanup.node", "The same for the node as a whole.")
        .key(
            "last_tier",
            last_tier(&Tier::ALL),
            |d| &mut d.rooms.cleanup.node_last_tier,
            "The last tier that the node's own pressure may reach.",
        )
        .key(
            "memory_bytes_max",
            bytes(0, 1 << 50),
            |d| &mut d.rooms.cleanup.memory_bytes_max,
            "Resident memory from which on the node is under pressure; 0 for nine tenths of the control \
             group's limit, and for none where it has none.",
        )
        .key(
            "reserve",
            SHARE,
            |d| &mut d.rooms.cleanup.node_reserve,
            "How much of a limit of the node is freed below it, as a share.",
        )
}

fn last_tier(tiers: &[Tier]) -> Word<Tier> {
    Word {
        what: "tier",
        words: tiers.iter().map(|tier| (tier.name(), *tier)).collect(),
    }
}

fn rule(tier: Tier) -> Section {
    let classes = Class::ALL
        .into_iter()
        .map(|class| (class.name(), class))
        .collect();
    let probe = vec![("cached", Probe::Cached), ("round", Probe::Round)];
    let take = vec![
        ("all", Take::All),
        ("needed-and-reserve", Take::NeededAndReserve),
        ("needed", Take::Needed),
    ];
    Section::new(
        format!("cleanup.tiers.{tier}"),
        format!("What the tier `{tier}` may do."),
    )
    .key(
        "enabled",
        Switch,
        move |d| &mut d.tier(tier).enabled,
        "Whether the tier runs at all.",
    )
    .key(
        "admits",
        Words(Word {
            what: "class",
            words: classes,
        }),
        move |d| &mut d.tier(tier).admits,
        "The classes of managers that it may touch.",
    )
    .key(
        "probe",
        Word {
            what: "probe",
            words: probe,
        },
        move |d| &mut d.tier(tier).probe,
        "What it has to know first: `cached` takes what is known, `round` asks everyone.",
    )
    .key(
        "take",
        Word {
            what: "take",
            words: take,
        },
        move |d| &mut d.tier(tier).take,
        "How many it may take.",
    )
}

fn idle_ttl(tier: Tier) -> Section {
    Section::new(
        format!("cleanup.tiers.{tier}.idle_ttl"),
        format!(
            "For how long a detached manager may idle before `{tier}` touches it: from `max_ms` at \
             an occupancy of `scale` down to `min_ms` at `saturation`."
        ),
    )
    .key(
        "max_ms",
        MillisOrOff(millis(0, 30 * DAY)),
        move |d| &mut d.tier(tier).idle_max,
        "The longest; `off` lets idle managers alone.",
    )
    .key(
        "min_ms",
        millis(0, 30 * DAY),
        move |d| &mut d.tier(tier).idle_min,
        "The shortest.",
    )
    .key(
        "scale",
        SHARE,
        move |d| &mut d.tier(tier).idle_scale,
        "The occupancy from which on it shrinks.",
    )
    .key(
        "saturation",
        SHARE,
        move |d| &mut d.tier(tier).idle_saturation,
        "The occupancy at which it is shortest.",
    )
}
