//! Text that fits the terminal: the one place that knows how wide it is.
//!
//! [`Fitted`] stands between a command and a terminal. A line that is too long goes on in the next one, between
//! two words, below where its text began; a row of a table is cut at the edge, with `…`. What is for programs (JSON,
//! HTML) passes as it is, and where there is no terminal everything does.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};

use terminal_size::{Width, terminal_size_of};
use textwrap::{Options, WordSeparator, WordSplitter};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns of the narrowest terminal that lines are made to fit.
const WIDTH_MIN: usize = 20;
/// The part of the width that may stand before a text that goes on below itself, in percent.
const HANGING_MAX: usize = 66;
/// Words from which on the last cell of a row is a sentence.
const SENTENCE_WORDS_MIN: usize = 4;
/// Bytes of one line that are waited for; a longer one goes on as it is.
const LINE_BYTES_MAX: usize = 16 << 10;

/// How many columns a terminal has; none where there is none.
#[must_use]
pub fn columns(stream: &impl std::os::fd::AsFd) -> Option<usize> {
    let (Width(width), _) = terminal_size_of(stream)?;
    // A terminal that does not know says 0.
    (width > 0).then(|| usize::from(width).max(WIDTH_MIN))
}

/// Standard output where it is a terminal: for what draws on it, or writes in colours, and so goes past the filter that
/// the verbs' output passes. Whoever writes to it passes texts from outside through `types::visible`.
pub(in crate::cli) fn screen() -> Option<io::Stdout> {
    let stdout = io::stdout();
    stdout.is_terminal().then_some(stdout)
}

/// A writer whose lines fit a terminal.
#[derive(Debug)]
pub struct Fitted<W: Write> {
    to: W,
    /// None where there is no terminal.
    width: Option<usize>,
    /// The line so far.
    line: Vec<u8>,
}

impl<W: Write> Fitted<W> {
    /// In front of what has so many columns; of what has none, a writer that changes nothing.
    pub const fn new(to: W, width: Option<usize>) -> Self {
        Self {
            to,
            width,
            line: Vec::new(),
        }
    }

    /// Writes what there is of a line, fitted.
    fn end_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        match (self.width, std::str::from_utf8(&line)) {
            (Some(width), Ok(text)) => {
                let (text, end) = match text.strip_suffix('\n') {
                    Some(text) => (text, "\n"),
                    None => (text, ""),
                };
                self.to.write_all(fitted(text, width).as_bytes())?;
                self.to.write_all(end.as_bytes())
            }
            _ => self.to.write_all(&line),
        }
    }
}

impl<W: Write> Write for Fitted<W> {
    fn write(&mut self, new: &[u8]) -> io::Result<usize> {
        if self.width.is_none() {
            return self.to.write(new);
        }
        for part in new.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line()?;
            } else if self.line.len() > LINE_BYTES_MAX {
                let line = std::mem::take(&mut self.line);
                self.to.write_all(&line)?;
            }
        }
        Ok(new.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.end_line()?;
        self.to.flush()
    }
}

impl<W: Write> Drop for Fitted<W> {
    fn drop(&mut self) {
        // Nobody is left who could be told.
        let _ = self.flush();
    }
}

/// A line in as many lines as a terminal of that width needs for it. No word is broken that fits.
#[must_use]
pub fn fitted(line: &str, width: usize) -> Cow<'_, str> {
    if line.width() <= width || is_for_programs(line) {
        return Cow::Borrowed(line);
    }
    let (start, gaps) = last_column(line);
    let (before, text) = line.split_at_checked(start).unwrap_or(("", line));
    let at = before.width();
    // A label with its text, or a row that ends in a sentence; other rows end in a value.
    let words = text.split_whitespace().count();
    let is_prose = words >= if gaps > 1 { SENTENCE_WORDS_MIN } else { 2 };
    if gaps == 0 || (is_prose && at * 100 <= width * HANGING_MAX) {
        let hang = format!("{}{}", " ".repeat(at), mark(text));
        return Cow::Owned(wrapped(text, width, before, &hang));
    }
    if is_prose {
        let from = " ".repeat(indent(line));
        let hang = format!("{from}    ");
        return Cow::Owned(wrapped(line.trim_start(), width, &from, &hang));
    }
    if gaps == 1 {
        return Cow::Borrowed(line);
    }
    Cow::Owned(cut(line, width))
}

/// JSON, HTML and quoted CSV: another line end would make something else of it.
fn is_for_programs(line: &str) -> bool {
    line.trim_start()
        .starts_with(['{', '[', ']', '}', '<', '"'])
}

/// Spaces at the beginning.
fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Where the last column of a line begins, and how many gaps of two spaces or more are before it.
fn last_column(line: &str) -> (usize, usize) {
    let from = indent(line);
    let (mut start, mut gaps, mut spaces) = (from, 0, 0);
    for (at, character) in line.char_indices().skip_while(|(at, _)| *at < from) {
        if character == ' ' {
            spaces += 1;
            continue;
        }
        if spaces > 1 {
            (start, gaps) = (at, gaps + 1);
        }
        spaces = 0;
    }
    (start, gaps)
}

/// What the next lines of a text begin with: a comment goes on as one, and what belongs to a mark stands behind it.
fn mark(text: &str) -> &'static str {
    if text.starts_with("# ") {
        "# "
    } else if text.starts_with("- ") || text.starts_with("error: ") || text.starts_with("warning: ")
    {
        "  "
    } else {
        ""
    }
}

fn wrapped(text: &str, width: usize, first: &str, rest: &str) -> String {
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(rest)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    textwrap::fill(text, options)
}

/// The beginning of a line, with a sign that there is more.
pub(in crate::cli) fn cut(line: &str, width: usize) -> String {
    let mut room = width.saturating_sub(1);
    let mut kept = String::with_capacity(width + 4);
    for character in line.chars() {
        let wide = character.width().unwrap_or(0);
        if wide > room {
            break;
        }
        room -= wide;
        kept.push(character);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prose_goes_on_between_words_and_below_itself() {
        let shown = |line: &str| fitted(line, 40).into_owned();
        assert_eq!(shown("short"), "short");
        assert_eq!(
            shown("One more client asks to enter. The limit is reached."),
            "One more client asks to enter. The limit\nis reached."
        );
        assert_eq!(
            shown("error: cannot reach the operators' API at the address"),
            "error: cannot reach the operators' API\n  at the address"
        );
        assert_eq!(
            shown("well       yes, and so is everything that it needs"),
            "well       yes, and so is everything\n           that it needs"
        );
        assert_eq!(
            shown("    # a comment of a configuration file, which goes on"),
            "    # a comment of a configuration file,\n    # which goes on"
        );
        assert_eq!(
            shown("12:02:11Z  tab-1  evicted because its user needed room"),
            "12:02:11Z  tab-1  evicted because its\n                  user needed room"
        );
        // Nothing is below a column that has no room.
        assert_eq!(
            shown("a name that is so long that it is 34  says what it is"),
            "a name that is so long that it is 34\n    says what it is"
        );
    }

    #[test]
    fn a_row_is_cut_and_what_is_for_programs_is_left_alone() {
        let row = "chat-01     alive      protected   90.1 s   none";
        assert_eq!(fitted(row, 40), "chat-01     alive      protected   90.1…");
        assert_eq!(fitted("用户用户用户  1  2", 10), "用户用户…");
        for json in [
            r#"{"a": "b c d e f g h i j k l m n o p q"}"#,
            "<p>one two three four five six</p>",
        ] {
            assert_eq!(fitted(json, 20), json);
        }
        let url = "connect   ws://127.0.0.1:8080/ws?user=ann&key=chat-1";
        assert_eq!(fitted(url, 40), url);
    }

    #[test]
    fn without_a_terminal_nothing_changes_and_with_one_it_is_line_by_line() {
        let text = "one two three four five six seven\n\nhalf a line";
        for (width, expected) in [
            (None, text),
            (
                Some(20),
                "one two three four\nfive six seven\n\nhalf a line",
            ),
        ] {
            let mut to = Vec::new();
            let mut writer = Fitted::new(&mut to, width);
            for byte in text.as_bytes().chunks(1) {
                writer.write_all(byte).unwrap();
            }
            drop(writer);
            assert_eq!(String::from_utf8(to).unwrap(), expected);
        }
    }

    proptest! {
        #[test]
        fn no_word_is_lost_or_broken_in_prose(
            words in prop::collection::vec("[a-zß→]{1,18}", 1..40),
            width in 20..100_usize,
        ) {
            let line = words.join(" ");
            let shown = fitted(&line, width);
            let lines: Vec<&str> = shown.lines().collect();
            prop_assert!(lines.iter().all(|line| line.width() <= width), "{shown}");
            let back: Vec<&str> = shown.split_whitespace().collect();
            prop_assert_eq!(back, words);
        }

        #[test]
        fn a_row_is_never_wider_than_the_terminal(
            cells in prop::collection::vec("[a-z用]{1,30}", 3..9),
            width in 20..100_usize,
        ) {
            let line = cells.join("   ");
            prop_assert!(fitted(&line, width).width() <= width);
        }
    }
}
