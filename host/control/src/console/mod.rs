//! The console: a page of files that a browser runs, which asks the operators' API what it shows.
//!
//! The files are in the folder `console` of this crate, and the build embeds them with their gzip. They hold
//! no data, so they are shown to who has no token. Not here: what the console asks, and who may.

#[cfg(test)]
mod tests;

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// The page that the others are files of.
pub const PAGE: &str = "index.html";

/// What the page may do: run the console's own scripts and ask this listener, and nothing else. No text that
/// gets into the page can become a script, load a picture from elsewhere, or send anything away.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/// One embedded file.
#[derive(Debug)]
struct File {
    path: &'static str,
    /// Its media type.
    kind: &'static str,
    /// The beginning of its SHA-256.
    tag: &'static str,
    plain: &'static [u8],
    /// The same as gzip.
    packed: &'static [u8],
}

/// The answer to a request for a file, if there is one of that path.
#[must_use]
pub fn file(path: &str, asked: &HeaderMap) -> Option<Response<Body>> {
    let file = FILES.iter().find(|file| file.path == path)?;
    Some(file.answer(asked))
}

impl File {
    fn answer(&self, asked: &HeaderMap) -> Response<Body> {
        let packed = takes_gzip(asked);
        // Two forms of one file are two things to a cache.
        let tag = format!("\"{}{}\"", self.tag, if packed { "-gzip" } else { "" });
        let known = asked.get(IF_NONE_MATCH).and_then(|it| it.to_str().ok());
        let known = known.is_some_and(|known| {
            let mut tags = known.split(',').map(str::trim);
            tags.any(|it| it == "*" || it.strip_prefix("W/").unwrap_or(it) == tag)
        });
        let body = match (known, packed) {
            (true, _) => Body::empty(),
            (false, true) => Body::from(Bytes::from_static(self.packed)),
            (false, false) => Body::from(Bytes::from_static(self.plain)),
        };
        let mut answer = Response::new(body);
        if known {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = answer.headers_mut();
        for (name, value) in ALWAYS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(ETAG, tag);
        }
        if packed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        answer
    }
}

/// What every answer has. A file is asked for again each time, and mostly answered "not modified": after an
/// upgrade no browser mixes files of two versions.
const ALWAYS: [(HeaderName, &str); 6] = [
    (CACHE_CONTROL, "no-cache"),
    (VARY, "accept-encoding"),
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// Whether an answer may be gzip: it is named, and not with a weight of zero.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let lists = asked.get_all(ACCEPT_ENCODING).iter();
    let lists = lists.filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let gzip = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|weight| {
            let weight = weight.strip_prefix("q=").map(str::parse::<f32>);
            weight.is_some_and(|weight| weight == Ok(0.0))
        });
        gzip && !refused
    })
}
