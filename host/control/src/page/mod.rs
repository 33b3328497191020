//! Pages for people: one file of HTML and SVG in the console's look, without scripts and without anything from
//! elsewhere, so that it can be mailed and kept.
//!
//! [`begin`] puts the verdict first. [`PageTable`] is a table that becomes a list on a phone, [`Scale`] draws intervals
//! on an axis. Every text that came from outside goes through [`escape`] or [`prose`]. Not here: what a page says.

mod moment;
mod scale;
mod table;

use std::fmt::Write as _;

pub use moment::{time_of_day, timestamp, utc};
pub use scale::Scale;
pub use table::PageTable;

/// The console's style, and what pages have besides.
const STYLE: [&str; 2] = [
    include_str!("../../console/style.css"),
    include_str!("page.css"),
];

/// What a verdict means: how its sign looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// What was hoped for is shown.
    Good,
    /// The figures are not to be acted on.
    Warn,
    /// Harm was found, or nothing may be believed.
    Bad,
    /// Nothing is decided.
    Open,
}

impl Meaning {
    const fn class(self) -> &'static str {
        match self {
            Self::Good => " good",
            Self::Warn => " warn",
            Self::Bad => " bad",
            Self::Open => "",
        }
    }
}

/// The beginning of a page, which ends with [`END`]: what it is about, and its verdict in one sentence.
#[must_use]
pub fn begin(title: &str, meaning: Meaning, verdict: &str) -> String {
    let (title, verdict) = (escape(title), prose(verdict));
    let style = STYLE.concat();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>\n{style}</style></head><body><main class=\"report\"><header>\
         <p class=\"soft\">{title}</p><div class=\"verdict{}\"><span class=\"sign\" aria-hidden=\"true\"></span><h1>{verdict}</h1></div></header>\n",
        meaning.class()
    )
}

/// The end of a page: which program made it.
pub const END: &str = concat!(
    "<footer class=\"soft small\">Made by wastegate ",
    env!("CARGO_PKG_VERSION"),
    ".</footer></main></body></html>\n"
);

/// A part of a page: its heading, and what is in it as HTML.
#[must_use]
pub fn section(heading: &str, html: &str) -> String {
    format!(
        "<section class=\"section\"><div class=\"section-head\"><h2>{}</h2></div>{html}</section>\n",
        prose(heading)
    )
}

/// Names with their values as HTML, a line each.
#[must_use]
pub fn pairs(rows: &[(&str, String)]) -> String {
    let mut list = "<dl class=\"pairs card pad\">".to_owned();
    for (name, value) in rows {
        // Writing to a string cannot fail.
        let _ = write!(list, "<dt>{}</dt><dd>{value}</dd>", escape(name));
    }
    list + "</dl>"
}

/// A text as HTML shows it, in elements and in quoted attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A sentence as HTML: what stands between two backticks is a name.
#[must_use]
pub fn prose(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut parts = text.split('`');
    shown.push_str(&escape(parts.next().unwrap_or_default()));
    while let Some(name) = parts.next() {
        let name = escape(name);
        match parts.next() {
            Some(rest) => {
                let _ = write!(shown, "<code>{name}</code>{}", escape(rest));
            }
            // One without its other.
            None => {
                let _ = write!(shown, "`{name}");
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_becomes_markup(text in ".{0,40}") {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            let plain = |html: &str| html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"")
                .replace("&#39;", "'").replace("&amp;", "&");
            prop_assert_eq!(plain(&escaped), text.clone());
            let marked = prose(&text).replace("<code>", "`").replace("</code>", "`");
            prop_assert!(!marked.contains(['<', '>', '"', '\'']));
            prop_assert_eq!(plain(&marked), text);
        }
    }

    #[test]
    fn a_page_begins_with_its_verdict_and_has_nothing_from_elsewhere() {
        let page = begin("Replay <x>", Meaning::Good, "Against `a<b`, fewer.")
            + &section("Why", "<p>")
            + END;
        assert!(
            page.contains("<h1>Against <code>a&lt;b</code>, fewer.</h1>"),
            "{page}"
        );
        assert!(page.contains("<title>Replay &lt;x&gt;</title>"));
        for foreign in ["http", "url(", "@import", "<script", "<link", "<img"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        for part in STYLE {
            assert!(page.contains(part) && part.contains('}'));
        }
    }
}
