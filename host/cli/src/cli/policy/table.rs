//! Columns of text, for people.

use std::io::{self, Write};

/// Characters of one cell; what is over is cut off.
const CELL_MAX: usize = 48;

/// A table that is being put together.
#[derive(Debug)]
pub(in crate::cli) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these columns.
    pub(in crate::cli) fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Self {
        Self {
            head: head.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// One more row; cells that are missing are empty.
    pub(in crate::cli) fn row(&mut self, cells: Vec<String>) {
        self.rows
            .push(cells.iter().map(|cell| clip(cell)).collect());
    }

    /// Writes it, each line after `indent`.
    pub(in crate::cli) fn write(&self, indent: &str, out: &mut dyn Write) -> io::Result<()> {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| {
            let cells = lines().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        for line in lines() {
            let mut text = indent.to_owned();
            for (cell, width) in line.iter().zip(&widths) {
                text.push_str(&format!("{cell:<width$}  "));
            }
            writeln!(out, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

/// A cell's text: one line, not too long.
fn clip(text: &str) -> String {
    let mut clipped: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(CELL_MAX)
        .collect();
    if text.chars().nth(CELL_MAX).is_some() {
        clipped.pop();
        clipped.push('…');
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["row", "idle-ms"]);
        table.row(vec!["chat-1".to_owned(), "93 s".to_owned()]);
        table.row(vec!["ä\n".to_owned()]);
        let mut out = Vec::new();
        table.write("  ", &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "  row     idle-ms\n  chat-1  93 s\n  ä\n");
        assert_eq!(clip(&"x".repeat(99)).chars().count(), CELL_MAX);
    }
}
