//! Extensions of the protocol (RFC 6455, section 9). The two ends negotiate those whose frames we can
//! find: permessage-deflate, which marks messages by RSV1 and leaves frames as they are. Others could
//! give any meaning to reserved bits and to lengths, so they are not offered to a backend.

use axum::http::HeaderMap;
use axum::http::header::SEC_WEBSOCKET_EXTENSIONS;

use crate::gateway::lists::{items, split};

/// The one that is handed on (RFC 7692).
const DEFLATE: &[u8] = b"permessage-deflate";

/// Whether an item of the header names permessage-deflate, whatever its parameters.
fn is_deflate(item: &[u8]) -> bool {
    let name = split(item, b';').next();
    name.is_some_and(|name| name.eq_ignore_ascii_case(DEFLATE))
}

/// What of a client's offers is handed on, each as it was written.
pub(super) fn offered(headers: &HeaderMap) -> Option<Vec<u8>> {
    let known = items(headers, SEC_WEBSOCKET_EXTENSIONS).filter(|item| is_deflate(item));
    let known: Vec<&[u8]> = known.collect();
    (!known.is_empty()).then(|| known.join(&b", "[..]))
}

/// Whether permessage-deflate is agreed by a backend's answer.
pub(super) fn compresses(answer: &HeaderMap) -> bool {
    items(answer, SEC_WEBSOCKET_EXTENSIONS).any(is_deflate)
}

/// Whether a backend agreed to nothing but what it was offered, and to that once.
pub(super) fn fits(answer: &HeaderMap, asked: &HeaderMap) -> bool {
    let agreed = items(answer, SEC_WEBSOCKET_EXTENSIONS).filter(|item| !item.is_empty());
    let agreed: Vec<&[u8]> = agreed.collect();
    match agreed.as_slice() {
        [] => true,
        [one] => is_deflate(one) && offered(asked).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn w64_what_we_do_not_know_is_not_offered() {
        let offers = |lines: &[&str]| {
            let offered = offered(&headers(lines))?;
            Some(String::from_utf8(offered).unwrap())
        };
        assert_eq!(offers(&[]), None);
        assert_eq!(
            offers(&["x-webkit-deflate-frame", "bbf-usp-protocol; eid=\"a,b\""]),
            None
        );
        assert_eq!(
            offers(&[
                "x-webkit-deflate-frame, permessage-deflate;  client_max_window_bits=\"10\"",
                "permessage-bzip2, Permessage-Deflate"
            ]),
            Some(
                "permessage-deflate;  client_max_window_bits=\"10\", Permessage-Deflate".to_owned()
            )
        );
        assert_eq!(
            offers(&["permessage-deflate-2, x; permessage-deflate"]),
            None
        );
    }

    #[test]
    fn a_backend_agrees_to_what_it_was_offered() {
        let asked = headers(&["permessage-deflate; client_max_window_bits"]);
        assert!(fits(&headers(&[]), &asked));
        assert!(fits(
            &headers(&["permessage-deflate; server_max_window_bits=10"]),
            &asked
        ));
        assert!(!fits(&headers(&["x-webkit-deflate-frame"]), &asked));
        assert!(!fits(
            &headers(&["permessage-deflate, permessage-deflate"]),
            &asked
        ));
        let nothing = headers(&["x-webkit-deflate-frame"]);
        assert!(!fits(&headers(&["permessage-deflate"]), &nothing));
        assert!(compresses(&headers(&["Permessage-Deflate;a"])));
        assert!(!compresses(&headers(&["x-permessage-deflate"])));
    }
}
