//! The lines of one file, with their numbers.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use super::builder::NotTaken;
use super::encoding;
use super::error::{LineProblem, TraceError};

/// The longest line of a trace, bytes; of a table, the longest record.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// A file, read line by line.
pub(super) struct Lines<'a> {
    path: &'a Path,
    reader: Box<dyn BufRead + 'a>,
    buffer: Vec<u8>,
    /// Bytes that a line may have.
    most: usize,
    /// The line that was read last, from 1.
    number: u64,
    /// The first line of what is in the buffer: quoted fields may hold line feeds.
    began: u64,
    /// The packed stream ended in the middle.
    is_torn: bool,
}

impl<'a> Lines<'a> {
    /// The lines of a file or of what stands for it.
    pub(super) fn new(path: &'a Path, source: impl Read + 'a) -> Result<Self, TraceError> {
        let opened = encoding::opened(source)
            .map_err(|source| cannot_read(path, source))?
            .map_err(|found| TraceError::Foreign {
                path: path.to_owned(),
                found,
            })?;
        Ok(Self {
            path,
            reader: opened.reader,
            buffer: Vec::new(),
            most: LINE_BYTES_MAX,
            number: 0,
            began: 0,
            is_torn: false,
        })
    }

    /// The same with another limit for a line, bytes.
    pub(super) const fn at_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Reads the next line; false at the end of the file.
    pub(super) fn advance(&mut self) -> Result<bool, TraceError> {
        self.buffer.clear();
        self.began = self.number + 1;
        self.append()
    }

    /// Reads on while a quote is open, so that the buffer holds one record of a table.
    pub(super) fn complete(&mut self) -> Result<(), TraceError> {
        let is_open = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
        while is_open(&self.buffer) && self.append()? {}
        Ok(())
    }

    fn append(&mut self) -> Result<bool, TraceError> {
        let before = self.buffer.len();
        let left = (self.most + 1).saturating_sub(before) as u64;
        let read = (&mut self.reader)
            .take(left)
            .read_until(b'\n', &mut self.buffer);
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.is_torn = true,
            Err(error) => return Err(cannot_read(self.path, error)),
        }
        if self.buffer.len() == before {
            if left == 0 {
                return Err(self.problem(LineProblem::TooLong(self.most)));
            }
            return Ok(false);
        }
        self.number += 1;
        if !self.is_ended() && self.buffer.len() > self.most {
            return Err(self.problem(LineProblem::TooLong(self.most)));
        }
        Ok(true)
    }

    /// What was read.
    pub(super) fn text(&self) -> Result<&str, LineProblem> {
        let text = std::str::from_utf8(&self.buffer).map_err(|_| LineProblem::NotText)?;
        if self.buffer.contains(&0) {
            return Err(LineProblem::Nul);
        }
        if self.began > 1 && text.starts_with('\u{feff}') {
            return Err(LineProblem::Mark);
        }
        Ok(text)
    }

    /// Whether it ends with a line feed: else nothing says that it is whole.
    pub(super) fn is_ended(&self) -> bool {
        self.buffer.last() == Some(&b'\n')
    }

    /// Whether a mistake in it may be that of a writer that was stopped in the middle.
    pub(super) fn may_be_cut(&self) -> bool {
        !self.is_ended() && self.began == self.number
    }

    /// The line that is left out because the file ends in the middle of it.
    pub(super) fn cut(&self) -> (PathBuf, u64) {
        (self.path.to_owned(), self.number)
    }

    /// The line that is missing because the packed stream ends before it; none if the stream is whole.
    pub(super) fn torn(&self) -> Option<(PathBuf, u64)> {
        self.is_torn
            .then(|| (self.path.to_owned(), self.number + 1))
    }

    /// Which file it is.
    pub(super) const fn path(&self) -> &'a Path {
        self.path
    }

    /// What is wrong with what was read, with its place.
    pub(super) fn problem(&self, problem: LineProblem) -> TraceError {
        TraceError::Line {
            path: self.path.to_owned(),
            line: self.began,
            problem,
        }
    }

    /// Why what was read is not taken, with its place.
    pub(super) fn not_taken(&self, not_taken: NotTaken) -> TraceError {
        match not_taken {
            NotTaken::Problem(problem) => self.problem(problem),
            NotTaken::Full(what, most) => TraceError::TooMany {
                path: self.path.to_owned(),
                line: self.began,
                what,
                most,
            },
        }
    }
}

pub(super) fn cannot_read(path: &Path, source: io::Error) -> TraceError {
    TraceError::Read {
        path: path.to_owned(),
        source,
    }
}
