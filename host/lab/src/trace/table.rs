//! Canonical events as a table: a header that names the columns, then an event a record.

use super::builder::RawEvent;
use super::canonical::{bare_kind, missing, named};
use super::clock::Clock;
use super::columns::{Column, Header};
use super::error::LineProblem;
use super::fields::Fields;
use super::read::Reading;

/// Where each column is.
#[derive(Debug)]
pub(super) struct Table {
    header: Header,
    fields: Fields,
    clock: Clock,
    time: usize,
    user: usize,
    key: usize,
    device: Option<usize>,
    kind: Option<usize>,
}

impl Table {
    pub(super) fn new(header: Header, reading: &Reading) -> Result<Self, LineProblem> {
        let (time, unit) = header.time(reading.time_unit, None)?;
        let needed = |column: Column, name: &str| {
            let place = header.place(column)?;
            place.ok_or_else(|| header.lacks(name))
        };
        let user = needed(Column::User, reading.user())?;
        let key = needed(Column::Key, "key")?;
        header.distinct()?;
        Ok(Self {
            clock: Clock {
                unit,
                is_given: reading.time_unit.is_some(),
                field: header.name(time),
            },
            fields: Fields::new(header.separator),
            time,
            user,
            key,
            device: header.place(Column::Device)?,
            kind: header.place(Column::Kind)?,
            header,
        })
    }

    /// One event. Without a column `kind`, every record is an access.
    pub(super) fn event(
        &mut self,
        text: &str,
        is_first: bool,
    ) -> Result<RawEvent<'_>, LineProblem> {
        let (found, expected) = (self.fields.of(text)?, self.header.names.len());
        if found.len() != expected {
            return Err(LineProblem::Fields {
                found: found.len(),
                expected,
                separator: separator(self.header.separator),
            });
        }
        let field = |place: usize| found.get(place).unwrap_or_default();
        let needed = |place: usize| named(field(place), || self.header.name(place));
        let kind = match self.kind.map(|place| field(place).trim()) {
            None => "in",
            Some("") => return Err(missing("kind")),
            Some(kind) => kind,
        };
        let time = field(self.time).trim();
        if time.is_empty() {
            return Err(LineProblem::Empty(self.clock.field.clone()));
        }
        Ok(RawEvent {
            at_ms: self.clock.read(time, is_first)?,
            user: needed(self.user)?,
            key: needed(self.key)?,
            device: self.device.map(field).filter(|device| !device.is_empty()),
            kind: bare_kind(kind)?,
        })
    }

    /// Whether a record ends with its time, so that one that was cut off may look whole.
    pub(super) fn ends_with_time(&self) -> bool {
        self.time + 1 == self.header.names.len()
    }

    /// What it is taken as, for people.
    pub(super) fn taken(&self) -> String {
        format!(
            "a table with {} between columns: time `{}` in {}, user `{}`, manager `{}`",
            separator(self.header.separator),
            self.header.name(self.time),
            self.clock.unit.name(),
            self.header.name(self.user),
            self.header.name(self.key),
        )
    }

    /// The columns that nothing reads, for a sentence; none if all are read.
    pub(super) fn unread(&self) -> Option<String> {
        let read = [
            Some(self.time),
            Some(self.user),
            Some(self.key),
            self.device,
            self.kind,
        ];
        self.header
            .besides(&read.into_iter().flatten().collect::<Vec<_>>())
    }
}

/// A separator in a sentence.
const fn separator(byte: u8) -> &'static str {
    match byte {
        b',' => "`,`",
        b';' => "`;`",
        b'|' => "`|`",
        b'\t' => "a tab",
        _ => "a blank",
    }
}
