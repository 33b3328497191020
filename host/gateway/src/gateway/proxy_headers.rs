//! The names of the headers by which a proxy says whom it speaks for, as backends may read them.

use std::borrow::Cow;

use axum::http::header::HeaderName;

/// What names of the headers by which a proxy names its client begin with.
const BEGINNINGS: [&str; 3] = ["x-forwarded", "x-real-", "forwarded"];
/// Other such names, by which some networks say an address.
const NAMES: [&str; 5] = [
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
];
/// A name with `-` for all that is no letter and no digit: what a backend that makes variables of headers
/// cannot tell apart.
pub(super) fn dashed(name: &HeaderName) -> Cow<'_, str> {
    let name = name.as_str();
    // Every byte is looked at, since that is faster than to stop at the first that is another: names are short
    // and nearly always usual. They are in lower case.
    let is_odd = |byte: u8| !(byte.is_ascii_lowercase() | byte.is_ascii_digit() | (byte == b'-'));
    if !name.bytes().fold(false, |odd, byte| odd | is_odd(byte)) {
        return Cow::Borrowed(name);
    }
    let is_other = |letter: char| !letter.is_ascii_alphanumeric();
    Cow::Owned(name.replace(is_other, "-"))
}

/// Whether a header names the client that a proxy speaks for.
pub(super) fn is_forwarding(name: &HeaderName) -> bool {
    may_matter(name) && is_called(&dashed(name))
}

/// Whether a name begins as one does that is not simply handed on. Most do not, and need no other look.
pub(super) fn may_matter(name: &HeaderName) -> bool {
    matches!(
        name.as_str().as_bytes().first(),
        Some(b'c' | b'f' | b'h' | b'k' | b'p' | b't' | b'u' | b'x')
    )
}

/// The same of a name that is [`dashed`].
pub(super) fn is_called(name: &str) -> bool {
    BEGINNINGS.iter().any(|begin| name.starts_with(begin)) || NAMES.contains(&name)
}
