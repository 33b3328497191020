//! The facts of one user as lines, and the answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::{Fact, FactKind};
use super::words;
use wastegate_core::types::{Clock, ConnectionRef, ManagerKey, Timestamp, UserId};

/// Lines that a timeline has at the most: the last ones before the moment that is asked about.
const LINES_MAX: usize = 200;

/// Which moment is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The last end, whenever it was.
    Last,
    /// The end that is nearest to a moment, ms since the Unix epoch.
    At(u64),
    /// The end of this connection.
    Of(ConnectionRef),
}

/// What happened to a user, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// Who.
    pub user: String,
    /// From when on everything is remembered, ms since the Unix epoch.
    pub since_ms: u64,
    /// Why the connection ended that is asked about, or why its client was refused; none if none did in the time
    /// that is remembered.
    pub answer: Option<String>,
    /// What happened, oldest first.
    pub lines: Vec<TimelineLine>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineLine {
    /// When, ms since the Unix epoch.
    pub unix_ms: u64,
    /// Which of the user's managers; empty where it is about the user.
    pub key: String,
    /// `connected`, `ended`, `refused`, `evicted`, `pressure` or `change`.
    pub kind: String,
    /// The number of the connection, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
    /// The connection's reference, as its close reason has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The number of the decision, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<u64>,
    /// The reason, by the name that metrics and the API have for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The close code, where one was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// What happened, in words.
    pub text: String,
}

impl Timeline {
    pub(super) fn new(
        user: UserId,
        mut facts: Vec<Fact>,
        since: Timestamp,
        clock: &Clock,
        when: When,
    ) -> Self {
        // A decision is complete when its victims have ended, and its time is that of its snapshot.
        facts.sort_by_key(|fact| fact.at);
        let asked = asked_about(&facts, clock, when);
        let answer = asked.and_then(|at| words::answer(&facts, at, clock));
        let end = asked.map_or(facts.len(), |at| (at + LINES_MAX / 2).min(facts.len()));
        let begin = end.saturating_sub(LINES_MAX);
        let lines = (begin..end).filter_map(|at| line(&facts, at, clock));
        Self {
            user: user.to_string(),
            since_ms: clock.unix_ms(since),
            answer,
            lines: lines.collect(),
        }
    }
}

/// The end or the refusal that is asked about.
fn asked_about(facts: &[Fact], clock: &Clock, when: When) -> Option<usize> {
    let is_end =
        |fact: &Fact| matches!(fact.kind, FactKind::Ended { .. } | FactKind::Refused { .. });
    let ends = facts.iter().enumerate().filter(|(_, fact)| is_end(fact));
    let far = |fact: &Fact| match when {
        When::Last => 0,
        When::At(unix_ms) => clock.unix_ms(fact.at).abs_diff(unix_ms),
        When::Of(reference) => u64::from(fact.kind.reference() != Some(reference)),
    };
    // Of equally near ones the later one.
    let ends = ends.filter(|(_, fact)| !matches!(when, When::Of(_)) || far(fact) == 0);
    let nearest = ends.rev().min_by_key(|(_, fact)| far(fact));
    nearest.map(|(at, _)| at)
}

/// A fact as a line.
pub(super) fn line(facts: &[Fact], at: usize, clock: &Clock) -> Option<TimelineLine> {
    let fact = facts.get(at)?;
    let mut line = TimelineLine {
        unix_ms: clock.unix_ms(fact.at),
        key: fact
            .key
            .as_ref()
            .map_or_else(String::new, ManagerKey::to_string),
        kind: fact.kind.name().to_owned(),
        connection: None,
        reference: fact.kind.reference().map(|reference| reference.to_string()),
        decision: None,
        reason: None,
        code: None,
        text: words::sentence(facts, at),
    };
    match &fact.kind {
        FactKind::Connected { connection, .. } => {
            line.connection = Some(connection.raw());
        }
        FactKind::Ended {
            connection,
            reason,
            told,
            ..
        } => {
            line.connection = Some(connection.raw());
            line.reason = Some(reason.name().to_owned());
            line.code = told.map(|(code, _)| code);
        }
        FactKind::Refused { why, .. } => {
            line.reason = Some(why.name().to_owned());
        }
        FactKind::Pressure { level, .. } => {
            line.reason = Some(level.name().to_owned());
        }
        FactKind::Change { what, .. } => {
            line.reason = Some((*what).to_owned());
        }
        FactKind::Evicted(eviction) => {
            line.decision = Some(eviction.decision.raw());
            line.reason = Some(eviction.class.name().to_owned());
        }
    }
    Some(line)
}
