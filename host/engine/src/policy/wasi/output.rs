//! What a policy prints becomes lines of its log.

use wasmtime::StoreContextMut;
use wasmtime::component::WasmList;

use super::super::guest::{self, Guest};
use super::super::log::Level;

/// Bytes of a line that are kept until it ends; the log cuts it off again, at its own cap.
const LINE_BYTES_MAX: usize = 4_096;

/// The beginning of a line that has not ended yet.
#[derive(Debug)]
pub(super) struct Line(Vec<u8>);

/// Which of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES_MAX.saturating_sub(self.0.len());
        self.0.extend(bytes.iter().take(room));
    }

    /// What there is, if anything; then it is empty.
    fn take(&mut self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.0).trim_end().to_owned();
        self.0.clear();
        (!text.is_empty()).then_some(text)
    }
}

impl Stream {
    const fn level(self) -> Level {
        match self {
            Self::Stdout => Level::Info,
            Self::Stderr => Level::Warn,
        }
    }

    fn line(self, guest: &mut Guest) -> &mut Line {
        match self {
            Self::Stdout => &mut guest.wasi.stdout,
            Self::Stderr => &mut guest.wasi.stderr,
        }
    }

    /// Its line ended.
    fn end(self, guest: &mut Guest) {
        if let Some(text) = self.line(guest).take() {
            guest::say(guest, self.level(), &text);
        }
    }
}

/// Takes what was written to a stream.
pub(super) fn write(
    mut store: StoreContextMut<'_, Guest>,
    stream: Stream,
    contents: &WasmList<u8>,
) {
    let bytes = contents.as_le_slice(&store).to_vec();
    let guest = store.data_mut();
    let mut lines = bytes.split(|byte| *byte == b'\n');
    if let Some(rest) = lines.next() {
        stream.line(guest).push(rest);
    }
    for begun in lines {
        stream.end(guest);
        stream.line(guest).push(begun);
    }
}

/// Writes what was left without an end of line; for when a call is over.
pub(in crate::policy) fn flush(guest: &mut Guest) {
    Stream::Stdout.end(guest);
    Stream::Stderr.end(guest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_kept_in_pieces_and_never_grows_beyond_its_cap() {
        let mut line = Line::new();
        line.push(b"a");
        line.push(b"b ");
        assert_eq!(line.take().as_deref(), Some("ab"));
        assert_eq!(line.take(), None);
        for _ in 0..3 {
            line.push(&[b'x'; 3_000]);
        }
        assert_eq!(line.take().unwrap().len(), LINE_BYTES_MAX);
    }
}
