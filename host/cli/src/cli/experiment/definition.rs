//! The file that defines an experiment: what the API takes, and on which line each key is.
//!
//! What the definition says is judged by the server. Here are only the file, numbers that JSON cannot
//! have, and the line of the key that a refusal names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::cli::exit::{EX_DATAERR, EX_NOINPUT};
use crate::cli::failure::Failure;
use crate::cli::policy::operate::client::refused;

/// The largest definition that is read, bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// A definition, read.
#[derive(Debug)]
pub(super) struct DefinitionFile {
    path: PathBuf,
    /// As the API takes it.
    pub(super) body: Value,
    /// The line of each key, from 1, by its path: `arms[0].params.half-life-ms`.
    lines: BTreeMap<String, usize>,
}

impl DefinitionFile {
    /// Reads it.
    ///
    /// # Errors
    /// A sentence with the file, and the line and the key where it has one.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |why: String| refused(&format!("{}: {why}", path.display()));
        let length = std::fs::metadata(path)
            .map_err(|error| wrong(error.to_string()).code(EX_NOINPUT))?
            .len();
        if length > FILE_BYTES_MAX {
            return Err(wrong(format!(
                "it has {length} bytes, and a definition at most {FILE_BYTES_MAX}"
            )));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| wrong(error.to_string()).code(EX_NOINPUT))?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let wrong = |why: String| refused(&format!("{}: {why}", path.display())).code(EX_DATAERR);
        let table: toml::Table = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let spanned = DeTable::parse(text).map_err(|error| wrong(error.to_string()))?;
        let mut places = BTreeMap::new();
        note_keys("", spanned.get_ref(), &mut places);
        let line = |at: &usize| text.bytes().take(*at).filter(|byte| *byte == b'\n').count() + 1;
        let lines = places.iter().map(|(key, at)| (key.clone(), line(at)));
        let mut file = Self {
            path: path.to_owned(),
            body: Value::Null,
            lines: lines.collect(),
        };
        if let Some((key, number)) = not_finite("", &toml::Value::Table(table.clone())) {
            let number = number.to_string().to_lowercase();
            let sentence = format!("`{key}` is {number}: it has to be a finite number");
            return Err(refused(&file.located(&sentence)));
        }
        file.body = serde_json::to_value(table).map_err(|error| wrong(error.to_string()))?;
        Ok(file)
    }

    /// What the server refused, with the file and the line of the key that it names.
    pub(super) fn refusal(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Io(_) => failure,
            Failure::Verb { code, sentences } => Failure::Verb {
                code,
                sentences: sentences
                    .iter()
                    .map(|sentence| self.located(sentence))
                    .collect(),
            },
        }
    }

    /// A sentence behind the place of the first key in backticks that the file has; unchanged where it
    /// names none.
    fn located(&self, sentence: &str) -> String {
        let mut quoted = sentence.split('`').skip(1).step_by(2);
        let line = quoted.find_map(|name| self.lines.get(name));
        line.map_or_else(
            || sentence.to_owned(),
            |line| format!("{}:{line}: {sentence}", self.path.display()),
        )
    }
}

/// Where each key is, in bytes.
fn note_keys(prefix: &str, table: &DeTable<'_>, into: &mut BTreeMap<String, usize>) {
    for (name, value) in table {
        let path = joined(prefix, name.get_ref());
        into.insert(path.clone(), name.span().start);
        note_value(&path, value.get_ref(), into);
    }
}

fn note_value(path: &str, value: &DeValue<'_>, into: &mut BTreeMap<String, usize>) {
    match value {
        DeValue::Table(inner) => note_keys(path, inner, into),
        DeValue::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let path = format!("{path}[{at}]");
                into.insert(path.clone(), item.span().start);
                note_value(&path, item.get_ref(), into);
            }
        }
        _ => {}
    }
}

/// The first number that JSON cannot have, with its key.
fn not_finite(path: &str, value: &toml::Value) -> Option<(String, f64)> {
    match value {
        toml::Value::Float(number) if !number.is_finite() => Some((path.to_owned(), *number)),
        toml::Value::Table(table) => table
            .iter()
            .find_map(|(name, value)| not_finite(&joined(path, name), value)),
        toml::Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(at, value)| not_finite(&format!("{path}[{at}]"), value)),
        _ => None,
    }
}

fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFINITION: &str = "name = \"x\"\n\ncoverage = 0.5\n[[arms]]\npolicy = \"champion\"\n[[arms]]\npolicy = \"lrfu\"\nparams = { half-life-ms = 1e5 }\n";

    fn sentence(result: Result<DefinitionFile, Failure>) -> String {
        let mut text = Vec::new();
        result.unwrap_err().report(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn p25_a_number_that_is_none_is_refused_with_key_and_line() {
        for (from, to, expected) in [
            (
                "0.5",
                "nan",
                "x.toml:3: `coverage` is nan: it has to be a finite number",
            ),
            (
                "1e5",
                "-inf",
                "x.toml:8: `arms[1].params.half-life-ms` is -inf: it has to be a finite number",
            ),
        ] {
            let text = DEFINITION.replace(from, to);
            let told = sentence(DefinitionFile::parse(Path::new("x.toml"), &text));
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn p25_a_refusal_gets_the_line_of_the_key_that_it_names() {
        let file = DefinitionFile::parse(Path::new("x.toml"), DEFINITION).unwrap();
        let refusal = |said: &str| {
            let mut text = Vec::new();
            file.refusal(Failure::new(said)).report(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        assert_eq!(
            refusal("`coverage` is 7: give more than 0, at most 1"),
            "error: x.toml:3: `coverage` is 7: give more than 0, at most 1\n"
        );
        assert_eq!(
            refusal("there is no key `x`, and `arms[1].policy` is wrong"),
            "error: x.toml:7: there is no key `x`, and `arms[1].policy` is wrong\n"
        );
        assert_eq!(refusal("the server is full"), "error: the server is full\n");
    }
}
