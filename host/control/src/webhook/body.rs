//! The body of a request.

use serde::Serialize;

use super::config::{Config, WebhookKind};
use crate::rollout::audit::{AuditEntry, What};
use crate::why::Event;
use wastegate::observe::pseudonym::Pseudonymizer;
use wastegate_core::types::UserId;

/// The version of the body.
const VERSION: u32 = 1;

/// The events of one request.
#[derive(Debug, Serialize)]
pub(super) struct Batch {
    v: u32,
    node: String,
    sent_unix_ms: u64,
    /// Events before these were dropped, because the service had not answered for too long.
    #[serde(rename = "missed")]
    pub(super) is_behind: bool,
    events: Vec<WebhookEvent>,
}

/// One event.
#[derive(Debug, Serialize)]
struct WebhookEvent {
    kind: &'static str,
    unix_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<u64>,
    /// The word of the reason, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// One sentence, where names may be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl Batch {
    pub(super) fn new(node: &str, sent_unix_ms: u64) -> Self {
        Self {
            v: VERSION,
            node: node.to_owned(),
            sent_unix_ms,
            is_behind: false,
            events: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// As it is sent: numbers and texts, which always can be written.
    pub(super) fn body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The server drains.
    pub(super) fn draining(&mut self, config: &Config) {
        if config.tells(WebhookKind::Draining) {
            self.events.push(WebhookEvent {
                kind: WebhookKind::Draining.name(),
                unix_ms: self.sent_unix_ms,
                user: None,
                key: None,
                policy: None,
                decision: None,
                reason: None,
                text: Some("the server drains".to_owned()),
            });
        }
    }

    /// Something that the audit log has.
    pub(super) fn audited(&mut self, config: &Config, entry: &AuditEntry) {
        let kind = match entry.note.what {
            What::Quarantined | What::OnTrial | What::Recovered => WebhookKind::Quarantine,
            What::RolledBack | What::ExperimentRolledBack => WebhookKind::Rollback,
            What::NodeDrained => WebhookKind::Draining,
            _ => return,
        };
        if config.tells(kind) {
            self.events.push(WebhookEvent {
                kind: kind.name(),
                unix_ms: entry.unix_ms,
                user: None,
                key: None,
                policy: entry.note.policy.clone(),
                decision: None,
                reason: Some(entry.note.what.name().to_owned()),
                text: Some(entry.note.reason.clone()),
            });
        }
    }

    /// Something that happened to a user.
    pub(super) fn happened(&mut self, config: &Config, event: Event, names: &Pseudonymizer) {
        let kinds = WebhookKind::ALL.into_iter();
        let mut kinds = kinds.filter(|kind| config.tells(*kind));
        let Some(kind) = kinds.find(|kind| kind.name() == event.line.kind) else {
            return;
        };
        let (user, key, text) = if config.names {
            (event.user, Some(event.line.key), Some(event.line.text))
        } else {
            let user = event.user.and_then(|user| UserId::new(&user).ok());
            (user.map(|user| names.user(&user).to_string()), None, None)
        };
        self.events.push(WebhookEvent {
            kind: kind.name(),
            unix_ms: event.line.unix_ms,
            user,
            key: key.filter(|key| !key.is_empty()),
            policy: None,
            decision: event.line.decision,
            reason: event.line.reason,
            text,
        });
    }
}
