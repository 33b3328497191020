//! Canonical events as a table: a header that names the columns, then an event a line.

use super::builder::RawEvent;
use super::canonical::{bare_kind, missing, wrong};
use super::error::LineProblem;

/// Columns that other producers call otherwise.
const TIMES: [&str; 3] = ["t_ms", "time_ms", "timestamp_ms"];
const KEYS: [&str; 2] = ["key", "session"];

/// Where each column is.
#[derive(Debug, Clone)]
pub(super) struct Table {
    time: usize,
    user: usize,
    key: usize,
    device: Option<usize>,
    kind: Option<usize>,
}

fn cells(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(|cell| cell.trim().trim_matches('"'))
}

impl Table {
    /// Whether a first line names columns of ours.
    pub(super) fn is_header(text: &str) -> bool {
        cells(text).any(|cell| TIMES.contains(&cell))
    }

    pub(super) fn new(header: &str, user: &str) -> Result<Self, LineProblem> {
        let place = |names: &[&str]| cells(header).position(|cell| names.contains(&cell));
        let needed = |names: &[&str]| {
            let name = names.first().copied().unwrap_or_default();
            place(names).ok_or_else(|| LineProblem::NoColumn(name.to_owned()))
        };
        Ok(Self {
            time: needed(&TIMES)?,
            user: needed(&[user])?,
            key: needed(&KEYS)?,
            device: place(&["device"]),
            kind: place(&["kind"]),
        })
    }

    /// One event. Without a column `kind`, every line is an access.
    pub(super) fn event<'a>(&self, text: &'a str) -> Result<RawEvent<'a>, LineProblem> {
        let cell = |place: usize| cells(text).nth(place).filter(|cell| !cell.is_empty());
        let needed = |place: usize, name: &str| cell(place).ok_or_else(|| missing(name));
        let time = needed(self.time, "t_ms")?;
        let kind = match self.kind {
            None => "in",
            Some(place) => needed(place, "kind")?,
        };
        Ok(RawEvent {
            at_ms: time
                .parse()
                .map_err(|_| wrong("t_ms", time, "a whole number that is not negative"))?,
            user: needed(self.user, "user")?,
            key: needed(self.key, "key")?,
            device: self.device.and_then(cell),
            kind: bare_kind(kind)?,
        })
    }
}
