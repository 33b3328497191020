//! One file of a trace on its way in: which form it has, line by line, and what of it is left out.

use std::path::PathBuf;

use super::builder::{NotTaken, RawEvent, TraceBuilder};
use super::canonical::{Manner, Object, Parsed};
use super::clock::{Clock, TimeUnit};
use super::columns::{Column, Header};
use super::error::{LineProblem, TraceError};
use super::event::TraceEventKind;
use super::layout::TIME_MIN;
use super::lines::Lines;
use super::messages::{Endpoints, MessageLog};
use super::read::{Format, LoadedTrace, Reading};
use super::table::Table;

/// What every line of a file is read as, decided by the first that says something.
enum Form {
    Json(Clock),
    Table(Box<Table>),
    Messages(Box<MessageLog>),
}

/// One file on its way in.
pub(super) struct FileReader<'a> {
    lines: Lines<'a>,
    reading: &'a Reading,
    form: Option<Form>,
    /// A comment at its head says that it is a file of KONECT.
    is_konects: bool,
    /// Lines that were taken.
    taken: u64,
    /// The last line, if it was taken and nothing says that it is whole.
    unended: Option<u64>,
}

impl<'a> FileReader<'a> {
    /// Before the first line.
    pub(super) const fn new(lines: Lines<'a>, reading: &'a Reading) -> Self {
        Self {
            lines,
            reading,
            form: None,
            is_konects: false,
            taken: 0,
            unended: None,
        }
    }

    /// Reads all of it.
    pub(super) fn read(
        mut self,
        builder: &mut TraceBuilder,
        loaded: &mut LoadedTrace,
    ) -> Result<(), TraceError> {
        // A line that the crash of a recorder tore: its next start ended it, and began with its settings.
        let mut torn: Option<((PathBuf, u64), TraceError)> = None;
        while self.lines.advance()? {
            if matches!(self.form, Some(Form::Table(_))) {
                self.lines.complete()?;
            }
            if let Some((cut, error)) = torn.take() {
                if !self.lines.text().is_ok_and(begins_a_recording) {
                    return Err(error);
                }
                loaded.cut_off.push(cut);
            }
            match self.line(builder, loaded) {
                Ok(()) => self.unended = self.lines.may_be_cut().then(|| self.lines.cut().1),
                // Its writer was stopped in the middle of it; nothing else is lost.
                Err(Refusal::NotTaken(NotTaken::Problem(_)))
                    if self.lines.may_be_cut() && self.taken > 0 =>
                {
                    loaded.cut_off.push(self.lines.cut());
                }
                Err(Refusal::NotTaken(NotTaken::Problem(problem)))
                    if matches!(self.form, Some(Form::Json(_)))
                        && matches!(problem, LineProblem::Json(_) | LineProblem::NotText) =>
                {
                    torn = Some((self.lines.cut(), self.lines.problem(problem)));
                }
                Err(Refusal::NotTaken(not_taken)) => return Err(self.lines.not_taken(not_taken)),
                Err(Refusal::Column(given)) => {
                    let known = "`src`, `dst` and `both`";
                    return Err(TraceError::Column { given, known });
                }
            }
        }
        if let Some((_, error)) = torn {
            return Err(error);
        }
        if loaded
            .cut_off
            .last()
            .is_none_or(|(path, _)| path != self.lines.path())
        {
            loaded.cut_off.extend(self.lines.torn());
        }
        self.finish(builder, loaded)
    }

    /// Takes one line.
    fn line(
        &mut self,
        builder: &mut TraceBuilder,
        loaded: &mut LoadedTrace,
    ) -> Result<(), Refusal> {
        let text = self.lines.text()?;
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(());
        }
        let is_first = builder.is_empty() && builder.latest_ms() == 0;
        let form = match &mut self.form {
            Some(form) => form,
            None => {
                if trimmed.starts_with(['#', '%']) {
                    if self.reading.format != Format::Canonical {
                        let mut log = MessageLog::new(Endpoints::Both, None, self.reading)?;
                        log.line(trimmed, false)?;
                    }
                    self.is_konects |= begins_konect(trimmed);
                    return Ok(());
                }
                let (form, is_header) = begin(text, self.reading)?;
                if self.is_konects && self.reading.time_unit.is_none() && is_weighted(trimmed) {
                    return Err(LineProblem::NoTimes.into());
                }
                let form = self.form.insert(form);
                if is_header {
                    return Ok(());
                }
                form
            }
        };
        match form {
            Form::Json(clock) => {
                let manner = Manner {
                    user: self.reading.user(),
                    clock,
                    is_first,
                };
                json(trimmed, manner, builder, loaded)?;
            }
            Form::Table(table) => {
                let may_be_short = self.lines.may_be_cut() && table.ends_with_time();
                let raw = table.event(text, is_first)?;
                whole(raw.at_ms, may_be_short, builder)?;
                builder.add(raw)?;
            }
            Form::Messages(log) => {
                let Some(at_ms) = log.line(text, is_first)? else {
                    return Ok(());
                };
                let passed = whole(at_ms, self.lines.may_be_cut(), builder)
                    .and_then(|()| builder.pass(at_ms));
                if let Err(problem) = passed {
                    log.leave_out();
                    return Err(problem.into());
                }
            }
        }
        self.taken += 1;
        Ok(())
    }

    /// Says what the file was taken as, and takes what is taken as a whole.
    fn finish(
        self,
        builder: &mut TraceBuilder,
        loaded: &mut LoadedTrace,
    ) -> Result<(), TraceError> {
        let path = self.lines.path().to_owned();
        let shown = path.display();
        let (taken, unread) = match &self.form {
            None => return Err(self.empty()),
            Some(_) if self.taken == 0 => return Err(self.empty()),
            Some(Form::Json(clock)) => {
                (format!("JSON lines, times in {}", clock.unit.name()), None)
            }
            Some(Form::Table(table)) => (table.taken(), table.unread()),
            Some(Form::Messages(log)) => (log.taken(), log.unread()),
        };
        if let Some(unread) = unread {
            let remark = format!("{shown} is taken as {taken}; not read: {unread}");
            loaded.remarks.push(remark);
        }
        if let (Some(Form::Table(_)), Some(line)) = (&self.form, self.unended) {
            loaded.remarks.push(format!(
                "{shown}:{line} does not end with a line feed; if it was cut off, its last field is short"
            ));
        }
        loaded.taken.push((path, taken));
        match self.form {
            Some(Form::Messages(log)) => log
                .build(builder)
                .map_err(|error| self.lines.not_taken(error)),
            _ => Ok(()),
        }
    }

    fn empty(&self) -> TraceError {
        TraceError::Empty {
            path: self.lines.path().to_owned(),
            what: match self.reading.format {
                Format::Auto => "event of any format that is known",
                Format::Canonical => "event of the format `canonical`; `--format` names another",
                Format::Messages => "event of the format `messages`; `--format` names another",
            },
        }
    }
}

/// Why a line is not taken.
enum Refusal {
    NotTaken(NotTaken),
    /// The user's column is none of a message log.
    Column(String),
}

impl From<NotTaken> for Refusal {
    fn from(not_taken: NotTaken) -> Self {
        Self::NotTaken(not_taken)
    }
}

impl From<LineProblem> for Refusal {
    fn from(problem: LineProblem) -> Self {
        NotTaken::Problem(problem).into()
    }
}

/// Whether a comment is the first line of a file of KONECT: the kind of the network, then that of its weights.
fn begins_konect(comment: &str) -> bool {
    let kind = comment.trim_start_matches('%').split_whitespace().next();
    kind.is_some_and(|kind| ["sym", "asym", "bip"].contains(&kind))
}

/// Whether a line has two ends and a weight, and no time.
fn is_weighted(text: &str) -> bool {
    let mut fields = text.split_whitespace();
    let third = fields.nth(2).and_then(|field| field.parse::<f64>().ok());
    fields.next().is_none() && third.is_some_and(|weight| weight < TIME_MIN)
}

/// Whether a line is the first that a recorder writes when it starts.
fn begins_a_recording(text: &str) -> bool {
    text.trim_start().starts_with("{\"settings\"")
}

/// Fails where a last line ends in the middle of its time: what is left of that is earlier than the
/// lines before it.
fn whole(at_ms: u64, may_be_short: bool, builder: &TraceBuilder) -> Result<(), LineProblem> {
    let back_ms = builder.latest_ms().saturating_sub(at_ms);
    if may_be_short && back_ms > 0 {
        return Err(LineProblem::Unordered {
            back_ms,
            most_ms: 0,
        });
    }
    Ok(())
}

/// What the file is, by its first line, and whether that only names columns.
fn begin(text: &str, reading: &Reading) -> Result<(Form, bool), Refusal> {
    let trimmed = text.trim();
    let is_auto = reading.format == Format::Auto;
    if trimmed.starts_with('[') && reading.format != Format::Messages {
        return Err(LineProblem::List.into());
    }
    if trimmed.starts_with('{') && reading.format != Format::Messages {
        return Ok((
            Form::Json(Clock {
                unit: reading.time_unit.unwrap_or(TimeUnit::Milliseconds),
                is_given: reading.time_unit.is_some(),
                field: "t_ms".to_owned(),
            }),
            false,
        ));
    }
    let header = Header::find(trimmed, reading.user())?;
    let is_log = |header: &Header| {
        let has = |wanted| !header.places(|column| column == wanted).is_empty();
        has(Column::Source) && has(Column::Destination) && !has(Column::Key)
    };
    if reading.format == Format::Messages || is_auto && header.as_ref().is_none_or(is_log) {
        let endpoints = match reading.user_column.as_deref() {
            None => Endpoints::default(),
            Some(given) => given
                .parse()
                .map_err(|()| Refusal::Column(given.to_owned()))?,
        };
        let log = MessageLog::new(endpoints, header.as_ref(), reading)?;
        return Ok((Form::Messages(Box::new(log)), header.is_some()));
    }
    let header = match header {
        Some(header) => header,
        None => Header::split(trimmed, reading.user(), b',')?,
    };
    let table = Table::new(header, reading)?;
    Ok((Form::Table(Box::new(table)), true))
}

fn json(
    text: &str,
    manner: Manner<'_>,
    builder: &mut TraceBuilder,
    loaded: &mut LoadedTrace,
) -> Result<(), NotTaken> {
    let object = Object::parse(text).map_err(NotTaken::Problem)?;
    match object.read(manner).map_err(NotTaken::Problem)? {
        Parsed::Event(raw) => {
            let later = object.later().map_err(NotTaken::Problem)?;
            frames(raw, &later, builder)
        }
        Parsed::Gap(dropped) => {
            loaded.dropped += dropped;
            Ok(())
        }
        Parsed::Settings(settings) => {
            builder.begin(&settings);
            loaded.settings.get_or_insert(*settings);
            Ok(())
        }
        Parsed::Aside(aside) => builder.aside(*aside),
    }
}

/// Adds an event, or the frames that it stands for where each has its moment.
fn frames(raw: RawEvent<'_>, later: &[u64], builder: &mut TraceBuilder) -> Result<(), NotTaken> {
    let TraceEventKind::In { n, bytes, .. } = raw.kind else {
        return builder.add(raw);
    };
    if later.is_empty() || later.len() as u64 + 1 != u64::from(n) {
        return builder.add(raw);
    }
    let each = bytes / u64::from(n);
    let frame = |after: u64, bytes: u64| RawEvent {
        at_ms: raw.at_ms.saturating_add(after),
        kind: TraceEventKind::In {
            n: 1,
            bytes,
            last_ms: 0,
        },
        ..raw
    };
    // The first takes what does not divide.
    builder.add(frame(0, bytes - each * later.len() as u64))?;
    later
        .iter()
        .try_for_each(|&after| builder.add(frame(after, each)))
}
