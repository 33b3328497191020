//! A table that is read on a phone too: there each row is a list of its cells, each behind its heading.

use std::fmt::Write as _;

use super::escape;

/// A table that is being put together.
#[derive(Debug)]
pub struct PageTable {
    caption: String,
    /// Headings, and whether numbers are below them.
    head: Vec<(String, bool)>,
    rows: String,
}

impl PageTable {
    /// With these columns, the first of which names the rows; each with whether it is of numbers. The caption is for
    /// readers that do not see the heading above.
    #[must_use]
    pub fn new(caption: &str, head: &[(&str, bool)]) -> Self {
        let head = head
            .iter()
            .map(|(name, is_number)| (escape(name), *is_number));
        Self {
            caption: escape(caption),
            head: head.collect(),
            rows: String::new(),
        }
    }

    /// One more row, of cells as HTML.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push_str("<tr>");
        for (at, ((name, is_number), cell)) in self.head.iter().zip(cells).enumerate() {
            let class = if *is_number { " class=\"num\"" } else { "" };
            // Writing to a string cannot fail.
            let _ = match at {
                0 => write!(self.rows, "<th scope=\"row\">{cell}</th>"),
                _ => write!(
                    self.rows,
                    "<td{class} data-name=\"{name}\"><div>{cell}</div></td>"
                ),
            };
        }
        self.rows.push_str("</tr>\n");
    }

    /// The table as HTML.
    #[must_use]
    pub fn html(self) -> String {
        let Self {
            caption,
            head,
            rows,
        } = self;
        let head = head
            .iter()
            .fold(String::new(), |mut head, (name, is_number)| {
                let class = if *is_number { " class=\"num\"" } else { "" };
                let _ = write!(head, "<th scope=\"col\"{class}>{name}</th>");
                head
            });
        format!(
            "<div class=\"card\"><table class=\"rows\"><caption class=\"visually-hidden\">{caption}</caption>\
             <thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_has_its_heading_for_a_phone() {
        let mut table = PageTable::new(
            "All of <it>",
            &[("Strategy", false), ("Misses", true), ("Is", false)],
        );
        table.row(["lru", "83", "noise", "too much"].map(str::to_owned));
        let html = table.html();
        for part in [
            "<caption class=\"visually-hidden\">All of &lt;it&gt;</caption>",
            "<th scope=\"col\" class=\"num\">Misses</th>",
            "<th scope=\"row\">lru</th>",
            "<td class=\"num\" data-name=\"Misses\"><div>83</div></td>",
            "<td data-name=\"Is\"><div>noise</div></td>",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        assert!(!html.contains("too much"));
    }
}
