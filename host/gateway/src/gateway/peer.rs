//! Where a request comes from: the nearest peer, whether it may speak for others, and the client that it
//! then speaks for.
//!
//! Proxies that are trusted are believed hop by hop, from the nearest one outwards. `X-Forwarded-For`
//! counts before `Forwarded`: a proxy that writes the one often hands on a client's other. A hop of a
//! trusted proxy that cannot be read leaves the client *unknown*; it is never taken for the proxy's own.
//! All unknown clients count as one customer, so that hiding an address gains nothing.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::HeaderMap;
use axum::http::header::{FORWARDED, HeaderName};
use axum::http::request::Parts;
use ipnet::IpNet;

use super::hop::Hop;
use super::lists::items;

/// The header in which every proxy adds the address that it speaks for.
pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The way that a request came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// The other end of the socket, or the client that a PROXY header names.
    #[cfg(feature = "upstream")]
    pub(super) nearest: IpAddr,
    /// The nearest peer is trusted, so its forwarding headers count.
    pub(super) is_trusted: bool,
    /// A proxy speaks for a client.
    pub(super) is_proxied: bool,
    /// Where it began; none where that is unknown.
    pub(super) client: Option<IpAddr>,
}

/// Who said hello, from its first byte on.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProxiedPeer(pub(super) SocketAddr);

/// Addresses that count as one customer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClientNetwork {
    /// An IPv4 address, or an IPv6 network of 64 bits, within which a customer can choose freely.
    Network(IpAddr),
    /// All whose proxy did not say it in a way that can be read.
    Unknown,
}

impl ClientNetwork {
    /// Its address, or the first of its network, where it is known.
    pub(super) const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Network(address) => Some(address),
            Self::Unknown => None,
        }
    }
}

impl From<IpAddr> for ClientNetwork {
    fn from(address: IpAddr) -> Self {
        Self::Network(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

/// The other end of the socket.
pub(super) fn socket(parts: &Parts) -> Option<IpAddr> {
    let info = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(info.0.ip().to_canonical())
}

/// The way of a request, if [`find`] could look at it.
pub(super) fn way(parts: &Parts) -> Option<&Way> {
    parts.extensions.get::<Way>()
}

/// The client; none where it is unknown. Before [`find`], the other end of the socket.
pub(super) fn client(parts: &Parts) -> Option<IpAddr> {
    way(parts).map_or_else(|| socket(parts), |way| way.client)
}

/// As whose a request counts; none where there is no socket to look at.
pub(super) fn origin(parts: &Parts) -> Option<ClientNetwork> {
    way(parts).map(|way| {
        way.client
            .map_or(ClientNetwork::Unknown, ClientNetwork::from)
    })
}

/// Whether forwarding headers of this request come from a trusted proxy.
pub(super) fn is_vouched_for(parts: &Parts) -> bool {
    way(parts).is_some_and(|way| way.is_trusted)
}

/// Finds the way and notes it in the request.
pub(super) fn find(parts: &mut Parts, proxies: &[IpNet]) {
    let is_proxy = |address: IpAddr| proxies.iter().any(|net| net.contains(&address));
    // A proxy that said hello for its client was believed when it did.
    let proxied = parts.extensions.get::<ProxiedPeer>();
    let Some(nearest) = proxied.map_or_else(|| socket(parts), |peer| Some(peer.0.ip())) else {
        return;
    };
    let nearest = nearest.to_canonical();
    let mut way = Way {
        #[cfg(feature = "upstream")]
        nearest,
        is_trusted: is_proxy(nearest),
        is_proxied: proxied.is_some(),
        client: Some(nearest),
    };
    if way.is_trusted {
        for hop in hops(&parts.headers).into_iter().rev() {
            way.is_proxied = true;
            let Hop::Address(address) = hop else {
                way.client = None;
                break;
            };
            way.client = Some(address);
            if !is_proxy(address) {
                break;
            }
        }
    }
    parts.extensions.insert(way);
}

/// What proxies say, from the client on.
pub(super) fn hops(headers: &HeaderMap) -> Vec<Hop> {
    let items = |name| items(headers, name).filter(|item| !item.is_empty());
    if headers.contains_key(&FORWARDED_FOR) {
        return items(FORWARDED_FOR).map(Hop::read).collect();
    }
    items(FORWARDED).map(Hop::of_element).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, Request};

    use super::*;

    fn found(socket: &str, headers: &[(&str, &[u8])], proxies: &[&str]) -> String {
        let mut request = Request::get("/ws");
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_bytes(value).unwrap());
        }
        let socket = SocketAddr::new(socket.parse().unwrap(), 1);
        let request = request.extension(ConnectInfo(socket));
        let mut parts = request.body(()).unwrap().into_parts().0;
        let proxies: Vec<IpNet> = proxies.iter().map(|net| net.parse().unwrap()).collect();
        find(&mut parts, &proxies);
        client(&parts).map_or_else(|| "unknown".to_owned(), |client| client.to_string())
    }

    const PROXIES: [&str; 2] = ["10.0.0.0/8", "127.0.0.1/32"];

    fn behind(socket: &str, forwarded_for: &str) -> String {
        let lines = [("x-forwarded-for", forwarded_for.as_bytes())];
        found(socket, &lines, &PROXIES)
    }

    #[test]
    fn the_last_hop_that_is_no_proxy_is_the_client() {
        let forged = "1.1.1.1, 203.0.113.9, 10.1.2.3";
        assert_eq!(behind("127.0.0.1", forged), "203.0.113.9");
        assert_eq!(behind("198.51.100.7", forged), "198.51.100.7");
        assert_eq!(behind("127.0.0.1", ""), "127.0.0.1");
        assert_eq!(behind("::ffff:10.0.0.1", "2001:db8::1"), "2001:db8::1");
        assert_eq!(behind("127.0.0.1", "203.0.113.9:50711"), "203.0.113.9");
        assert_eq!(behind("127.0.0.1", "[2001:db8::1]:443"), "2001:db8::1");
    }

    /// A hop that cannot be read is nobody, least of all the proxy that sent it.
    #[test]
    fn what_a_proxy_says_unreadably_is_unknown() {
        for said in [
            "nonsense",
            "nonsense, 10.2.2.2",
            "203.0.113.9, _x",
            "unknown",
        ] {
            assert_eq!(behind("10.0.0.1", said), "unknown", "{said}");
        }
        assert_eq!(behind("10.0.0.1", "nonsense, 203.0.113.9"), "203.0.113.9");
        assert_eq!(behind("198.51.100.7", "nonsense"), "198.51.100.7");
    }

    /// S16: a proxy appends to what its client sent, in the same line or in one of its own.
    #[test]
    fn bytes_that_are_no_text_hide_nothing_that_a_proxy_appended() {
        let one = [("x-forwarded-for", &b"\xff, 127.0.0.5"[..])];
        assert_eq!(found("127.0.0.1", &one, &PROXIES), "127.0.0.5");
        let two = [
            ("x-forwarded-for", &b"\xff"[..]),
            ("x-forwarded-for", &b"127.0.0.5"[..]),
        ];
        assert_eq!(found("127.0.0.1", &two, &PROXIES), "127.0.0.5");
        let alone = [("x-forwarded-for", &b"\xff"[..])];
        assert_eq!(found("127.0.0.1", &alone, &PROXIES), "unknown");
    }

    #[test]
    fn forwarded_is_read_where_no_other_header_is_sent() {
        let forwarded = &br#"for=1.1.1.1, for="[2001:db8::1]:443";proto=https"#[..];
        let lines = [("forwarded", forwarded), ("forwarded", b"for=10.1.1.1")];
        assert_eq!(found("127.0.0.1", &lines, &PROXIES), "2001:db8::1");
        let both = [
            ("forwarded", forwarded),
            ("x-forwarded-for", b"203.0.113.9"),
        ];
        assert_eq!(found("127.0.0.1", &both, &PROXIES), "203.0.113.9");
        let hidden = [("forwarded", &b"for=_x;by=10.0.0.1"[..])];
        assert_eq!(found("127.0.0.1", &hidden, &PROXIES), "unknown");
        // A quote that the client opened cannot swallow what the proxy says.
        let open = [("forwarded", &br#"for="x, for=203.0.113.9"#[..])];
        assert_eq!(found("127.0.0.1", &open, &PROXIES), "203.0.113.9");
    }

    #[test]
    fn a_customer_is_an_address_or_a_network_of_64_bits() {
        let origin = |text: &str| ClientNetwork::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(origin("2001:db8:1:2::3"), origin("2001:db8:1:2:ffff::"));
        assert_ne!(origin("2001:db8:1:2::3"), origin("2001:db8:1:3::3"));
        assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
    }
}
