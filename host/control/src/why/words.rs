//! Facts as sentences.

use super::facts::{EvictionFact, Fact, FactKind};
use crate::page::time_of_day;
use wastegate::admission::DenialReason;
use wastegate_core::decision::{Class, VictimOutcome};
use wastegate_core::types::units::{bytes, milliseconds};
use wastegate_core::types::{Clock, CloseReason, EvictionCause, Scope};

/// How long before the end of its connections a manager may have been evicted for it, ms: the deadlines of
/// a Close, and the report of the connection's task.
const EVICTED_WITHIN_MS: f64 = 60_000.0;

/// What a fact says, with what became of its key where it ended.
pub(super) fn sentence(facts: &[Fact], at: usize) -> String {
    let Some(fact) = facts.get(at) else {
        return String::new();
    };
    match &fact.kind {
        FactKind::Connected { device, from, .. } => {
            let from = from.map_or_else(String::new, |from| format!(" from {from}"));
            let device = if device.is_unnamed() {
                String::new()
            } else {
                format!(", device `{device}`")
            };
            format!("connected{from}{device}")
        }
        FactKind::Ended {
            told,
            lasted,
            bytes_in,
            bytes_out,
            reason,
            ..
        } => {
            let closed = match told {
                Some((code, text)) => format!("closed with {code} ({text}): {}", cause(*reason)),
                None => cause(*reason).to_owned(),
            };
            format!(
                "{closed}; it lasted {}, {} came in and {} went out",
                milliseconds(lasted.as_secs_f64() * 1e3),
                bytes(as_number(*bytes_in)),
                bytes(as_number(*bytes_out)),
            )
        }
        FactKind::Refused { why, took } => format!(
            "refused after {}: {}",
            milliseconds(took.as_secs_f64() * 1e3),
            refusal(*why)
        ),
        FactKind::Evicted(eviction) => evicted(eviction),
        FactKind::Pressure { level, held, limit } => format!(
            "came under pressure ({}): it holds {held} of {limit} managers",
            level.name()
        ),
        FactKind::Change {
            what,
            by,
            policy,
            reason,
        } => {
            let policy = policy
                .as_ref()
                .map_or_else(String::new, |policy| format!(" (policy {policy})"));
            let reason = match &**reason {
                "" => String::new(),
                reason => format!(": {reason}"),
            };
            format!("{what} by {by}{policy}{reason}")
        }
    }
}

/// Why a connection ended, or a client was refused: one sentence or a few.
pub(super) fn answer(facts: &[Fact], at: usize, clock: &Clock) -> Option<String> {
    let fact = facts.get(at)?;
    let moment = time_of_day(clock.unix_ms(fact.at));
    let key = fact.key.as_ref()?;
    match &fact.kind {
        FactKind::Ended {
            reason,
            told,
            echoed_after,
            ..
        } => {
            let mut text = format!("`{key}` was disconnected at {moment}: ");
            match eviction_of(facts, at).filter(|_| is_eviction(*reason)) {
                Some(eviction) => text.push_str(&evicted(eviction)),
                None => text.push_str(cause(*reason)),
            }
            text.push('.');
            if let Some((code, _)) = told {
                text.push_str(&format!(" Its client was told {code}"));
                match echoed_after {
                    Some(after) => text.push_str(&format!(
                        " and answered after {}.",
                        milliseconds(after.as_secs_f64() * 1e3)
                    )),
                    None => text.push_str(" and did not answer."),
                }
            }
            if let Some(after_ms) = returned_after(facts, at) {
                text.push_str(&format!(" It came back after {}.", milliseconds(after_ms)));
            }
            Some(text)
        }
        FactKind::Refused { why, .. } => Some(format!(
            "`{key}` was refused at {moment}: {}.",
            refusal(*why)
        )),
        FactKind::Connected { .. }
        | FactKind::Evicted(_)
        | FactKind::Pressure { .. }
        | FactKind::Change { .. } => None,
    }
}

/// The eviction that ended a connection.
fn eviction_of(facts: &[Fact], at: usize) -> Option<&EvictionFact> {
    let ended = facts.get(at)?;
    let before = facts.get(..at)?.iter().rev();
    let mut near = before
        .take_while(|fact| ended.at.ms_since(fact.at) <= EVICTED_WITHIN_MS)
        .filter(|fact| fact.key == ended.key);
    near.find_map(|fact| match &fact.kind {
        FactKind::Evicted(eviction) => Some(&**eviction),
        _ => None,
    })
}

/// How long after an end its key was connected again, ms.
fn returned_after(facts: &[Fact], at: usize) -> Option<f64> {
    let ended = facts.get(at)?;
    let mut after = facts.get(at + 1..)?.iter();
    let back = after
        .find(|fact| fact.key == ended.key && matches!(fact.kind, FactKind::Connected { .. }))?;
    Some(back.at.ms_since(ended.at))
}

const fn is_eviction(reason: CloseReason) -> bool {
    matches!(
        reason,
        CloseReason::Evicted(EvictionCause::Cleanup(_) | EvictionCause::TemporarySlotExpired)
            | CloseReason::Displaced(
                EvictionCause::Cleanup(_) | EvictionCause::TemporarySlotExpired
            )
    )
}

/// Why a manager was evicted, down to the signals.
fn evicted(eviction: &EvictionFact) -> String {
    let EvictionFact {
        tier,
        place,
        of,
        policy,
        ..
    } = eviction;
    let room = match eviction.scope {
        Scope::User => "its user needed room",
        Scope::Node => "the node needed room",
    };
    let mut text = format!(
        "evicted because {room}, in the tier `{}`, number {place} of {of} that it might take, by {policy}",
        tier.name()
    );
    if let Some(arm) = &eviction.arm {
        text.push_str(&format!(" (experiment {arm})"));
    }
    text.push_str(&format!(": {}", state(eviction)));
    if !eviction.reason.is_empty() {
        text.push_str(&format!("; the ranking says \"{}\"", eviction.reason));
    }
    if let Some(next) = &eviction.next {
        text.push_str(&format!(
            "; the next would have been `{}`, idle for {}",
            next.key,
            milliseconds(next.idle_ms)
        ));
    }
    text.push_str(match eviction.outcome {
        VictimOutcome::Echoed { .. } => "; it was alive, since it answered the Close",
        VictimOutcome::Gone | VictimOutcome::Aborted => "; it did not answer the Close",
        VictimOutcome::Undecided => "; whether it was alive cannot be told",
        VictimOutcome::Released => "; it had no connection",
        VictimOutcome::Spared | VictimOutcome::Elsewhere => "",
    });
    text
}

/// What was measured of it.
fn state(eviction: &EvictionFact) -> String {
    let mut parts = vec![class(eviction.class).to_owned()];
    if !eviction.silence_ms.is_nan() && eviction.class != Class::Responsive {
        parts.push(format!("silent for {}", milliseconds(eviction.silence_ms)));
    }
    if eviction.missed_pongs > 0.0 {
        let pings = if eviction.missed_pongs > 1.0 {
            "pings"
        } else {
            "ping"
        };
        parts.push(format!("{} {pings} unanswered", eviction.missed_pongs));
    }
    parts.push(format!("idle for {}", milliseconds(eviction.idle_ms)));
    match eviction.visible {
        Some(true) => parts.push("page visible".to_owned()),
        Some(false) => parts.push("page hidden".to_owned()),
        None => {}
    }
    parts.join(", ")
}

const fn class(class: Class) -> &'static str {
    match class {
        Class::Dead => "dead",
        Class::TakenOver => "taken over by a newer connection of its device",
        Class::Expired => "nobody came back to it in time",
        Class::Stuck => "its application hangs",
        Class::HalfOpen => "half-open",
        Class::Stalled => "it does not read",
        Class::Detached => "nobody attached",
        Class::Suspect => "it did not answer a probe",
        Class::Responsive => "it answers",
    }
}

/// Why a connection ended, without what a decision knows of it.
const fn cause(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::ClientClosed => "its client closed it",
        CloseReason::ClientLeft => "its client went away, as a page does that is reloaded",
        CloseReason::ClientGone => "its transport failed, or ended without a Close",
        CloseReason::Evicted(EvictionCause::Cleanup(_)) => {
            "its manager was evicted, and nothing was certain to answer there"
        }
        CloseReason::Displaced(EvictionCause::Cleanup(_)) => {
            "its manager was evicted although it answered: all others were in use as well"
        }
        CloseReason::Evicted(EvictionCause::TemporarySlotExpired)
        | CloseReason::Displaced(EvictionCause::TemporarySlotExpired) => {
            "its user's temporary slots ended, and it was the first to go"
        }
        CloseReason::Evicted(EvictionCause::Requested)
        | CloseReason::Displaced(EvictionCause::Requested) => "an operator evicted it",
        CloseReason::Evicted(EvictionCause::Blocked)
        | CloseReason::Displaced(EvictionCause::Blocked) => "an operator blocked its user",
        CloseReason::Unresponsive => {
            "it did not answer, and another connection of its manager needed the place"
        }
        CloseReason::TakenOver => "a newer connection of the same device took its place",
        CloseReason::SlowConsumer => "it did not read what was sent to it",
        CloseReason::OverBudget => {
            "its user sent more than `limits.traffic` allows over all of its connections"
        }
        CloseReason::Expired => "the token that it was let in by expired",
        CloseReason::Revoked => "an operator revoked the token that it was let in by",
        CloseReason::ProtocolError => "it sent what the WebSocket protocol forbids",
        CloseReason::InvalidPayload => "it sent text that is not UTF-8",
        CloseReason::MessageTooBig => "it sent a frame or a message over the size limit",
        CloseReason::PolicyViolation => "it asked for what it may not do",
        CloseReason::UpstreamClosed => "the backend closed it",
        CloseReason::UpstreamGone => {
            "the backend's connection failed, ended without a Close, or broke the protocol"
        }
        CloseReason::ApplicationClosed => "the application closed it",
        CloseReason::HandlerPanicked => "the application's handler panicked",
        CloseReason::ManagerClosed => "its manager ended without an eviction",
        CloseReason::Refused => "it was refused",
        CloseReason::Reconnect => "an operator asked all clients of the node to connect again",
        CloseReason::Shutdown => "the server stopped or drained",
    }
}

const fn refusal(why: DenialReason) -> &'static str {
    match why {
        DenialReason::UserLimit => "its user held as many managers as it may, and none could go",
        DenialReason::NodeLimit => "the node held as many managers as it may, and none could go",
        DenialReason::RateLimited => "its user made too many attempts",
        DenialReason::QueueFull => "the queue of its user was full",
        DenialReason::QueueTimeout => "it waited too long in the queue",
        DenialReason::ManagerConnections => "its manager has as many connections as it may",
        DenialReason::Displaced => "it had been evicted a moment ago, and all others are in use",
        DenialReason::Blocked => "an operator has blocked its user",
        DenialReason::ClusterAway => {
            "the cluster's engine was away, and `cluster.away` lets no new manager in then"
        }
        DenialReason::Draining => "an operator drains the node, and it takes no new connections",
        DenialReason::DeviceContested => "two connections of one device replace each other",
        // One that a later version added: its name is better than nothing.
        _ => why.name(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 bytes are beyond any connection"
)]
const fn as_number(bytes: u64) -> f64 {
    bytes as f64
}
