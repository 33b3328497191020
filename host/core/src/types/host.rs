//! Hosts as they stand in URLs.

use std::net::IpAddr;

/// The address that a host is, if it is one; IPv6 in brackets or without.
#[must_use]
pub fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// Whether a host, without its port, is this machine.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || literal(host).is_some_and(|address| address.is_loopback())
}
