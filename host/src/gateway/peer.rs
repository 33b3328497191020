//! Where a connection comes from: the socket's other end, and the client that proxies speak for.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use ipnet::IpNet;

use super::handshake::items;

/// The header in which every proxy adds whom it speaks for.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client that a request was found to come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client(IpAddr);

/// Who said hello, from its first byte on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said(pub(super) SocketAddr);

/// Addresses that count as one customer's: an IPv4 address, or an IPv6 network of 64 bits, within
/// which a customer can choose freely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
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

/// The client, as far as [`find`] found it.
pub(super) fn client(parts: &Parts) -> Option<IpAddr> {
    let found = parts.extensions.get::<Client>().map(|client| client.0);
    found.or_else(|| socket(parts))
}

/// Finds the client and notes it in the request: the last address in `X-Forwarded-For` that is no
/// proxy's, as far as proxies that are trusted say so; what came before it, anybody can have sent.
pub(super) fn find(parts: &mut Parts, proxies: &[IpNet]) {
    let is_proxy = |address: &IpAddr| proxies.iter().any(|net| net.contains(address));
    // A proxy that said hello for its client was believed when it did.
    let said = parts.extensions.get::<Said>();
    let Some(nearest) = said.map_or_else(|| socket(parts), |said| Some(said.0.ip())) else {
        return;
    };
    let mut client = nearest.to_canonical();
    if is_proxy(&client) {
        for hop in items(&parts.headers, FORWARDED_FOR).rev() {
            let Ok(address) = hop.parse::<IpAddr>() else {
                break;
            };
            client = address.to_canonical();
            if !is_proxy(&client) {
                break;
            }
        }
    }
    parts.extensions.insert(Client(client));
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn found(socket: &str, forwarded: &str, proxies: &[&str]) -> String {
        let mut request = Request::get("/ws").header(FORWARDED_FOR, forwarded);
        let socket: IpAddr = socket.parse().unwrap();
        request = request.extension(ConnectInfo(SocketAddr::new(socket, 1)));
        let mut parts = request.body(()).unwrap().into_parts().0;
        let proxies: Vec<IpNet> = proxies.iter().map(|net| net.parse().unwrap()).collect();
        find(&mut parts, &proxies);
        client(&parts).unwrap().to_string()
    }

    #[test]
    fn the_last_hop_that_is_no_proxy_is_the_client() {
        let proxies = ["10.0.0.0/8", "127.0.0.1/32"];
        let forged = "1.1.1.1, 203.0.113.9, 10.1.2.3";
        assert_eq!(found("127.0.0.1", forged, &proxies), "203.0.113.9");
        assert_eq!(found("198.51.100.7", forged, &proxies), "198.51.100.7");
        assert_eq!(found("127.0.0.1", "", &proxies), "127.0.0.1");
        assert_eq!(
            found("10.0.0.1", "nonsense, 10.2.2.2", &proxies),
            "10.2.2.2"
        );
        assert_eq!(
            found("::ffff:10.0.0.1", "2001:db8::1", &proxies),
            "2001:db8::1"
        );
    }

    #[test]
    fn a_customer_is_an_address_or_a_network_of_64_bits() {
        let origin = |text: &str| Origin::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(origin("2001:db8:1:2::3"), origin("2001:db8:1:2:ffff::"));
        assert_ne!(origin("2001:db8:1:2::3"), origin("2001:db8:1:3::3"));
        assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
    }
}
