//! The headers by which proxies tell backends whom they speak for. Those of a peer that is trusted are
//! kept and extended by our own hop; anybody else's are taken out, and ours say what we saw.

use axum::http::header::{FORWARDED, HeaderMap, HeaderValue};
use axum::http::request::Parts;

use super::head::say;
use crate::gateway::hop::{Hop, node};
use crate::gateway::lists::items;
use crate::gateway::peer::{self, FORWARDED_FOR};
use crate::gateway::proxy_headers::{dashed, is_forwarding};
use crate::gateway::site::{self, FORWARDED_HOST, FORWARDED_PROTO};

/// The header that became `Forwarded`. Proxies hand on a client's and write none, so nobody is believed in
/// it.
const UNUSUAL: &str = "x-forwarded";
/// What stands in a list for a hop that cannot be read (RFC 7239, section 6.2).
const UNKNOWN: &str = "unknown";

/// Puts into the headers for a backend what proxies and we say of a request.
pub(super) fn extend(headers: &mut HeaderMap, parts: &Parts) {
    let is_trusted = peer::is_vouched_for(parts);
    if is_trusted {
        for (name, value) in &parts.headers {
            // One that only looks like it was not written by the proxy, nor was one that no proxy writes.
            let is_written = dashed(name) == name.as_str() && name.as_str() != UNUSUAL;
            if is_forwarding(name) && is_written {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    let nearest = peer::way(parts).map(|way| way.nearest);
    let mut hops: Vec<String> = Vec::new();
    if is_trusted {
        hops.extend(peer::hops(&parts.headers).iter().map(shown));
    }
    hops.extend(nearest.map(|nearest| nearest.to_string()));
    if !hops.is_empty() {
        say(headers, FORWARDED_FOR, hops.join(", ").as_bytes());
    }
    if let Some(nearest) = nearest.filter(|_| headers.contains_key(FORWARDED)) {
        let own = format!("for={}", node(nearest));
        let mut elements: Vec<&[u8]> = items(&parts.headers, FORWARDED).collect();
        elements.retain(|element| !element.is_empty());
        elements.push(own.as_bytes());
        say(headers, FORWARDED, &elements.join(&b", "[..]));
    }
    if !headers.contains_key(FORWARDED_HOST)
        && let Some(host) = host(parts, is_trusted)
    {
        say(headers, FORWARDED_HOST, host);
    }
    if !headers.contains_key(FORWARDED_PROTO) {
        let proto = site::scheme(parts).unwrap_or(site::Scheme::Http).name();
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(proto));
    }
}

/// The host that the client asked for, as it was written.
fn host(parts: &Parts, is_trusted: bool) -> Option<&[u8]> {
    let found = is_trusted.then(|| site::reported(&parts.headers, &FORWARDED_HOST, "host"));
    found.flatten().or_else(|| site::host(parts))
}

/// A hop as `X-Forwarded-For` has it, without its port: many backends read an address and nothing else.
fn shown(hop: &Hop) -> String {
    match hop {
        Hop::Address(address) => address.to_string(),
        Hop::Unknown => UNKNOWN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;
    use axum::http::Request;

    use super::*;

    /// What a backend gets of a request from this peer; loopback is trusted.
    fn extended(peer: &str, lines: &[(&str, &[u8])]) -> Vec<(String, String)> {
        let mut request = Request::get("/ws").header("host", "inner:8080");
        for (name, value) in lines {
            request = request.header(*name, HeaderValue::from_bytes(value).unwrap());
        }
        let socket = SocketAddr::new(peer.parse().unwrap(), 1);
        let request = request.extension(ConnectInfo(socket)).body(()).unwrap();
        let mut parts = request.into_parts().0;
        peer::find(&mut parts, &["127.0.0.0/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        extend(&mut headers, &parts);
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut all: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect();
        all.sort();
        all
    }

    fn expect(found: &[(String, String)], expected: &[(&str, &str)]) {
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn w56_w57_what_a_trusted_proxy_says_is_kept_and_extended() {
        let lines = [
            ("x-forwarded-for", &b"203.0.113.7:50711"[..]),
            ("x-forwarded-for", b"\xff, [2001:db8::1]:443, _x"),
            ("x-forwarded-proto", b"https"),
            ("x-forwarded-host", b"chat.example"),
            ("x-forwarded-port", b"443"),
            ("x-real-ip", b"203.0.113.7"),
            ("x_forwarded_for", b"6.6.6.6"),
            ("x-forwarded", b"for=9.9.9.9"),
        ];
        let expected = [
            (
                "x-forwarded-for",
                "203.0.113.7, unknown, 2001:db8::1, unknown, 127.0.0.1",
            ),
            ("x-forwarded-host", "chat.example"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-proto", "https"),
            ("x-real-ip", "203.0.113.7"),
        ];
        expect(&extended("127.0.0.1", &lines), &expected);
        let expected = [
            ("x-forwarded-for", "198.51.100.7"),
            ("x-forwarded-host", "inner:8080"),
            ("x-forwarded-proto", "http"),
        ];
        expect(&extended("198.51.100.7", &lines), &expected);
        let expected = [
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-host", "inner:8080"),
            ("x-forwarded-proto", "http"),
        ];
        expect(&extended("127.0.0.1", &[]), &expected);
    }

    #[test]
    fn forwarded_is_extended_and_sent_as_x_forwarded_too() {
        let lines = [
            (
                "forwarded",
                &br#"for="[2001:db8::1]:443";proto=https;host="chat.example:8443""#[..],
            ),
            ("forwarded", b"for=10.0.0.1"),
        ];
        let expected = [
            (
                "forwarded",
                r#"for="[2001:db8::1]:443";proto=https;host="chat.example:8443", for=10.0.0.1, for=127.0.0.1"#,
            ),
            ("x-forwarded-for", "2001:db8::1, 10.0.0.1, 127.0.0.1"),
            ("x-forwarded-host", "chat.example:8443"),
            ("x-forwarded-proto", "https"),
        ];
        expect(&extended("127.0.0.1", &lines), &expected);
        let of_stranger = extended("198.51.100.7", &lines);
        assert!(of_stranger.iter().all(|(name, _)| name != "forwarded"));
    }

    #[test]
    fn headers_that_a_backend_could_take_for_a_proxys_are_known() {
        for name in [
            "x-forwarded",
            "x_forwarded_for",
            "x-real-ip",
            "x_real_ip",
            "forwarded",
            "cf-connecting-ip",
            "true_client_ip",
        ] {
            assert!(is_forwarding(&name.parse().unwrap()), "{name}");
        }
        for name in ["x-tenant", "origin", "client-ip-hint"] {
            assert!(!is_forwarding(&name.parse().unwrap()), "{name}");
        }
    }
}
