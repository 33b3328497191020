//! The layer of the TOML file: text to entries that know their line.
//!
//! What the keys mean is not known here; the table is asked only where a section ends and a value
//! begins, since TOML writes both as tables.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigProblem;
use super::keys::Table;
use super::raw::{Entry, Raw, SettingOrigin};

/// A larger file is no configuration.
const FILE_BYTES_MAX: u64 = 1_024 * 1_024;

/// The entries of a file that `named_by` names.
pub(super) fn entries(
    path: &Path,
    named_by: SettingOrigin,
    table: &Table,
) -> Result<Vec<Entry>, Vec<ConfigProblem>> {
    let text = read(path).map_err(|reason| {
        vec![ConfigProblem::Unreadable {
            path: path.to_owned(),
            origin: named_by,
            reason,
        }]
    })?;
    let file = File { path, text: &text };
    let (document, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|error| file.syntax(error)).collect());
    }
    let mut entries = Vec::new();
    file.walk("", document.get_ref(), table, &mut entries);
    entries.sort_by_key(|(line, _)| *line);
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}

fn read(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let most = FILE_BYTES_MAX + 1;
    let bytes = file
        .take(most)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    if u64::try_from(bytes).is_ok_and(|bytes| bytes == most) {
        return Err(format!("it has more than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn origin(&self, line: usize) -> SettingOrigin {
        SettingOrigin::File {
            path: self.path.to_owned(),
            line,
        }
    }

    /// The line of a byte, from 1.
    fn line(&self, at: usize) -> usize {
        self.text
            .bytes()
            .take(at)
            .filter(|byte| *byte == b'\n')
            .count()
            + 1
    }

    fn syntax(&self, error: &toml::de::Error) -> ConfigProblem {
        let line = self.line(error.span().map_or(0, |span| span.start));
        ConfigProblem::Syntax {
            origin: self.origin(line),
            reason: error.message().to_owned(),
        }
    }

    fn walk(
        &self,
        prefix: &str,
        values: &DeTable<'_>,
        table: &Table,
        into: &mut Vec<(usize, Entry)>,
    ) {
        for (name, value) in values {
            let path = match prefix {
                "" => name.get_ref().to_string(),
                _ => format!("{prefix}.{}", name.get_ref()),
            };
            // A name with a dot in it is no path, whatever it spells.
            let is_name = !name.get_ref().contains('.');
            match value.get_ref() {
                DeValue::Table(inner) if is_name && table.is_section(&path) => {
                    self.walk(&path, inner, table, into);
                }
                DeValue::Array(items) if is_name && table.is_list(&path) && are_tables(items) => {
                    for (at, item) in items.iter().enumerate() {
                        let path = format!("{path}[{at}]");
                        let line = self.line(item.span().start);
                        // The table itself, since it may have no keys.
                        let entry = Entry {
                            path: path.clone(),
                            raw: Raw::Table,
                            origin: self.origin(line),
                        };
                        into.push((line, entry));
                        if let DeValue::Table(inner) = item.get_ref() {
                            self.walk(&path, inner, table, into);
                        }
                    }
                }
                found => {
                    let line = self.line(name.span().start);
                    let path = if is_name { path } else { quoted(prefix, name) };
                    let entry = Entry {
                        path,
                        raw: found.into(),
                        origin: self.origin(line),
                    };
                    into.push((line, entry));
                }
            }
        }
    }
}

fn are_tables(items: &[Spanned<DeValue<'_>>]) -> bool {
    let is_table = |item: &Spanned<DeValue<'_>>| matches!(item.get_ref(), DeValue::Table(_));
    items.iter().all(is_table)
}

fn quoted(prefix: &str, name: &Spanned<std::borrow::Cow<'_, str>>) -> String {
    let dot = if prefix.is_empty() { "" } else { "." };
    format!("{prefix}{dot}{:?}", name.get_ref())
}
