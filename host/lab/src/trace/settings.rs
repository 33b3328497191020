//! By which rules a stream was recorded: the line `{"settings": …}` that a gateway begins it with.

use serde::Deserialize;

use wastegate_core::types::Tier;

/// What the recorder said of itself. Whatever it did not say is none.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct RecorderSettings {
    /// The version of wastegate that recorded the trace.
    #[serde(default)]
    pub wastegate: Option<String>,
    /// Managers that a user might hold.
    #[serde(default)]
    pub managers_per_user: Option<u32>,
    /// How many more than needed a tier frees.
    #[serde(default)]
    pub reserve: Option<u32>,
    /// Whether a user keeps the last manager that answers.
    #[serde(default)]
    pub keep_one: Option<bool>,
    /// The last tier of an admission.
    #[serde(default)]
    pub last_tier: Option<Tier>,
    /// From which share of the limit on the background pass ran.
    #[serde(default)]
    pub proactive_from: Option<f64>,
    /// How long a newborn is left alone, ms.
    #[serde(default)]
    pub attach_grace_ms: Option<u64>,
    /// How long a detached manager is kept, ms.
    #[serde(default)]
    pub reconnect_grace_ms: Option<u64>,
    /// Between two heartbeats, ms.
    #[serde(default)]
    pub ping_interval_ms: Option<u64>,
    /// How long a pong may take, ms.
    #[serde(default)]
    pub pong_deadline_ms: Option<u64>,
    /// How long a half-open peer is silent before it is dead, ms.
    #[serde(default)]
    pub dead_after_ms: Option<u64>,
    /// Temporary slots of a user.
    #[serde(default)]
    pub temporary_slots: Option<u32>,
    /// How long they lasted, ms.
    #[serde(default)]
    pub temporary_slots_for_ms: Option<u64>,
    /// How long a user got none again, ms.
    #[serde(default)]
    pub temporary_slots_cool_down_ms: Option<u64>,
    /// Whether they were lent only after `force`.
    #[serde(default)]
    pub temporary_slots_after_force: Option<bool>,
    /// How long a displaced manager was held back at first, ms.
    #[serde(default)]
    pub displaced_hold_ms: Option<u64>,
    /// How long at most, ms.
    #[serde(default)]
    pub displaced_hold_max_ms: Option<u64>,
    /// A user's evictions by `force` in the window; 0 for no limit.
    #[serde(default)]
    pub force_per_user_max: Option<u32>,
    /// That window, ms.
    #[serde(default)]
    pub force_window_ms: Option<u64>,
    /// Who ranked at its start; none for the built-in ranking.
    #[serde(default)]
    pub policy: Option<RecordedPolicy>,
}

/// Which policy ranked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RecordedPolicy {
    /// From its manifest.
    pub name: String,
    /// From its manifest.
    pub version: String,
    /// SHA-256 of its bytes, in hex.
    pub digest: String,
}
