//! The client's address as its user: for applications that know nobody, or that keep it to
//! themselves.
//!
//! The address is the one that `gateway.trusted_proxies` vouch for. An IPv6 client can choose freely
//! within its network of 64 bits, so that network is the user.

use std::net::IpAddr;

use axum::http::request::Parts;
use ipnet::IpNet;

use super::names::Naming;
use super::{Identified, Identify, Identity, Unidentified};
use crate::gateway::peer;
use wastegate_core::types::UserId;

/// Identifies by the address.
#[derive(Debug)]
pub struct Address {
    naming: Naming,
    proxies: Vec<IpNet>,
}

impl Address {
    /// In front of these proxies a client has to be said by them.
    #[must_use]
    pub const fn new(naming: Naming, proxies: Vec<IpNet>) -> Self {
        Self { naming, proxies }
    }

    pub(super) fn who(&self, parts: &Parts) -> Result<Identity, Unidentified> {
        let user = user(parts, &self.proxies).ok_or_else(|| {
            Unidentified::Forbidden(
                "the address of this client is not known, and clients are told apart by it; the \
                 proxy in front has to send `X-Forwarded-For`"
                    .to_owned(),
            )
        })?;
        let named = self.naming.read(parts, None)?;
        let class = named.class;
        let (key, device) = named.key_and_device()?;
        Ok(Identity {
            device_class: class,
            ..Identity::new(user, key, device)
        })
    }
}

impl Identify for Address {
    fn identify<'a>(&'a self, parts: &'a mut Parts) -> Identified<'a> {
        Box::pin(std::future::ready(self.who(parts)))
    }
}

/// The user that an address is. None where it is not known: behind a proxy of another machine that
/// does not say for whom it speaks, all clients would be one.
pub(super) fn user(parts: &Parts, proxies: &[IpNet]) -> Option<UserId> {
    let address = peer::client(parts)?.to_canonical();
    let is_proxy = proxies.iter().any(|net| net.contains(&address));
    if is_proxy && !address.is_loopback() {
        return None;
    }
    let name = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = ipnet::Ipv6Net::new(address, 64).ok()?.trunc();
            network.to_string()
        }
    };
    UserId::new(&name).ok()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;
    use axum::http::Request;

    use super::*;

    fn user_at(address: &str, proxies: &[&str]) -> Option<String> {
        let at = SocketAddr::new(address.parse().unwrap(), 9);
        let request = Request::get("/").extension(ConnectInfo(at));
        let parts = request.body(()).unwrap().into_parts().0;
        let proxies: Vec<IpNet> = proxies.iter().map(|net| net.parse().unwrap()).collect();
        user(&parts, &proxies).map(|user| user.to_string())
    }

    #[test]
    fn a_user_is_an_address_or_a_network_of_64_bits() {
        for (address, user) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(user_at(address, &[]).as_deref(), Some(user));
        }
    }

    #[test]
    fn a_proxy_that_does_not_say_for_whom_it_speaks_is_no_client() {
        assert_eq!(user_at("10.0.0.1", &["10.0.0.0/8"]), None);
        let here = ["127.0.0.0/8", "10.0.0.0/8"];
        assert_eq!(user_at("127.0.0.1", &here).as_deref(), Some("127.0.0.1"));
        let parts = Request::get("/").body(()).unwrap().into_parts().0;
        assert_eq!(user(&parts, &[]), None);
    }
}
