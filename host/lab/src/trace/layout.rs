//! Which field of a message log is what: as its first line names them, or by how many there are.

use super::columns::{Column, Header};
use super::error::LineProblem;

/// Where KONECT's column of times is.
pub(super) const KONECT_COLUMNS: usize = 4;
/// From here on a number is a time since 1970 (from 1973 on, in seconds), and no weight.
pub(super) const TIME_MIN: f64 = 1e8;
/// 1990 to 2100, in seconds.
const OURS_S: std::ops::Range<f64> = 631_152_000.0..4_102_444_800.0;

/// Which field is what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// How many fields a line has.
    pub(super) columns: usize,
    /// Where the sender is.
    pub(super) source: usize,
    /// Where the receiver is.
    pub(super) destination: usize,
    /// Where the time is.
    pub(super) time: usize,
    /// Columns that nothing reads, for a sentence.
    pub(super) unread: Option<String>,
}

/// Whether a number may be a time of our own, in seconds or in milliseconds.
fn is_ours(number: f64) -> bool {
    OURS_S.contains(&number) || OURS_S.contains(&(number / 1e3))
}

impl Layout {
    const PLAIN: Self = Self {
        columns: 3,
        source: 0,
        destination: 1,
        time: 2,
        unread: None,
    };

    /// As a first line names it.
    pub(super) fn named(header: &Header, time: usize) -> Result<Self, LineProblem> {
        let place = |column, name| header.place(column)?.ok_or_else(|| header.lacks(name));
        let (source, destination) = (
            place(Column::Source, "src")?,
            place(Column::Destination, "dst")?,
        );
        header.distinct()?;
        Ok(Self {
            columns: header.names.len(),
            source,
            destination,
            time,
            unread: header.besides(&[source, destination, time]),
        })
    }

    /// By the first line of a log without names.
    pub(super) fn of(text: &str, fields: &[&str]) -> Result<Self, LineProblem> {
        let number = |field: Option<&&str>| field.and_then(|field| field.parse::<f64>().ok());
        let is_time = |field: Option<&&str>| number(field).is_some_and(|number| number >= TIME_MIN);
        let last = fields.last();
        if number(fields.first()).is_some_and(is_ours) && number(last).is_some() && !is_time(last) {
            return Err(LineProblem::TimeFirst(short(text)));
        }
        match fields.len() {
            3 => Ok(Self::PLAIN),
            KONECT_COLUMNS
                if number(fields.get(2)).is_none() || number(fields.get(3)).is_none() =>
            {
                Err(message(text))
            }
            KONECT_COLUMNS if is_time(fields.get(2)) => Err(LineProblem::TwoTimes(short(text))),
            KONECT_COLUMNS => Ok(Self {
                columns: KONECT_COLUMNS,
                time: 3,
                unread: Some("the third, the weight".to_owned()),
                ..Self::PLAIN
            }),
            _ => Err(message(text)),
        }
    }
}

/// Fails on a first line that names columns, none of which we know.
pub(super) fn nameless(fields: &[&str]) -> Result<(), LineProblem> {
    let is_number = |field: &&str| field.parse::<f64>().is_ok();
    if fields.len() < 2 || fields.iter().any(is_number) {
        return Ok(());
    }
    let names: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    Err(LineProblem::Columns(names.join(", ")))
}

/// The sentence on a line that is no message.
pub(super) fn message(text: &str) -> LineProblem {
    LineProblem::Message(short(text))
}

/// As much of a line as a sentence repeats.
pub(super) fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
