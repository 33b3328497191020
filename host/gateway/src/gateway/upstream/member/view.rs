//! A backend as operators see it.

use std::sync::atomic::Ordering;

use serde::Serialize;

use super::{Member, Phase};
use wastegate_core::types::Timestamp;
use wastegate_core::types::time::whole_ms;

/// What is known of one backend.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackendView {
    /// The backend's address as it is configured.
    pub url: String,
    /// Upgrades succeed; none before the first was tried.
    pub up: Option<bool>,
    /// `unknown` before the first upgrade, `up`, `away` after a failure, `trying` while one client
    /// finds out.
    pub state: &'static str,
    /// For how long it has been in that state, ms.
    pub since_ms: u64,
    /// Whether its port took a TCP connection when it was last tried; none if it was not.
    pub reached: Option<bool>,
    /// Connections that it has of ours.
    pub connections: u32,
    /// Failures in a row.
    pub failures: u32,
    /// The last of them, in words.
    pub last_error: Option<String>,
    /// How long ago that was, ms.
    pub last_failure_ms: Option<u64>,
    /// How long ago an upgrade succeeded, ms.
    pub last_success_ms: Option<u64>,
    /// In how long a client is let through again, ms.
    pub retry_in_ms: Option<u64>,
}

impl BackendView {
    /// What was seen of it, as the end of a sentence that begins with its address.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.state, self.reached) {
            ("up", _) => "which upgrades".to_owned(),
            ("unknown", Some(true)) => "which takes connections".to_owned(),
            ("unknown", _) => "not asked yet".to_owned(),
            _ => {
                let error = self.last_error.as_deref().unwrap_or("it failed");
                match error.strip_prefix("it cannot be reached: ") {
                    Some(why) => format!("which cannot be reached now: {why}"),
                    None => format!("which is away: {error}"),
                }
            }
        }
    }
}

impl Member {
    pub(in crate::gateway::upstream) fn view(&self, now: Timestamp) -> BackendView {
        let record = self.record.lock();
        let ago = |at: Option<Timestamp>| at.map(|at| whole_ms(now.since(at)));
        let up = match record.phase {
            Phase::Unknown => None,
            Phase::Up => Some(true),
            Phase::Away { .. } | Phase::Trying { .. } => Some(false),
        };
        BackendView {
            url: self.upstream.to_string(),
            up,
            state: record.phase.name(),
            since_ms: whole_ms(now.since(record.since)),
            reached: record.reachable,
            connections: self.connections.load(Ordering::Relaxed),
            failures: record.failures,
            last_error: record.last_error.clone(),
            last_failure_ms: ago(record.failed_at),
            last_success_ms: ago(record.succeeded_at),
            retry_in_ms: match record.phase {
                Phase::Away { until } => Some(whole_ms(until.since(now))),
                _ => None,
            },
        }
    }
}
