//! Hosts as they stand in URLs, and the addresses of listeners.

use std::net::{IpAddr, SocketAddr};

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

/// Whether a listener also takes connections to another address and port of this machine: those that it
/// is bound to, or any address of its families where it is bound to none. Port 0 is one that nothing
/// listens on yet.
#[must_use]
pub fn takes(listener: SocketAddr, other: SocketAddr) -> bool {
    let (ours, ip) = (listener.ip().to_canonical(), other.ip().to_canonical());
    let is_any = ours.is_unspecified() && (ours.is_ipv6() || ip.is_ipv4());
    listener.port() != 0 && listener.port() == other.port() && (ours == ip || is_any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_takes_its_own_address_and_any_where_it_has_none() {
        let takes =
            |listener: &str, other: &str| takes(listener.parse().unwrap(), other.parse().unwrap());
        assert!(takes("127.0.0.1:80", "127.0.0.1:80"));
        assert!(takes("127.0.0.1:80", "[::ffff:127.0.0.1]:80"));
        assert!(takes("0.0.0.0:80", "10.0.0.5:80"));
        assert!(takes("[::]:80", "10.0.0.5:80"));
        assert!(!takes("0.0.0.0:80", "[::1]:80"));
        assert!(!takes("127.0.0.1:80", "127.0.0.1:81"));
        assert!(!takes("127.0.0.1:80", "0.0.0.0:80"));
        assert!(!takes("0.0.0.0:0", "127.0.0.1:0"));
    }
}
