//! From lines to a trace: names are interned, time is kept in order, sizes are bounded.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::LineProblem;
use super::event::{Trace, TraceEvent, TraceEventKind, TraceSession};
use super::notes::{Aside, LimitChange, RecordedDecision};
use super::settings::RecorderSettings;

/// Events that are kept in memory: about 3 GB of them.
pub const EVENTS_MAX: usize = 50_000_000;
/// Users, managers and devices that are kept, of each.
pub(crate) const NAMES_MAX: usize = 5_000_000;
/// How much earlier than one before it a line may be: clocks of several writers, and events that a
/// slow task told late. They are put in order.
pub(crate) const DISORDER_MS_MAX: u64 = 60_000;
/// The year 3000, in milliseconds: nothing was recorded there.
pub(super) const FUTURE_MS: u64 = 32_503_680_000_000;

/// A trace in the making.
#[derive(Debug, Default)]
pub(crate) struct TraceBuilder {
    trace: Trace,
    users: HashMap<Arc<str>, u32>,
    keys: HashMap<Arc<str>, u32>,
    /// By user and key.
    sessions: HashMap<(u32, u32), u32>,
    devices: HashMap<Arc<str>, u32>,
    latest_ms: u64,
    disordered: bool,
    /// Lines may be in any order.
    sorts: bool,
    /// Which node recorded it, by the line of settings before.
    node: Option<String>,
    /// The recorder's process began, and the next event says when.
    begins: bool,
}

/// One line, its names not interned yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawEvent<'a> {
    /// Milliseconds since the trace began.
    pub at_ms: u64,
    /// The user who holds the manager.
    pub user: &'a str,
    /// The key of the manager.
    pub key: &'a str,
    /// On which device.
    pub device: Option<&'a str>,
    /// What happened to the manager.
    pub kind: TraceEventKind,
}

/// Why a line was not taken.
#[derive(Debug)]
pub enum NotTaken {
    /// The line is at fault.
    Problem(LineProblem),
    /// The trace is full of that, and how many there may be.
    Full(&'static str, usize),
}

impl TraceBuilder {
    /// One that puts every line in order, however far back it lies.
    #[must_use]
    pub(crate) fn sorting() -> Self {
        Self {
            sorts: true,
            ..Self::default()
        }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// [`NotTaken`] when it is out of order by more than [`DISORDER_MS_MAX`], in the future, or over
    /// a limit.
    pub(crate) fn add(&mut self, raw: RawEvent<'_>) -> Result<(), NotTaken> {
        self.pass(raw.at_ms).map_err(NotTaken::Problem)?;
        self.push(raw)
    }

    /// Looks whether an event of that moment may come now.
    ///
    /// # Errors
    /// [`LineProblem`] when it is out of order by more than [`DISORDER_MS_MAX`], or in the future.
    pub(super) fn pass(&mut self, at_ms: u64) -> Result<(), LineProblem> {
        if at_ms >= FUTURE_MS {
            return Err(LineProblem::Future(at_ms));
        }
        let back_ms = self.latest_ms.saturating_sub(at_ms);
        if back_ms > DISORDER_MS_MAX && !self.sorts {
            return Err(LineProblem::Unordered {
                back_ms,
                most_ms: DISORDER_MS_MAX,
            });
        }
        self.latest_ms = self.latest_ms.max(at_ms);
        Ok(())
    }

    /// The latest moment that may have come so far, ms.
    pub(super) const fn latest_ms(&self) -> u64 {
        self.latest_ms
    }

    /// Takes one event that was let [pass](Self::pass).
    ///
    /// # Errors
    /// [`NotTaken::Full`].
    pub(super) fn push(&mut self, raw: RawEvent<'_>) -> Result<(), NotTaken> {
        if std::mem::take(&mut self.begins) {
            self.trace.notes.starts.push(raw.at_ms);
        }
        let last_ms = self.trace.events.last().map_or(0, |event| event.at_ms);
        self.disordered |= raw.at_ms < last_ms;
        if self.trace.events.len() >= EVENTS_MAX {
            return Err(NotTaken::Full("events", EVENTS_MAX));
        }
        let user = self.user(raw.user)?;
        let session = self.session(user, raw.key)?;
        let device = raw.device.map(|device| self.device(device)).transpose()?;
        self.trace.events.push(TraceEvent {
            at_ms: raw.at_ms,
            session,
            user,
            device,
            kind: raw.kind,
        });
        Ok(())
    }

    /// The recorder's process began: what was held before is not held any more. Only what the same node
    /// held, so that journals of several nodes can be read as one.
    pub(super) fn begin(&mut self, settings: &RecorderSettings) {
        let node = settings.node.clone().unwrap_or_default();
        let before = self.node.replace(node);
        let is_same = before.is_none() || before == self.node;
        self.trace.notes.is_complete =
            settings.is_complete() && (before.is_none() || self.trace.notes.is_complete);
        match settings.t_ms {
            Some(at_ms) if is_same && at_ms >= self.latest_ms => {
                self.trace.notes.starts.push(at_ms);
            }
            None if is_same => self.begins = true,
            Some(_) | None => {}
        }
    }

    /// Takes what a recorder wrote beside the events.
    pub(super) fn aside(&mut self, aside: Aside) -> Result<(), NotTaken> {
        match aside {
            Aside::Sweep { t_ms } => self.trace.notes.sweeps.push(t_ms),
            Aside::Limit {
                t_ms: at_ms,
                user,
                managers,
            } => {
                let user = self.user(&user)?;
                self.trace.notes.limits.push(LimitChange {
                    at_ms,
                    user,
                    managers,
                });
            }
            Aside::Decision {
                t_ms: at_ms,
                user,
                asked,
                spared,
            } => {
                let user = user.map(|user| self.user(&user)).transpose()?;
                let keys = spared.iter().zip(user.into_iter().cycle());
                let spared = keys.map(|(key, user)| self.session(user, key));
                let spared = spared.collect::<Result<_, _>>()?;
                self.trace.notes.decisions.push(RecordedDecision {
                    at_ms,
                    user,
                    asked,
                    spared,
                });
            }
        }
        Ok(())
    }

    fn user(&mut self, name: &str) -> Result<u32, NotTaken> {
        if let Some(&known) = self.users.get(name) {
            return Ok(known);
        }
        let (name, place) = new_name(name, self.trace.users.len(), "users")?;
        self.trace.users.push(name.clone());
        self.users.insert(name, place);
        Ok(place)
    }

    fn session(&mut self, user: u32, name: &str) -> Result<u32, NotTaken> {
        let (key, place) = match self.keys.get_key_value(name) {
            Some((key, place)) => (key.clone(), *place),
            None => {
                let (key, place) = new_name(name, self.keys.len(), "managers")?;
                self.keys.insert(key.clone(), place);
                (key, place)
            }
        };
        if let Some(&known) = self.sessions.get(&(user, place)) {
            return Ok(known);
        }
        let number = number(self.trace.sessions.len(), "managers")?;
        self.trace.sessions.push(TraceSession { user, key });
        self.sessions.insert((user, place), number);
        Ok(number)
    }

    fn device(&mut self, name: &str) -> Result<u32, NotTaken> {
        if let Some(&known) = self.devices.get(name) {
            return Ok(known);
        }
        let (name, place) = new_name(name, self.trace.devices.len(), "devices")?;
        self.trace.devices.push(name.clone());
        self.devices.insert(name, place);
        Ok(place)
    }

    /// The trace, in order of time; lines of one moment in their order.
    #[must_use]
    pub(crate) fn build(mut self) -> Trace {
        if self.disordered {
            self.trace.events.sort_by_key(|event| event.at_ms);
        }
        self.trace.notes.sort();
        self.trace
    }

    /// The trace, of a recorder that began at these moments, and wrote all that a replay needs or did not.
    #[must_use]
    pub(super) fn build_as(mut self, starts: Vec<u64>, is_complete: bool) -> Trace {
        self.trace.notes.starts = starts;
        self.trace.notes.is_complete = is_complete;
        self.build()
    }

    /// Whether nothing was taken yet.
    #[must_use]
    pub(crate) const fn is_empty(&self) -> bool {
        self.trace.events.is_empty()
    }
}

fn new_name(name: &str, held: usize, what: &'static str) -> Result<(Arc<str>, u32), NotTaken> {
    Ok((name.into(), number(held, what)?))
}

/// The number of one more, while there is room for it.
fn number(held: usize, what: &'static str) -> Result<u32, NotTaken> {
    match u32::try_from(held) {
        Ok(number) if held < NAMES_MAX => Ok(number),
        _ => Err(NotTaken::Full(what, NAMES_MAX)),
    }
}
