//! Which events go where, and how often it is tried.

use std::time::Duration;

use wastegate_core::stats::random_draw::unit;
use wastegate_core::types::Secret;

/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// What a webhook tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebhookKind {
    /// A user's pressure level changed.
    Pressure,
    /// A manager was evicted.
    Evicted,
    /// A client was refused.
    Refused,
    /// A policy is left alone after repeated faults, or answers again.
    Quarantine,
    /// A policy was rolled back, or an experiment.
    Rollback,
    /// The server drains.
    Draining,
}

impl WebhookKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Pressure,
        Self::Evicted,
        Self::Refused,
        Self::Quarantine,
        Self::Rollback,
        Self::Draining,
    ];

    /// Its name in settings and in requests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pressure => "pressure",
            Self::Evicted => "evicted",
            Self::Refused => "refused",
            Self::Quarantine => "quarantine",
            Self::Rollback => "rollback",
            Self::Draining => "draining",
        }
    }
}

/// Where events are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The service's URL; none to send nothing. None.
    pub url: Option<String>,
    /// The secret that requests are signed with: at least 24 bytes, or `whsec_` and base64 of them. Empty.
    pub secret: Secret,
    /// What is told. Everything.
    pub kinds: Vec<WebhookKind>,
    /// Whether users and keys are named; else they are keyed hashes, as in journals. False.
    pub names: bool,
    /// How long the service has to answer. 5 s.
    pub timeout: Duration,
    /// How often a request is tried before its events are dropped. 8.
    pub attempts_max: u32,
    /// The pause after the first attempt. It doubles with each, up to five minutes. 1 s.
    pub pause: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            secret: Secret::default(),
            kinds: WebhookKind::ALL.to_vec(),
            names: false,
            timeout: Duration::from_secs(5),
            attempts_max: 8,
            pause: Duration::from_secs(1),
        }
    }
}

impl Config {
    pub(super) fn tells(&self, kind: WebhookKind) -> bool {
        self.kinds.contains(&kind)
    }

    /// The kinds that the memory of facts has, by their names there.
    pub(super) fn of_memory(&self) -> Vec<String> {
        let kinds = [
            WebhookKind::Pressure,
            WebhookKind::Evicted,
            WebhookKind::Refused,
        ];
        let told = kinds.into_iter().filter(|kind| self.tells(*kind));
        let mut names: Vec<String> = told.map(|kind| kind.name().to_owned()).collect();
        if names.is_empty() {
            // An empty list would be all of them.
            names.push("none".to_owned());
        }
        names
    }

    /// The pause after so many attempts: doubled each time, and between half of that and all of it, so that nodes
    /// that failed together do not come back together.
    pub(super) fn pause(&self, tries: u32) -> Duration {
        let doubled = self
            .pause
            .saturating_mul(1_u32.checked_shl(tries - 1).unwrap_or(u32::MAX));
        let most = doubled.min(PAUSE_MAX);
        most.mul_f64(0.5 + unit(getrandom::u64().unwrap_or_default()) / 2.0)
    }
}
