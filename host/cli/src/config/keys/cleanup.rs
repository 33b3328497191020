//! `[cleanup]`: who is cleaned up, when, and how far it may go; with a section for each tier.

use super::{DAY, Section};
use crate::config::shape::{MillisOrOff, RANGED, SHARE, Switch, Word, Words, millis, one_of};
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
    section! {
        |d| "cleanup", "Which managers are cleaned up, when, and how far cleanup may go.";

        /// How many more than needed the tiers below `force` free, so that the next admission needs
        /// no cleanup.
        restart reserve: RANGED => d.rooms.cleanup.table.reserve;

        /// Whether a user always keeps the last manager that still answers.
        restart keep_one: Switch => d.rooms.cleanup.table.keep_one;

        /// The last tier that an admission may reach for its own user.
        restart last_tier: last_tier(&Tier::ADMISSION) => d.rooms.cleanup.user_last_tier;

        /// Occupancy of a user from which on its managers are cleaned up in the background; 1000 for
        /// never.
        restart proactive_from: RANGED => d.rooms.cleanup.proactive_from;

        /// Time between two background passes.
        restart sweep_interval_ms: RANGED => d.rooms.cleanup.sweep_interval;

        /// Users looked at in one background pass.
        restart sweep_users_max: RANGED => d.rooms.cleanup.sweep_users_max;

        /// Evictions of one user's responsive managers in `force_window_ms`; 0 for no limit.
        restart force_per_user_max: RANGED => d.rooms.cleanup.force_per_user_max;

        /// The window of `force_per_user_max`.
        restart force_window_ms: RANGED => d.rooms.cleanup.force_window;

        /// How long a manager that was evicted while it answered may not displace another one that
        /// answers; 0 for no such rule.
        restart displaced_hold_ms: RANGED => d.rooms.cleanup.displaced.first;

        /// The longest such hold: it doubles each time that a manager displaces another one after
        /// its hold.
        restart displaced_hold_max_ms: RANGED => d.rooms.cleanup.displaced.max;

        /// How long a manager must have been dead, or have taken nothing, to be evicted at any
        /// occupancy.
        restart dead_for_ms: RANGED => d.rooms.cleanup.dead_for;

        /// How long the client of an evicted manager has to answer our Close. The client is listened
        /// to for three times as long, at most 1,024 of them at a time: its answer labels the eviction,
        /// and its slot is free from the start.
        restart close_deadline_ms: RANGED => d.rooms.cleanup.close_deadline;
    }
}

fn node() -> Section {
    section! {
        |d| "cleanup.node", "The same for the node as a whole.";

        /// The last tier that the node's own pressure may reach.
        restart last_tier: last_tier(&Tier::ALL) => d.rooms.cleanup.node_last_tier;

        /// Resident memory from which on the node is under pressure; 0 for nine tenths of the
        /// control group's limit, and for none where it has none.
        restart memory_bytes_max: RANGED => d.rooms.cleanup.memory_bytes_max;

        /// How much of a limit of the node is freed below it, as a share.
        restart reserve: RANGED => d.rooms.cleanup.node_reserve;
    }
}

fn last_tier(tiers: &[Tier]) -> Word<Tier> {
    let words: Vec<_> = tiers.iter().map(|tier| (tier.name(), *tier)).collect();
    one_of("tier", words)
}

fn rule(tier: Tier) -> Section {
    let classes = Class::ALL.map(|class| (class.name(), class));
    section! {
        |d| format!("cleanup.tiers.{tier}"),
        format!("What the tier `{tier}` may do.");

        /// Whether the tier runs at all.
        restart enabled: Switch => d.tier(tier).enabled;

        /// The classes of managers that it may touch.
        restart admits: Words(one_of("class", classes)) => d.tier(tier).admits;

        /// What it needs to know first: `cached` uses known results, `round` probes every manager.
        restart probe: one_of("probe", [
            ("cached", Probe::Cached), ("round", Probe::Round),
        ]) => d.tier(tier).probe;

        /// How many it may take.
        restart take: one_of("take", [
            ("all", Take::All), ("needed-and-reserve", Take::NeededAndReserve),
            ("needed", Take::Needed),
        ]) => d.tier(tier).take;
    }
}

fn idle_ttl(tier: Tier) -> Section {
    section! {
        |d| format!("cleanup.tiers.{tier}.idle_ttl"),
        format!(
            "For how long a detached manager may idle before `{tier}` touches it: from `max_ms` at \
             an occupancy of `scale` down to `min_ms` at `saturation`."
        );

        /// The longest idle time; `off` spares idle managers.
        restart max_ms: MillisOrOff(millis(0, 30 * DAY)) => d.tier(tier).idle_max;

        /// The shortest idle time.
        restart min_ms: millis(0, 30 * DAY) => d.tier(tier).idle_min;

        /// The occupancy from which the idle time shrinks.
        restart scale: SHARE => d.tier(tier).idle_scale;

        /// The occupancy at which the idle time is shortest.
        restart saturation: SHARE => d.tier(tier).idle_saturation;
    }
}
