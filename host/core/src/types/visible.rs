//! What a terminal would act on instead of showing it, made visible.
//!
//! Names, summaries and reasons come from files, servers and clients. A control character among them
//! would move the cursor or clear the screen of whoever reads them, and one that turns the direction of
//! writing would show another text than there is. Each is written as its number, `\u001b`: as JSON has
//! it, so that JSON that goes the same way stays JSON and keeps its meaning.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Bytes of the longest character of UTF-8.
const CHARACTER_BYTES_MAX: usize = 4;

/// Whether a terminal acts on a character: control characters but the end of a line and the tab, ends of
/// lines and paragraphs by other names, and those that turn the direction of what follows.
#[must_use]
pub const fn is_acted_on(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{8}'
            | '\u{b}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// A foreign text as part of one line: the end of a line in it is visible too.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_acted_on(c) || c == '\n') {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if character == '\n' {
            shown.push_str("\\n");
        } else {
            push(&mut shown, character);
        }
    }
    Cow::Owned(shown)
}

fn push(shown: &mut String, character: char) {
    if is_acted_on(character) {
        // Writing to a string cannot fail. All of these have four digits.
        let _ = write!(shown, "\\u{:04x}", u32::from(character));
    } else {
        shown.push(character);
    }
}

/// Shows bytes as text, as far as they are text: what is none is written as `\x9b`.
fn bytes(bytes: &[u8], shown: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            push(shown, character);
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
}

/// How many bytes at the end may be the beginning of a character whose rest is not here yet.
fn begun(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last();
    let rest = last.map_or(&[][..], |chunk| chunk.invalid());
    match std::str::from_utf8(rest) {
        Err(error) if error.error_len().is_none() => rest.len(),
        _ => 0,
    }
}

/// A writer in front of a terminal: whatever is written, nothing reaches it that it would act on.
#[derive(Debug)]
pub struct Visible<W: Write> {
    to: W,
    /// The beginning of a character, at most three bytes.
    begun: Vec<u8>,
}

impl<W: Write> Visible<W> {
    /// In front of this one.
    pub fn new(to: W) -> Self {
        Self {
            to,
            begun: Vec::with_capacity(CHARACTER_BYTES_MAX),
        }
    }
}

impl<W: Write> Write for Visible<W> {
    fn write(&mut self, new: &[u8]) -> io::Result<usize> {
        // Most of what is written.
        let harmless = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
        if self.begun.is_empty() && new.iter().all(harmless) {
            self.to.write_all(new)?;
            return Ok(new.len());
        }
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(new);
        let whole = all.len() - begun(&all);
        self.begun = all.split_off(whole);
        let mut shown = String::with_capacity(all.len());
        bytes(&all, &mut shown);
        self.to.write_all(shown.as_bytes())?;
        Ok(new.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<W: Write> Drop for Visible<W> {
    fn drop(&mut self) {
        let mut shown = String::new();
        bytes(&self.begun, &mut shown);
        // Nobody is left who could be told.
        let _ = self.to.write_all(shown.as_bytes());
    }
}

/// A line of the log as a terminal may have it: one line, whatever text is in it. Where lines are
/// coloured, the colours of whoever formats them pass.
#[must_use]
pub fn logged(line: &[u8], coloured: bool) -> String {
    let text = String::from_utf8_lossy(line);
    let (inner, end) = match text.strip_suffix('\n') {
        Some(inner) => (inner, "\n"),
        None => (&*text, ""),
    };
    let mut shown = String::with_capacity(inner.len() + 1);
    let mut rest = inner;
    while let Some(character) = rest.chars().next() {
        if coloured && let Some(colour) = colour(rest) {
            let (colour, behind) = rest.split_at(colour);
            shown.push_str(colour);
            rest = behind;
            continue;
        }
        shown.push_str(&self::line(
            character.encode_utf8(&mut [0; CHARACTER_BYTES_MAX]),
        ));
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
    }
    shown.push_str(end);
    shown
}

/// How long the sequence is that a text begins with, if it only chooses a colour or a style.
fn colour(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("\u{1b}[")?;
    let end = inner.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
    inner.get(end..)?.starts_with('m').then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(parts: &[&[u8]]) -> String {
        let mut to = Vec::new();
        let mut visible = Visible::new(&mut to);
        for part in parts {
            visible.write_all(part).unwrap();
        }
        drop(visible);
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn what_a_terminal_would_act_on_is_written_as_its_number() {
        let shown = written(&["a\u{1b}[2J\r\u{202e}b\u{9b}\tä\n".as_bytes()]);
        assert_eq!(shown, "a\\u001b[2J\\u000d\\u202eb\\u009b\tä\n");
        assert_eq!(written(&[b"\xff\x1b"]), "\\xff\\u001b");
        assert_eq!(line("a\nb\u{2066}"), "a\\nb\\u2066");
        assert!(matches!(line("käse"), Cow::Borrowed("käse")));
    }

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({ "a": "\u{202e}\u{7f}\u{1b}\n" });
        let shown = written(&[value.to_string().as_bytes()]);
        assert!(!shown.contains(is_acted_on), "{shown}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
    }

    #[test]
    fn a_log_line_is_one_line_and_may_have_colours_only_from_us() {
        let line = "\u{1b}[33m WARN\u{1b}[0m a\u{1b}[2Jb\nc\u{202e}\n";
        let coloured = logged(line.as_bytes(), true);
        assert_eq!(
            coloured,
            "\u{1b}[33m WARN\u{1b}[0m a\\u001b[2Jb\\nc\\u202e\n"
        );
        let plain = logged(line.as_bytes(), false);
        assert!(!plain.contains(is_acted_on) && plain.ends_with("\\u202e\n"));
    }

    proptest! {
        #[test]
        fn nothing_passes_however_it_is_cut(bytes in prop::collection::vec(any::<u8>(), 0..60), at in any::<prop::sample::Index>()) {
            let (one, other) = bytes.split_at(at.index(bytes.len() + 1));
            let shown = written(&[one, other]);
            prop_assert!(!shown.contains(is_acted_on));
            prop_assert_eq!(shown, written(&[&bytes]));
        }

        #[test]
        fn text_that_is_harmless_is_as_it_was(text in "[a-zäß→🦀\n\t ]{0,40}", at in any::<prop::sample::Index>()) {
            let (one, other) = text.as_bytes().split_at(at.index(text.len() + 1));
            prop_assert_eq!(written(&[one, other]), text);
        }
    }
}
