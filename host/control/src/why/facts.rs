//! What is remembered of a user.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use wastegate::admission::DenialReason;
use wastegate::cleanup::{Decided, chooser};
use wastegate::observe::PressureLevel;
use wastegate_core::decision::{Class, Question, Row, Victim, VictimOutcome};
use wastegate_core::types::{
    CloseReason, ConnectionId, ConnectionRef, DecisionId, DeviceId, ManagerKey, Scope, Signal,
    Tier, Timestamp, UserId,
};

/// One thing that happened to a manager of a user.
#[derive(Debug, Clone)]
pub struct Fact {
    /// When.
    pub at: Timestamp,
    /// Whose manager it was; none where it is about the node.
    pub user: Option<UserId>,
    /// Which of the user's managers; none where it is about the user.
    pub key: Option<ManagerKey>,
    /// What happened.
    pub kind: FactKind,
}

/// What happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FactKind {
    /// A connection was attached.
    Connected {
        /// The connection's number.
        connection: ConnectionId,
        /// Its reference, as the close reason has it.
        reference: ConnectionRef,
        /// The client's name for its device.
        device: DeviceId,
        /// Where it came from, if that is known.
        from: Option<IpAddr>,
    },
    /// A connection ended.
    Ended {
        /// The connection's number.
        connection: ConnectionId,
        /// Its reference, as the close reason has it.
        reference: ConnectionRef,
        /// Why.
        reason: CloseReason,
        /// The close code and the reason that the gateway told its client, if it told it any.
        told: Option<(u16, &'static str)>,
        /// Since it was attached.
        lasted: Duration,
        /// Payload received from its client, bytes.
        bytes_in: u64,
        /// Payload sent to its client, bytes.
        bytes_out: u64,
        /// How long the client took to answer our Close, if it did.
        echoed_after: Option<Duration>,
    },
    /// A client was refused.
    Refused {
        /// At which limit.
        why: DenialReason,
        /// From the attempt to the answer.
        took: Duration,
    },
    /// A decision evicted the manager.
    Evicted(Box<EvictionFact>),
    /// Its user came under pressure: it holds most of what it may.
    Pressure {
        /// The level that it reached.
        level: PressureLevel,
        /// How many managers it holds.
        held: u32,
        /// How many it may.
        limit: u32,
    },
    /// An operator changed something, or something that was set for a time ended.
    Change {
        /// What, as the audit log names it.
        what: &'static str,
        /// Who did it.
        by: Arc<str>,
        /// The policy that it is about, if it is about one.
        policy: Option<Arc<str>>,
        /// Why, or how; may be empty.
        reason: Arc<str>,
    },
}

/// Why a manager was evicted, as the decision saw it.
#[derive(Debug, Clone)]
pub struct EvictionFact {
    /// The number of the decision.
    pub decision: DecisionId,
    /// How hard the host was looking.
    pub tier: Tier,
    /// Whether room was needed for the user or for the node.
    pub scope: Scope,
    /// What kind of candidate it was.
    pub class: Class,
    /// Its place among those that went, from 1.
    pub place: usize,
    /// How many managers the tier might have taken.
    pub of: usize,
    /// Who chose it: a policy with its version, or the built-in ranking.
    pub policy: Arc<str>,
    /// Why, in the ranker's words; may be empty.
    pub reason: String,
    /// The arm of an experiment that was asked, if one was.
    pub arm: Option<Arc<str>>,
    /// Since its user was active in it, ms.
    pub idle_ms: f64,
    /// Since its peer was heard of, ms; NaN where nothing was attached.
    pub silence_ms: f64,
    /// Pings in a row that it left unanswered; NaN where nothing was attached.
    pub missed_pongs: f64,
    /// Whether its page was visible, where its client says so.
    pub visible: Option<bool>,
    /// The manager that would have gone next, if there was one.
    pub next: Option<NextVictim>,
    /// What became of it.
    pub outcome: VictimOutcome,
}

/// The manager that would have gone next.
#[derive(Debug, Clone)]
pub struct NextVictim {
    /// Its key.
    pub key: ManagerKey,
    /// Since its user was active in it, ms.
    pub idle_ms: f64,
}

impl FactKind {
    /// Every name, for filters.
    pub const NAMES: [&str; 6] = [
        "connected",
        "ended",
        "refused",
        "evicted",
        "pressure",
        "change",
    ];

    /// The reference of the connection that it is about, if it is about one.
    #[must_use]
    pub const fn reference(&self) -> Option<ConnectionRef> {
        match self {
            Self::Connected { reference, .. } | Self::Ended { reference, .. } => Some(*reference),
            Self::Refused { .. }
            | Self::Evicted(_)
            | Self::Pressure { .. }
            | Self::Change { .. } => None,
        }
    }

    /// Its name in the API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connected { .. } => "connected",
            Self::Ended { .. } => "ended",
            Self::Refused { .. } => "refused",
            Self::Evicted(_) => "evicted",
            Self::Pressure { .. } => "pressure",
            Self::Change { .. } => "change",
        }
    }
}

impl Fact {
    /// The facts that a complete decision leaves, one for each manager that went.
    pub(super) fn of(decided: &Decided) -> impl Iterator<Item = Self> {
        let ends = decided.plan.victims().iter().zip(&decided.outcomes);
        let gone = ends.filter(|(_, outcome)| outcome.is_eviction());
        gone.enumerate().filter_map(|(before, (victim, outcome))| {
            let row = decided.question.rows.get(victim.row as usize)?;
            let by = chooser(&decided.answer, victim);
            let visibility = row.signals[Signal::Visibility];
            let fact = EvictionFact {
                decision: decided.question.decision,
                tier: decided.question.tier,
                scope: decided.question.scope,
                class: victim.class,
                place: before + 1,
                of: decided.question.rows.len(),
                policy: by.to_string().into(),
                reason: victim.reason.clone(),
                arm: decided.answer.experiment.clone(),
                idle_ms: row.idle_ms(),
                silence_ms: row.signals[Signal::SilenceMs],
                missed_pongs: row.signals[Signal::MissedPongs],
                visible: (!visibility.is_nan()).then_some(visibility > 0.0),
                next: next(decided, victim),
                outcome: *outcome,
            };
            Some(Self {
                at: decided.question.now,
                user: Some(victim.user.clone()),
                key: Some(victim.key.clone()),
                kind: FactKind::Evicted(Box::new(fact)),
            })
        })
    }
}

/// The best choice of the ranking that did not go, of the same user.
fn next(decided: &Decided, victim: &Victim) -> Option<NextVictim> {
    let question: &Question = &decided.question;
    let goes = |row: &Row| {
        let mut victims = decided.plan.victims().iter();
        victims.any(|victim| victim.manager == row.manager)
    };
    let ranking = decided.answer.outcome.as_ref().ok()?;
    let mut ranked = ranking
        .choices
        .iter()
        .filter_map(|choice| question.rows.get(choice.row as usize));
    let row = ranked.find(|row| row.user == victim.user && !goes(row))?;
    Some(NextVictim {
        key: row.key.clone(),
        idle_ms: row.idle_ms(),
    })
}
