//! Columns of text, for people.

use std::io::{self, Write};

/// Characters of one cell; what is over is cut off.
const CELL_MAX: usize = 48;

/// A table that is being put together: columns as wide as what is in them, no more.
#[derive(Debug)]
pub(in crate::cli) struct Table {
    columns: usize,
    /// Characters of one cell, at the most.
    cell_max: usize,
    /// The headings first.
    lines: Vec<Vec<String>>,
}

impl Table {
    /// With these columns; long cells are cut off.
    pub(in crate::cli) fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Self {
        let head: Vec<String> = head.into_iter().map(Into::into).collect();
        Self {
            columns: head.len(),
            cell_max: CELL_MAX,
            lines: vec![head],
        }
    }

    /// The same with cells of any length.
    pub(in crate::cli) fn whole(self) -> Self {
        Self {
            cell_max: usize::MAX,
            ..self
        }
    }

    /// One more row; cells that are missing are empty.
    pub(in crate::cli) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().take(self.columns);
        let cells = cells.map(|cell| clip(&cell, self.cell_max));
        self.lines.push(cells.collect());
    }

    /// Writes it, each line after `indent`.
    pub(in crate::cli) fn write(&self, indent: &str, out: &mut dyn Write) -> io::Result<()> {
        self.texts()
            .try_for_each(|text| writeln!(out, "{indent}{text}"))
    }

    /// The table as a text, or `nothing` where there are headings only.
    pub(in crate::cli) fn text(&self, nothing: &str) -> String {
        if self.lines.len() < 2 {
            return format!("{nothing}\n");
        }
        self.texts().map(|text| text + "\n").collect()
    }

    /// Line by line, the headings first.
    fn texts(&self) -> impl Iterator<Item = String> {
        let width = |column: usize| {
            let cells = self.lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns).map(width).collect();
        self.lines.iter().map(move |line| {
            let cells = line.iter().zip(&widths);
            let text: String = cells
                .map(|(cell, width)| format!("{cell:<width$}  "))
                .collect();
            text.trim_end().to_owned()
        })
    }
}

/// A cell's text: one line, not too long.
fn clip(text: &str, max: usize) -> String {
    let mut clipped: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(max)
        .collect();
    if text.chars().nth(max).is_some() {
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
        assert_eq!(clip(&"x".repeat(99), CELL_MAX).chars().count(), CELL_MAX);
    }

    #[test]
    fn a_whole_table_keeps_its_cells_and_an_empty_one_says_so() {
        let mut table = Table::new(["A", "LONG"]).whole();
        assert_eq!(table.text("nothing there"), "nothing there\n");
        table.row(["käse".to_owned(), "1".to_owned()]);
        table.row(["b".to_owned(), String::new()]);
        assert_eq!(table.text(""), "A     LONG\nkäse  1\nb\n");
        table.row(["x".repeat(99)]);
        assert!(table.text("").contains(&"x".repeat(99)));
        // A terminal is shown a cell, and never acts on it.
        table.row(["\u{1b}[31m".to_owned()]);
        assert!(!table.text("").contains('\u{1b}'));
    }
}
