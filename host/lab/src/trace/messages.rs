//! Plain message logs: `src dst unixtime`, one message a line.
//!
//! Public messaging traces come so. A user is an endpoint, a manager is (user, peer), and every
//! message is an access of both endpoints' managers; nothing ever closes. A user's events are in
//! order of time, then of peer: by number where all ids are numbers.

use std::str::FromStr;

use super::builder::{NotTaken, RawEvent, TraceBuilder};
use super::error::LineProblem;
use super::event::TraceEventKind;

/// Whose managers a message is an access of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Endpoints {
    /// The sender's.
    Source,
    /// The receiver's.
    Destination,
    /// Both ends'; one where somebody writes to themselves.
    #[default]
    Both,
}

impl FromStr for Endpoints {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "src" | "source" | "1" => Ok(Self::Source),
            "dst" | "destination" | "2" => Ok(Self::Destination),
            "both" => Ok(Self::Both),
            _ => Err(()),
        }
    }
}

/// One message, as read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub(super) at_ms: u64,
    source: String,
    destination: String,
}

/// Reads one line; none for an empty one and for a comment (`#` or `%`).
pub(super) fn line(text: &str) -> Result<Option<Message>, LineProblem> {
    let text = text.trim();
    if text.is_empty() || text.starts_with(['#', '%']) {
        return Ok(None);
    }
    let mut fields = text
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|field| !field.is_empty());
    let bad = || LineProblem::Message(text.chars().take(60).collect());
    let (Some(source), Some(destination), Some(seconds)) =
        (fields.next(), fields.next(), fields.next())
    else {
        return Err(bad());
    };
    let seconds: f64 = seconds.parse().map_err(|_| bad())?;
    if !(seconds.is_finite() && seconds >= 0.0) {
        return Err(LineProblem::Field {
            field: "unixtime".to_owned(),
            found: seconds.to_string(),
            expected: "seconds since 1970".to_owned(),
        });
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and the builder refuses what is far in the future"
    )]
    let at_ms = (seconds * 1_000.0).round() as u64;
    Ok(Some(Message {
        at_ms,
        source: source.to_owned(),
        destination: destination.to_owned(),
    }))
}

/// Hands every access to the builder, in order.
pub(super) fn build(
    messages: Vec<Message>,
    endpoints: Endpoints,
    builder: &mut TraceBuilder,
) -> Result<(), NotTaken> {
    let ids = || {
        let both = |message: &'_ Message| [message.source.clone(), message.destination.clone()];
        messages.iter().flat_map(both)
    };
    let numeric = ids().all(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
    let width = if numeric {
        ids().map(|id| id.len()).max().unwrap_or(0)
    } else {
        0
    };
    // Zeros in front make the order of texts that of numbers, everywhere that ties are broken.
    let name = |id: &str| format!("{id:0>width$}");
    let mut accesses: Vec<(u64, String, String)> = Vec::with_capacity(messages.len() * 2);
    for message in messages {
        let (source, destination) = (name(&message.source), name(&message.destination));
        let to_self = source == destination;
        if endpoints == Endpoints::Both && !to_self {
            accesses.push((message.at_ms, destination.clone(), source.clone()));
        }
        let (user, peer) = match endpoints {
            Endpoints::Source | Endpoints::Both => (source, destination),
            Endpoints::Destination => (destination, source),
        };
        accesses.push((message.at_ms, user, peer));
    }
    accesses.sort_by(|a, b| (a.0, &a.2, &a.1).cmp(&(b.0, &b.2, &b.1)));
    for (at_ms, user, peer) in &accesses {
        builder.add(RawEvent {
            at_ms: *at_ms,
            user,
            key: peer,
            device: None,
            kind: TraceEventKind::In {
                n: 1,
                bytes: 0,
                last_ms: 0,
            },
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accesses(text: &str, endpoints: Endpoints) -> Vec<String> {
        let messages = text
            .lines()
            .filter_map(|text| line(text).unwrap())
            .collect();
        let mut builder = TraceBuilder::default();
        build(messages, endpoints, &mut builder).unwrap();
        let trace = builder.build();
        let of = |event: &crate::trace::TraceEvent| {
            let session = &trace.sessions[event.session as usize];
            let user = &trace.users[session.user as usize];
            format!("{}:{user}>{}", event.at_ms / 1_000, session.key)
        };
        trace.events.iter().map(of).collect()
    }

    #[test]
    fn a_message_is_an_access_of_both_ends() {
        let log = "# who whom when\n1 2 10\n10,2,10\n\n2\t9\t11\n3 3 12\n";
        assert_eq!(
            accesses(log, Endpoints::Both),
            [
                "10:02>01", "10:01>02", "10:10>02", "10:02>10", "11:09>02", "11:02>09", "12:03>03"
            ]
        );
        assert_eq!(
            accesses(log, Endpoints::Source),
            ["10:01>02", "10:10>02", "11:02>09", "12:03>03"]
        );
        assert_eq!(
            accesses(log, Endpoints::Destination),
            ["10:02>01", "10:02>10", "11:09>02", "12:03>03"]
        );
    }

    #[test]
    fn what_is_no_message_is_told() {
        for text in ["1 2", "1 2 x", "hello"] {
            assert!(matches!(line(text), Err(LineProblem::Message(_))), "{text}");
        }
        assert!(matches!(line("1 2 -5"), Err(LineProblem::Field { .. })));
        assert_eq!(
            line("1 2 1082040961.5").unwrap().unwrap().at_ms,
            1_082_040_961_500
        );
    }
}
