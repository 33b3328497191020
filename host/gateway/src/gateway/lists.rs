//! Lists in headers (RFC 9110, section 5.6.1), over all their lines and as bytes: a line that is no text
//! hides none of the others.

use std::vec;

use axum::http::HeaderMap;
use axum::http::header::AsHeaderName;

/// The items of a list between commas. A quoted comma separates nothing.
pub(super) fn items(
    headers: &HeaderMap,
    name: impl AsHeaderName,
) -> impl DoubleEndedIterator<Item = &[u8]> {
    let lines = headers.get_all(name).into_iter();
    lines.flat_map(|line| split(line.as_bytes(), b','))
}

/// The items that are text. One that is not cannot be a name that is looked for.
#[cfg(any(feature = "jwt", feature = "hook", feature = "upstream", test))]
pub(super) fn texts(
    headers: &HeaderMap,
    name: impl AsHeaderName,
) -> impl DoubleEndedIterator<Item = &str> {
    items(headers, name).filter_map(|item| std::str::from_utf8(item).ok())
}

/// The parts between separators, without white space around them. Those between double quotes separate
/// nothing; a quote that nothing ends is an ordinary byte, so that it cannot swallow what a proxy put
/// behind it.
pub(super) fn split(line: &[u8], separator: u8) -> Parts<'_> {
    if !line.contains(&separator) {
        // Nearly every line is one item, and needs no list of them.
        return Parts::One(Some(line.trim_ascii()));
    }
    let mut parts = Vec::new();
    let (mut begin, mut at) = (0, 0);
    while let Some(byte) = line.get(at) {
        if *byte == b'"' {
            at += quoted(line.get(at..).unwrap_or_default()).unwrap_or(1);
            continue;
        }
        if *byte == separator {
            parts.push(line.get(begin..at).unwrap_or_default().trim_ascii());
            begin = at + 1;
        }
        at += 1;
    }
    parts.push(line.get(begin..).unwrap_or_default().trim_ascii());
    Parts::Many(parts.into_iter())
}

/// The parts of a line, in their order.
pub(super) enum Parts<'a> {
    /// There is one.
    One(Option<&'a [u8]>),
    /// There are more.
    Many(vec::IntoIter<&'a [u8]>),
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Self::One(part) => part.take(),
            Self::Many(parts) => parts.next(),
        }
    }
}

impl DoubleEndedIterator for Parts<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::One(part) => part.take(),
            Self::Many(parts) => parts.next_back(),
        }
    }
}

/// The length of the quoted string that text begins with, quotes included.
fn quoted(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Text without the quotes around it; what is not quoted is as it is.
pub(super) fn unquoted(text: &[u8]) -> &[u8] {
    let inner = text.strip_prefix(b"\"");
    inner
        .and_then(|inner| inner.strip_suffix(b"\""))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn parts(line: &str) -> Vec<&str> {
        split(line.as_bytes(), b',')
            .map(|part| std::str::from_utf8(part).unwrap())
            .collect()
    }

    #[test]
    fn quoted_commas_separate_nothing() {
        assert_eq!(parts("a, b ,,c"), ["a", "b", "", "c"]);
        assert_eq!(
            parts(r#"for="[::1]:80,x";by=a, c"#),
            [r#"for="[::1]:80,x";by=a"#, "c"]
        );
        assert_eq!(parts(r#"a="x\", y", b"#), [r#"a="x\", y""#, "b"]);
        assert_eq!(
            parts(r#"for=", for=192.0.2.1"#),
            [r#"for=""#, "for=192.0.2.1"]
        );
    }

    #[test]
    fn a_line_that_is_no_text_hides_no_other() {
        let name = HeaderName::from_static("x-list");
        let mut headers = HeaderMap::new();
        for line in [&b"a, b"[..], b"\xff, c", b"d"] {
            headers.append(&name, HeaderValue::from_bytes(line).unwrap());
        }
        assert_eq!(
            texts(&headers, &name).collect::<Vec<_>>(),
            ["a", "b", "c", "d"]
        );
        assert_eq!(items(&headers, &name).count(), 5);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_is_lost(line in prop::collection::vec(any::<u8>(), 0..64)) {
            let parts: Vec<_> = split(&line, b',').collect();
            let left: usize = parts.iter().map(|part| part.len()).sum();
            prop_assert!(left + parts.len() - 1 <= line.len());
            prop_assert_eq!(unquoted(&line).len() <= line.len(), true);
        }
    }
}
