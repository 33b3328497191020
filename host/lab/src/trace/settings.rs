//! By which rules a stream was recorded: the line `{"settings": …}` that a gateway begins it with.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use wastegate_core::decision::{Class, IdleTtl, Probe, Take, TierRule, TierTable};
use wastegate_core::types::Tier;

/// What the recorder said of itself. Whatever it did not say is none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RecorderSettings {
    /// When the recorder's process began, ms since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t_ms: Option<u64>,
    /// The name of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The version of wastegate that recorded the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wastegate: Option<String>,
    /// Managers that a user might hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managers_per_user: Option<u32>,
    /// How many more than needed a tier frees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve: Option<u32>,
    /// Whether a user keeps the last manager that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_one: Option<bool>,
    /// The last tier of an admission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_tier: Option<Tier>,
    /// From which share of the limit on the background pass ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proactive_from: Option<f64>,
    /// Between two background passes, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep_interval_ms: Option<u64>,
    /// How long a manager has to be dead to be given up at any occupancy, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_for_ms: Option<u64>,
    /// What each tier might do, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiers: Option<BTreeMap<Tier, RecordedTier>>,
    /// How long a newborn is left alone, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach_grace_ms: Option<u64>,
    /// How long a detached manager is kept, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect_grace_ms: Option<u64>,
    /// For how long user activity protected a manager, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recently_active_ms: Option<u64>,
    /// Whether a client's own hints protected it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_hints: Option<bool>,
    /// Missed heartbeats from which on a peer was suspect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspect_after_misses: Option<u32>,
    /// Missed heartbeats from which on it was half-open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_open_after_misses: Option<u32>,
    /// For how long a peer that was found silent was not asked again, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_age_ms: Option<u64>,
    /// Between two heartbeats, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_interval_ms: Option<u64>,
    /// How long a pong may take, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pong_deadline_ms: Option<u64>,
    /// How long a half-open peer is silent before it is dead, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_after_ms: Option<u64>,
    /// Temporary slots of a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_slots: Option<u32>,
    /// How long they lasted, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_slots_for_ms: Option<u64>,
    /// How long a user got none again, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_slots_cool_down_ms: Option<u64>,
    /// Whether they were lent only after `force`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_slots_after_force: Option<bool>,
    /// How long a displaced manager was held back at first, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub displaced_hold_ms: Option<u64>,
    /// How long at most, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub displaced_hold_max_ms: Option<u64>,
    /// A user's evictions by `force` in the window; 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_per_user_max: Option<u32>,
    /// That window, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_window_ms: Option<u64>,
    /// Who ranked at its start; none for the built-in ranking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<RecordedPolicy>,
}

/// Which policy ranked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedPolicy {
    /// From its manifest.
    pub name: String,
    /// From its manifest.
    pub version: String,
    /// SHA-256 of its bytes, in hex.
    pub digest: String,
    /// Its parameters, in its order; none if the recorder did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Vec<f64>>,
}

/// What a tier might do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedTier {
    /// Whether it ran at all.
    pub enabled: bool,
    /// The classes that it might touch.
    pub admits: Vec<String>,
    /// `cached` or `round`.
    pub probe: String,
    /// `all`, `needed-and-reserve` or `needed`.
    pub take: String,
    /// From when on it touched idle detached managers too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ttl: Option<RecordedTtl>,
}

/// How long a detached manager might idle, by occupancy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RecordedTtl {
    /// Below the scale threshold, ms.
    pub max_ms: u64,
    /// Where the limit was fully used, ms.
    pub min_ms: u64,
    /// The occupancy from which on it shrank.
    pub scale: f64,
    /// The occupancy at which it was shortest.
    pub saturation: f64,
}

impl RecorderSettings {
    /// Whether its recorder wrote all that a replay needs beside the events.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.sweep_interval_ms.is_some()
    }

    /// The tier table that it was recorded by; none if it does not say, or names what this version does
    /// not know.
    #[must_use]
    pub fn table(&self) -> Option<TierTable> {
        let tiers = self.tiers.as_ref()?;
        let mut rules = Vec::with_capacity(Tier::ALL.len());
        for tier in Tier::ALL {
            rules.push(tiers.get(&tier)?.rule()?);
        }
        let rules = <[TierRule; 5]>::try_from(rules).ok()?;
        TierTable::new(rules, self.reserve?, self.keep_one?).ok()
    }
}

impl RecordedTier {
    fn rule(&self) -> Option<TierRule> {
        let admits = self.admits.iter().map(|name| Class::by_name(name));
        let ttl = |ttl: &RecordedTtl| IdleTtl {
            max: Duration::from_millis(ttl.max_ms),
            min: Duration::from_millis(ttl.min_ms),
            scale: ttl.scale,
            saturation: ttl.saturation,
        };
        Some(TierRule {
            enabled: self.enabled,
            admits: admits.collect::<Option<_>>()?,
            probe: match &*self.probe {
                "cached" => Probe::Cached,
                "round" => Probe::Round,
                _ => return None,
            },
            take: match &*self.take {
                "all" => Take::All,
                "needed-and-reserve" => Take::NeededAndReserve,
                "needed" => Take::Needed,
                _ => return None,
            },
            idle_ttl: self.idle_ttl.as_ref().map(ttl),
        })
    }
}
