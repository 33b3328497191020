//! A first line that names columns: by which names we know them, and how they are separated.

use super::clock::TimeUnit;
use super::error::LineProblem;
use super::fields::Fields;

/// What may stand between the columns of a table.
const SEPARATORS: [u8; 5] = [b',', b';', b'\t', b'|', b' '];
/// Times, before `_s`, `_ms`, `_us` or `_ns`.
const TIMES: [&str; 6] = ["t", "time", "timestamp", "ts", "unixtime", "epoch"];
/// Times that are seconds by their name.
const SECONDS: [&str; 4] = ["unixtime", "unix_time", "unix_timestamp", "epoch"];
const KEYS: [&str; 2] = ["key", "session"];
const SOURCES: [&str; 4] = ["src", "source", "from", "sender"];
const DESTINATIONS: [&str; 7] = [
    "dst",
    "dest",
    "destination",
    "target",
    "to",
    "recipient",
    "receiver",
];

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// When, in the unit that its name says, if it says one.
    Time(Option<TimeUnit>),
    /// The name of a user.
    User,
    /// The key of a manager.
    Key,
    /// The name of a device.
    Device,
    /// A kind of event.
    Kind,
    /// The sender of a message.
    Source,
    /// The receiver of a message.
    Destination,
}

/// The first line of a file that names its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// As they are written, without blanks around them.
    pub(super) names: Vec<String>,
    /// What stands between them.
    pub(super) separator: u8,
    /// The name of the user's column.
    user: String,
}

/// What a time column of that name holds; none if it is no time. Names have no capitals here.
pub(super) fn time(name: &str) -> Option<Option<TimeUnit>> {
    if SECONDS.contains(&name) {
        return Some(Some(TimeUnit::Seconds));
    }
    if TIMES.contains(&name) {
        return Some(None);
    }
    let (base, end) = name.rsplit_once('_')?;
    let unit = TimeUnit::ALL.into_iter().find(|unit| unit.short() == end)?;
    TIMES.contains(&base).then_some(Some(unit))
}

impl Header {
    /// A first line by the separator under which we know most of its names; none if we know none of
    /// them, or one is a number and so the line is no header. `user` names the user's column.
    ///
    /// # Errors
    /// [`LineProblem`] where it is quoted wrongly.
    pub(super) fn find(text: &str, user: &str) -> Result<Option<Self>, LineProblem> {
        let mut best: Option<(usize, Self)> = None;
        for separator in SEPARATORS {
            let header = match Self::split(text, user, separator) {
                Ok(header) => header,
                // Under another separator it may be well.
                Err(_) if separator != b',' || !text.contains(',') => continue,
                Err(problem) => return Err(problem),
            };
            let is_number = |name: &String| name.parse::<f64>().is_ok();
            if header.names.len() < 2 || header.names.iter().any(is_number) {
                continue;
            }
            let known = (0..header.names.len()).filter(|at| header.column(*at).is_some());
            let known = known.count();
            if known > best.as_ref().map_or(0, |(known, _)| *known) {
                best = Some((known, header));
            }
        }
        Ok(best.map(|(_, header)| header))
    }

    /// A first line with that separator, whatever its names are.
    ///
    /// # Errors
    /// [`LineProblem`] where it is quoted wrongly.
    pub(super) fn split(text: &str, user: &str, separator: u8) -> Result<Self, LineProblem> {
        let mut fields = Fields::new(separator);
        let names = fields.of(text)?;
        Ok(Self {
            names: names.iter().map(|name| name.trim().to_owned()).collect(),
            separator,
            user: user.to_owned(),
        })
    }

    /// What the column at that place is; none of one that we do not know.
    pub(super) fn column(&self, place: usize) -> Option<Column> {
        let name = self.names.get(place)?.to_lowercase();
        if name == self.user.to_lowercase() {
            return Some(Column::User);
        }
        if let Some(unit) = time(&name) {
            return Some(Column::Time(unit));
        }
        Some(match name.as_str() {
            "device" => Column::Device,
            "kind" => Column::Kind,
            name if KEYS.contains(&name) => Column::Key,
            name if SOURCES.contains(&name) => Column::Source,
            name if DESTINATIONS.contains(&name) => Column::Destination,
            _ => return None,
        })
    }

    /// Where the columns of one sort are.
    pub(super) fn places(&self, wanted: impl Fn(Column) -> bool) -> Vec<usize> {
        let places = 0..self.names.len();
        let is = |place: &usize| self.column(*place).is_some_and(&wanted);
        places.filter(is).collect()
    }

    /// Where the one column of a sort is; none without any.
    ///
    /// # Errors
    /// [`LineProblem::Doubled`] where there are two.
    pub(super) fn place(&self, wanted: Column) -> Result<Option<usize>, LineProblem> {
        let places = self.places(|column| column == wanted);
        if let [first, second, ..] = places.as_slice() {
            return Err(LineProblem::Doubled(self.name(*first), self.name(*second)));
        }
        Ok(places.first().copied())
    }

    /// Where the time is and what it counts. A column whose name says its unit goes before others.
    ///
    /// # Errors
    /// [`LineProblem`] without any, with two, or where neither the name nor `given` nor `otherwise`
    /// says the unit.
    pub(super) fn time(
        &self,
        given: Option<TimeUnit>,
        otherwise: Option<TimeUnit>,
    ) -> Result<(usize, TimeUnit), LineProblem> {
        let named = self.places(|column| matches!(column, Column::Time(Some(_))));
        let places = if named.is_empty() {
            self.places(|column| column == Column::Time(None))
        } else {
            named
        };
        let place = match places.as_slice() {
            [] => return Err(self.lacks("t_ms")),
            [place] => *place,
            [first, second, ..] => {
                return Err(LineProblem::Doubled(self.name(*first), self.name(*second)));
            }
        };
        let named = match self.column(place) {
            Some(Column::Time(unit)) => unit,
            _ => None,
        };
        let unit = given.or(named).or(otherwise);
        Ok((
            place,
            unit.ok_or_else(|| LineProblem::NoUnit(self.name(place)))?,
        ))
    }

    /// Fails where two columns have one name.
    pub(super) fn distinct(&self) -> Result<(), LineProblem> {
        let mut seen: Vec<String> = Vec::with_capacity(self.names.len());
        for name in self.names.iter().filter(|name| !name.is_empty()) {
            let lower = name.to_lowercase();
            if seen.contains(&lower) {
                return Err(LineProblem::Doubled(name.clone(), name.clone()));
            }
            seen.push(lower);
        }
        Ok(())
    }

    /// A column's name, for a sentence.
    pub(super) fn name(&self, place: usize) -> String {
        match self.names.get(place) {
            Some(name) if !name.is_empty() => name.clone(),
            _ => format!("column {}", place + 1),
        }
    }

    /// The columns besides those at these places, for a sentence; none if all are there.
    pub(super) fn besides(&self, places: &[usize]) -> Option<String> {
        let others = (0..self.names.len()).filter(|place| !places.contains(place));
        let others: Vec<String> = others
            .map(|place| format!("`{}`", self.name(place)))
            .collect();
        (!others.is_empty()).then(|| others.join(", "))
    }

    /// What it says to a column that it does not have.
    pub(super) fn lacks(&self, wanted: &str) -> LineProblem {
        LineProblem::NoColumn {
            wanted: wanted.to_owned(),
            found: self.besides(&[]).unwrap_or_default(),
        }
    }
}
