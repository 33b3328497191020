//! Reading traces: from files of any of the forms, in one go, with the place of every mistake.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::builder::{NotTaken, RawEvent, TraceBuilder};
use super::canonical::{Object, Parsed};
use super::error::{LineProblem, TraceError};
use super::event::{Trace, TraceEventKind};
use super::messages::{self, Endpoints, Message};
use super::settings::RecorderSettings;
use super::table::Table;

/// The longest line of a trace, bytes.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// How the first bytes of a zstd frame read.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Which form a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Whatever its first line looks like.
    #[default]
    Auto,
    /// JSON lines, or a table with a header, of canonical events.
    Canonical,
    /// `src dst unixtime`.
    Messages,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "canonical" => Ok(Self::Canonical),
            "messages" => Ok(Self::Messages),
            other => Err(format!(
                "`{other}` is no format; there are `canonical`, `messages` and `auto`"
            )),
        }
    }
}

/// How to read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Which form.
    pub format: Format,
    /// Which column is the user: a field's name in the canonical form (`user` by default); `src`,
    /// `dst` or `both` in a message log.
    pub user_column: Option<String>,
}

/// A trace with what was noticed on the way.
#[derive(Debug, Default)]
pub struct LoadedTrace {
    /// The events.
    pub trace: Trace,
    /// The rules that it was recorded by, as the first file says.
    pub settings: Option<RecorderSettings>,
    /// Events that the recorder had to drop, as far as it counted them.
    pub dropped: u64,
    /// Files whose last line was cut off in the middle, and the number of that line. The line is
    /// left out.
    pub cut_off: Vec<(PathBuf, u64)>,
}

/// Reads files as one trace, in the order given.
///
/// # Errors
/// [`TraceError`] with the file, the line and the remedy.
pub fn read(paths: &[PathBuf], reading: &Reading) -> Result<LoadedTrace, TraceError> {
    let mut loaded = LoadedTrace::default();
    let mut builder = TraceBuilder::default();
    for path in paths {
        let file = File::open(path).map_err(|source| cannot_read(path, source))?;
        let lines = Lines::new(path, unpacked(path, file)?);
        read_file(lines, reading, &mut builder, &mut loaded)?;
    }
    loaded.trace = builder.build();
    Ok(loaded)
}

/// Reads one trace from anything that can be read; `name` stands for the file in errors.
///
/// # Errors
/// [`TraceError`] with the line and the remedy.
pub fn read_from(
    name: &Path,
    source: impl Read,
    reading: &Reading,
) -> Result<LoadedTrace, TraceError> {
    let mut loaded = LoadedTrace::default();
    let mut builder = TraceBuilder::default();
    let lines = Lines::new(name, Box::new(BufReader::new(source)));
    read_file(lines, reading, &mut builder, &mut loaded)?;
    loaded.trace = builder.build();
    Ok(loaded)
}

fn cannot_read(path: &Path, source: io::Error) -> TraceError {
    TraceError::Read {
        path: path.to_owned(),
        source,
    }
}

/// Plain or zstd, by its first bytes.
fn unpacked(path: &Path, file: File) -> Result<Box<dyn BufRead>, TraceError> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let head = reader.fill_buf().map_err(|e| cannot_read(path, e))?;
    if !head.starts_with(&ZSTD_MAGIC) {
        return Ok(Box::new(reader));
    }
    let decoder = zstd::Decoder::with_buffer(reader).map_err(|e| cannot_read(path, e))?;
    Ok(Box::new(BufReader::with_capacity(1 << 20, decoder)))
}

/// What every line of a file is read as, decided by the first that says something.
enum Form {
    Json,
    Table(Table),
    Messages(Endpoints, Vec<Message>),
}

fn read_file(
    mut lines: Lines<'_>,
    reading: &Reading,
    builder: &mut TraceBuilder,
    loaded: &mut LoadedTrace,
) -> Result<(), TraceError> {
    let user = reading.user_column.as_deref().unwrap_or("user");
    let mut form: Option<Form> = None;
    let mut events = 0_u64;
    while let Some(line) = lines.next()? {
        let text = line.text.trim();
        if text.is_empty() {
            continue;
        }
        let form = match &mut form {
            Some(form) => form,
            None => match begin(text, reading).map_err(|what| lines.refuse(what))? {
                Some(begun) => {
                    let is_header = matches!(begun, Form::Table(_));
                    form = Some(begun);
                    if is_header {
                        continue;
                    }
                    let Some(form) = &mut form else { continue };
                    form
                }
                None => continue,
            },
        };
        let taken = match form {
            Form::Json => json(text, user, builder, loaded),
            Form::Table(table) => table
                .event(text)
                .map_err(NotTaken::Problem)
                .and_then(|raw| builder.add(raw)),
            Form::Messages(_, messages) => match messages::line(text) {
                Ok(message) => {
                    messages.extend(message);
                    Ok(())
                }
                Err(problem) => Err(NotTaken::Problem(problem)),
            },
        };
        match taken {
            Ok(()) => events += 1,
            // Its writer was stopped in the middle of it; nothing else is lost.
            Err(NotTaken::Problem(_)) if !line.ended && events > 0 => {
                loaded.cut_off.push((lines.path.to_owned(), lines.number));
            }
            Err(not_taken) => return Err(lines.not_taken(not_taken)),
        }
    }
    match form {
        Some(Form::Messages(endpoints, messages)) if !messages.is_empty() => {
            messages::build(messages, endpoints, builder).map_err(|e| lines.not_taken(e))
        }
        Some(Form::Json | Form::Table(_)) if events > 0 => Ok(()),
        _ => Err(TraceError::Empty {
            path: lines.path.to_owned(),
            format: match reading.format {
                Format::Auto => "auto",
                Format::Canonical => "canonical",
                Format::Messages => "messages",
            },
        }),
    }
}

/// What the file is, by its first line; none while that is a comment.
fn begin(text: &str, reading: &Reading) -> Result<Option<Form>, Begin> {
    let is_comment = text.starts_with(['#', '%']);
    let format = match reading.format {
        Format::Auto if text.starts_with('{') => Format::Canonical,
        Format::Auto if Table::is_header(text) => Format::Canonical,
        Format::Auto => Format::Messages,
        given => given,
    };
    if is_comment {
        return Ok(None);
    }
    if format == Format::Messages {
        let endpoints = match reading.user_column.as_deref() {
            None => Endpoints::default(),
            Some(given) => given
                .parse()
                .map_err(|()| Begin::Column(given.to_owned()))?,
        };
        return Ok(Some(Form::Messages(endpoints, Vec::new())));
    }
    if text.starts_with('{') {
        return Ok(Some(Form::Json));
    }
    let user = reading.user_column.as_deref().unwrap_or("user");
    Table::new(text, user)
        .map(|table| Some(Form::Table(table)))
        .map_err(Begin::Line)
}

/// Why a file cannot be begun.
enum Begin {
    Column(String),
    Line(LineProblem),
}

fn json(
    text: &str,
    user: &str,
    builder: &mut TraceBuilder,
    loaded: &mut LoadedTrace,
) -> Result<(), NotTaken> {
    let object: Object = serde_json::from_str(text)
        .map_err(|error| NotTaken::Problem(LineProblem::Json(json_problem(&error))))?;
    match object.read(user).map_err(NotTaken::Problem)? {
        Parsed::Event(raw) => {
            let later = object.later().map_err(NotTaken::Problem)?;
            frames(raw, &later, builder)
        }
        Parsed::Gap(dropped) => {
            loaded.dropped += dropped;
            Ok(())
        }
        Parsed::Settings(settings) => {
            loaded.settings.get_or_insert(*settings);
            Ok(())
        }
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

/// What serde says, without its line, which is always 1 here.
fn json_problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("not a JSON object: {what} (column {})", error.column())
}

/// The lines of one file, with their numbers.
struct Lines<'a> {
    path: &'a Path,
    reader: Box<dyn BufRead + 'a>,
    buffer: Vec<u8>,
    number: u64,
}

/// One line.
struct Line {
    text: String,
    /// It ends with a line feed: it is whole.
    ended: bool,
}

impl<'a> Lines<'a> {
    fn new(path: &'a Path, reader: Box<dyn BufRead + 'a>) -> Self {
        Self {
            path,
            reader,
            buffer: Vec::new(),
            number: 0,
        }
    }

    fn next(&mut self) -> Result<Option<Line>, TraceError> {
        self.buffer.clear();
        let most = LINE_BYTES_MAX as u64 + 1;
        let read = (&mut self.reader)
            .take(most)
            .read_until(b'\n', &mut self.buffer);
        if read.map_err(|source| cannot_read(self.path, source))? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let ended = self.buffer.last() == Some(&b'\n');
        if !ended && self.buffer.len() > LINE_BYTES_MAX {
            return Err(self.problem(LineProblem::TooLong(LINE_BYTES_MAX)));
        }
        if self.buffer.contains(&0) {
            return Err(self.problem(LineProblem::Nul));
        }
        let bytes = std::mem::take(&mut self.buffer);
        let text = String::from_utf8(bytes).map_err(|_| self.problem(LineProblem::NotText))?;
        Ok(Some(Line { text, ended }))
    }

    fn problem(&self, problem: LineProblem) -> TraceError {
        TraceError::Line {
            path: self.path.to_owned(),
            line: self.number,
            problem,
        }
    }

    fn refuse(&self, what: Begin) -> TraceError {
        match what {
            Begin::Line(problem) => self.problem(problem),
            Begin::Column(given) => TraceError::Column {
                given,
                known: "`src`, `dst` and `both`",
            },
        }
    }

    fn not_taken(&self, not_taken: NotTaken) -> TraceError {
        match not_taken {
            NotTaken::Problem(problem) => self.problem(problem),
            NotTaken::Full(what, most) => TraceError::TooMany {
                path: self.path.to_owned(),
                line: self.number,
                what,
                most,
            },
        }
    }
}
