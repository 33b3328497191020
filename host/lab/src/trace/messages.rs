//! Plain message logs: `src dst unixtime`, one message a line; KONECT's `src dst weight unixtime`; or the
//! columns that a first line names.
//!
//! Public messaging traces come so. A user is an endpoint, a manager is (user, peer), and every
//! message is an access of both endpoints' managers; nothing ever closes. A user's events are in
//! order of time, then of peer: by number where all ids are numbers. Ids stay as they are written.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use super::builder::{NotTaken, RawEvent, TraceBuilder};
use super::clock::{Clock, TimeUnit};
use super::columns::Header;
use super::error::LineProblem;
use super::event::TraceEventKind;
use super::layout::{KONECT_COLUMNS, Layout, message, nameless, short};
use super::read::Reading;
use super::split::{self, Split};

/// Whose managers a message is an access of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Endpoints {
    /// The sender's manager.
    Source,
    /// The receiver's manager.
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

/// A log as far as it is read.
#[derive(Debug)]
pub(super) struct MessageLog {
    endpoints: Endpoints,
    clock: Clock,
    /// Known from the first line on that says something.
    layout: Option<Layout>,
    ids: Vec<Arc<str>>,
    places: HashMap<Arc<str>, u32>,
    messages: Vec<Message>,
}

/// One message, its ends by place.
#[derive(Debug, Clone, Copy)]
struct Message {
    at_ms: u64,
    source: u32,
    destination: u32,
}

impl MessageLog {
    /// A log with these columns; with none, its first line says which.
    pub(super) fn new(
        endpoints: Endpoints,
        header: Option<&Header>,
        reading: &Reading,
    ) -> Result<Self, LineProblem> {
        let (mut unit, mut field, mut layout) = (TimeUnit::Seconds, "unixtime".to_owned(), None);
        if let Some(header) = header {
            let (place, named) = header.time(reading.time_unit, Some(unit))?;
            (unit, field) = (named, header.name(place));
            layout = Some(Layout::named(header, place)?);
        }
        let clock = Clock {
            unit: reading.time_unit.unwrap_or(unit),
            is_given: reading.time_unit.is_some(),
            field,
        };
        Ok(Self {
            endpoints,
            clock,
            layout,
            ids: Vec::new(),
            places: HashMap::new(),
            messages: Vec::new(),
        })
    }

    /// Reads one line, and says when it was; none for an empty one and for a comment (`#` or `%`).
    pub(super) fn line(&mut self, text: &str, is_first: bool) -> Result<Option<u64>, LineProblem> {
        let text = text.trim_ascii();
        if text.is_empty() {
            return Ok(None);
        }
        if text.contains('\r') {
            return Err(LineProblem::CarriageReturn);
        }
        if text.starts_with(['#', '%']) {
            return self.comment(text).map(|()| None);
        }
        if split::is_quoted(text) {
            let fields = split::unquoted(text)?;
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            return self.message(text, &fields, is_first).map(Some);
        }
        let fields = Split::of(text)?;
        self.message(text, fields.get(), is_first).map(Some)
    }

    /// A comment, unless it is a message of one whose name begins like that.
    fn comment(&self, text: &str) -> Result<(), LineProblem> {
        let is_marked = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t', '#', '%']);
        if text.get(1..).is_none_or(is_marked) {
            return Ok(());
        }
        let Ok(fields) = Split::of(text) else {
            return Ok(());
        };
        let layout = match &self.layout {
            Some(layout) => Some(layout.clone()),
            None => Layout::of(text, fields.get()).ok(),
        };
        let is_message = layout.is_some_and(|layout| {
            let time = fields.get().get(layout.time);
            fields.get().len() == layout.columns
                && time.is_some_and(|time| self.clock.read(time, false).is_ok())
        });
        if is_message {
            return Err(LineProblem::Comment(short(text)));
        }
        Ok(())
    }

    fn message(&mut self, text: &str, fields: &[&str], first: bool) -> Result<u64, LineProblem> {
        if let Some(place) = fields
            .iter()
            .position(|field| field.trim_ascii().is_empty())
        {
            return Err(LineProblem::Empty(format!("field {}", place + 1)));
        }
        let layout = match &self.layout {
            Some(layout) => layout,
            None => {
                nameless(fields)?;
                self.layout.insert(Layout::of(text, fields)?)
            }
        };
        if fields.len() != layout.columns {
            return Err(match fields.len() {
                0..=2 => message(text),
                found => LineProblem::MessageFields {
                    line: short(text),
                    found,
                    expected: layout.columns,
                },
            });
        }
        let places = [layout.source, layout.destination, layout.time];
        let [source, destination, time] = places.map(|place| fields.get(place).copied());
        let (Some(source), Some(destination), Some(time)) = (source, destination, time) else {
            return Err(message(text));
        };
        if time.parse::<f64>().is_err() {
            return Err(message(text));
        }
        let at_ms = self.clock.read(time, first)?;
        let (source, destination) = (self.place(source)?, self.place(destination)?);
        self.messages.push(Message {
            at_ms,
            source,
            destination,
        });
        Ok(at_ms)
    }

    fn place(&mut self, id: &str) -> Result<u32, LineProblem> {
        if let Some(known) = self.places.get(id) {
            return Ok(*known);
        }
        // Messages are far fewer than that.
        let place = u32::try_from(self.ids.len()).map_err(|_| message(id))?;
        let id: Arc<str> = id.into();
        self.ids.push(id.clone());
        self.places.insert(id, place);
        Ok(place)
    }

    /// Leaves out the message that was read last.
    pub(super) fn leave_out(&mut self) {
        self.messages.pop();
    }

    /// What it is taken as, for people.
    pub(super) fn taken(&self) -> String {
        let form = match &self.layout {
            Some(layout) if layout.columns == KONECT_COLUMNS => "src dst weight unixtime",
            _ => "src dst unixtime",
        };
        format!("messages, `{form}`, times in {}", self.clock.unit.name())
    }

    /// The columns that nothing reads, for a sentence; none if all are read.
    pub(super) fn unread(&self) -> Option<String> {
        self.layout.as_ref()?.unread.clone()
    }

    /// Hands every access to the builder, in order.
    pub(super) fn build(self, builder: &mut TraceBuilder) -> Result<(), NotTaken> {
        let ranks = ranks(&self.ids);
        let rank = |id: u32| ranks.get(id as usize).copied().unwrap_or_default();
        let mut accesses: Vec<(u64, u32, u32)> = Vec::with_capacity(self.messages.len() * 2);
        for message in &self.messages {
            let (source, destination) = (rank(message.source), rank(message.destination));
            let is_to_self = source == destination;
            if self.endpoints == Endpoints::Both && !is_to_self {
                accesses.push((message.at_ms, source, destination));
            }
            let (user, peer) = match self.endpoints {
                Endpoints::Source | Endpoints::Both => (source, destination),
                Endpoints::Destination => (destination, source),
            };
            accesses.push((message.at_ms, peer, user));
        }
        accesses.sort_unstable();
        let mut names: Vec<&str> = vec![""; self.ids.len()];
        for (id, rank) in self.ids.iter().zip(&ranks) {
            if let Some(name) = names.get_mut(*rank as usize) {
                *name = id;
            }
        }
        let name = |rank: u32| names.get(rank as usize).copied().unwrap_or_default();
        for (at_ms, peer, user) in accesses {
            builder.push(RawEvent {
                at_ms,
                user: name(user),
                key: name(peer),
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
}

/// The place of every id in the order of ties: by number where all are numbers, else by text.
fn ranks(ids: &[Arc<str>]) -> Vec<u32> {
    let is_number = |id: &Arc<str>| id.bytes().all(|byte| byte.is_ascii_digit());
    let by_number = |a: &str, b: &str| -> Ordering {
        let (short_a, short_b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
        let by_length = short_a.len().cmp(&short_b.len());
        by_length
            .then_with(|| short_a.cmp(short_b))
            .then_with(|| a.cmp(b))
    };
    let mut order: Vec<(u32, &Arc<str>)> = (0..).zip(ids).collect();
    if ids.iter().all(is_number) {
        order.sort_by(|a, b| by_number(a.1, b.1));
    } else {
        order.sort_by(|a, b| a.1.cmp(b.1));
    }
    let mut ranks = vec![0; ids.len()];
    for (rank, (id, _)) in (0..).zip(order) {
        if let Some(place) = ranks.get_mut(id as usize) {
            *place = rank;
        }
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(endpoints: Endpoints) -> MessageLog {
        MessageLog::new(endpoints, None, &Reading::default()).unwrap()
    }

    fn accesses(text: &str, endpoints: Endpoints) -> Vec<String> {
        let mut log = log(endpoints);
        for text in text.lines() {
            log.line(text, false).unwrap();
        }
        let mut builder = TraceBuilder::default();
        log.build(&mut builder).unwrap();
        let trace = builder.build();
        let of = |event: &crate::trace::TraceEvent| {
            let session = &trace.sessions[event.session as usize];
            let user = &trace.users[session.user as usize];
            format!("{}:{user}>{}", event.at_ms / 1_000, session.key)
        };
        trace.events.iter().map(of).collect()
    }

    /// Ids stay as they are written, and ties are in the order of numbers.
    #[test]
    fn a_message_is_an_access_of_both_ends() {
        let log = "# who whom when\n1 2 10\n10,2,10\n\n2\t9\t11\n3 3 12\n";
        assert_eq!(
            accesses(log, Endpoints::Both),
            [
                "10:2>1", "10:1>2", "10:10>2", "10:2>10", "11:9>2", "11:2>9", "12:3>3"
            ]
        );
        assert_eq!(
            accesses(log, Endpoints::Source),
            ["10:1>2", "10:10>2", "11:2>9", "12:3>3"]
        );
        assert_eq!(
            accesses(log, Endpoints::Destination),
            ["10:2>1", "10:2>10", "11:9>2", "12:3>3"]
        );
        assert_eq!(
            accesses("1 01 10\n", Endpoints::Both),
            ["10:1>01", "10:01>1"],
            "two ids"
        );
    }

    #[test]
    fn what_is_no_message_is_told() {
        let line = |text: &str| log(Endpoints::Both).line(text, false);
        for text in ["1 2", "1 2 x", "hello"] {
            assert!(matches!(line(text), Err(LineProblem::Message(_))), "{text}");
        }
        assert!(matches!(line("1 2 -5"), Err(LineProblem::Field { .. })));
        assert_eq!(line("1 2 1082040961.5").unwrap(), Some(1_082_040_961_500));
    }
}
