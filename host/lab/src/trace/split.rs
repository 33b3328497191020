//! The fields of a line of a message log: with commas or semicolons between them, else with blanks and
//! tabs. Nothing is skipped: two tabs are an empty field between them.

use super::error::LineProblem;
use super::fields::Fields;

/// Fields of a message.
const FIELDS_MAX: usize = 16;

/// The fields of one line.
#[derive(Debug)]
pub(super) struct Split<'a> {
    fields: [&'a str; FIELDS_MAX],
    count: usize,
}

impl<'a> Split<'a> {
    /// Of a line without blanks around it.
    pub(super) fn of(text: &'a str) -> Result<Self, LineProblem> {
        let mut split = Split {
            fields: [""; FIELDS_MAX],
            count: 0,
        };
        match separator(text) {
            Some(separator) => {
                for field in text.split(char::from(separator)) {
                    split.push(field.trim_ascii())?;
                }
            }
            None => {
                let mut begin = 0;
                for field in text.split_ascii_whitespace() {
                    let at = field.as_ptr() as usize - text.as_ptr() as usize;
                    let gap = text.get(begin..at).unwrap_or_default();
                    // A second tab is behind an empty field.
                    for _ in gap.bytes().filter(|byte| *byte == b'\t').skip(1) {
                        split.push("")?;
                    }
                    split.push(field)?;
                    begin = at + field.len();
                }
            }
        }
        Ok(split)
    }

    fn push(&mut self, field: &'a str) -> Result<(), LineProblem> {
        let place = self.fields.get_mut(self.count);
        *place.ok_or(LineProblem::TooManyFields(FIELDS_MAX))? = field;
        self.count += 1;
        Ok(())
    }

    /// The fields of the line, without separators and quotes.
    pub(super) fn get(&self) -> &[&'a str] {
        self.fields.get(..self.count).unwrap_or_default()
    }
}

/// What stands between the fields of a line; none for blanks and tabs.
fn separator(text: &str) -> Option<u8> {
    [b',', b';']
        .into_iter()
        .find(|separator| text.as_bytes().contains(separator))
}

/// Whether fields of a line may stand in quotes: only where something else than blanks separates.
pub(super) fn is_quoted(text: &str) -> bool {
    text.contains('"') && (separator(text).is_some() || text.contains('\t'))
}

/// The fields of a line of which some stand in quotes, by RFC 4180.
pub(super) fn unquoted(text: &str) -> Result<Vec<String>, LineProblem> {
    let mut fields = Fields::new(separator(text).unwrap_or(b'\t'));
    Ok(fields.of(text)?.iter().map(str::to_owned).collect())
}
