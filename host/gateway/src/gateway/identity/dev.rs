//! Identity for development: the gateway believes the name that a client gives, on this machine only.
//!
//! That a connection comes from loopback does not say that somebody at this machine makes it. A proxy that
//! stands here brings the whole world along, and any page that a browser here has open can ask for a name
//! of its own that leads here (DNS rebinding). So what shows either is refused, and told why. A foreign host
//! alone shows neither: a program at this machine may ask for any, as tests of virtual hosts do.

use axum::http::header::{ORIGIN, UPGRADE, VIA};
use axum::http::request::Parts;

use super::address;
use super::names::{Names, Naming};
use super::{Identified, Identify, Identity, Unidentified};
use crate::gateway::authority::Authority;
use crate::gateway::handshake::has_token;
use crate::gateway::proxy_headers::is_forwarding;
use crate::gateway::{peer, site};
use wastegate_core::types::UserId;

const CLASSES: [&str; 2] = ["standard", "premium"];

/// Believes what every client says it is: `user`, `device-class` and `class` from the query, key
/// and device from where they are named. In front of a backend a client that does not say who it is
/// is its address. For development; the configuration allows it on loopback only.
#[derive(Debug, Clone, Default)]
pub struct DevIdentity {
    /// Where managers and devices are named.
    pub naming: Naming,
    /// From which addresses the client's own name is believed.
    pub reach: Reach,
}

/// Whose word [`DevIdentity`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// That of who is at this machine: clients of loopback that no proxy speaks for, and that ask for
    /// `localhost` or a loopback address.
    #[default]
    Loopback,
    /// From every address: for an embedding application that authenticates its clients itself.
    Anywhere,
}

impl Identify for DevIdentity {
    fn identify<'a>(&'a self, parts: &'a mut Parts) -> Identified<'a> {
        let identified = self.takes(parts).and_then(|()| self.read(parts));
        Box::pin(std::future::ready(identified))
    }

    fn takes(&self, parts: &Parts) -> Result<(), Unidentified> {
        match self.reach {
            Reach::Loopback => stranger(parts).map_or(Ok(()), |sign| {
                Err(Unidentified::Forbidden(format!(
                    "`identity.mode` is \"dev\", which believes any name and is for this machine only, and \
                     {sign}; for clients of elsewhere set another `identity.mode`"
                )))
            }),
            Reach::Anywhere => Ok(()),
        }
    }
}

/// What shows that a request is from another machine, if anything does.
fn stranger(parts: &Parts) -> Option<String> {
    let client = peer::socket(parts).filter(|address| !address.is_loopback());
    if let Some(client) = client {
        return Some(format!("this request is from {client}"));
    }
    let headers = &parts.headers;
    if let Some(name) = headers
        .keys()
        .find(|name| is_forwarding(name) || **name == VIA)
    {
        return Some(format!("header `{name}` says that a proxy is in front"));
    }
    if peer::way(parts).is_some_and(|way| way.is_proxied) {
        return Some("a PROXY header says that a proxy is in front".to_owned());
    }
    if !may_be_a_page(parts) {
        return None;
    }
    let host = site::host(parts)?;
    let is_here = Authority::read(host).is_some_and(|host| host.is_loopback());
    (!is_here).then(|| {
        let host = String::from_utf8_lossy(host);
        format!(
            "this request asks for the host {host:?} instead of localhost or a loopback address"
        )
    })
}

/// Whether a browser may have sent this for a page whose name leads here. Browsers put an `Origin` into every
/// upgrade (RFC 6455, section 4.1), so what has none is a program's. No name leads a page of `https` here:
/// browsers let it open nothing without TLS beyond loopback, and for TLS the name needs a certificate.
fn may_be_a_page(parts: &Parts) -> bool {
    match parts.headers.get(ORIGIN) {
        Some(origin) => !origin.as_bytes().starts_with(b"https://"),
        None => !has_token(&parts.headers, &UPGRADE, "websocket"),
    }
}

impl DevIdentity {
    fn read(&self, parts: &Parts) -> Result<Identity, Unidentified> {
        let shared = self.naming.shared;
        let names = Names::of(&parts.uri);
        if let Some((name, known)) = self.naming.unknown(&names) {
            return Err(Unidentified::Unknown { name, known });
        }
        let named = self.naming.read(parts, None)?;
        let class = named.class;
        let (key, device) = named.key_and_device()?;
        Ok(Identity {
            device_class: class,
            protected: is_premium(&names, shared)?,
            ..Identity::new(self.user(parts, &names)?, key, device)
        })
    }

    /// Who it says it is. Whose limit counts must be clear, so an ambiguous name is refused whoever
    /// else reads the query.
    fn user(&self, parts: &Parts, names: &Names) -> Result<UserId, Unidentified> {
        let shared = self.naming.shared;
        let user = names.value("user", false)?;
        match user.filter(|user| !(shared && user.is_empty())) {
            Some(user) if user.contains('\u{fffd}') => Err(Unidentified::Query),
            Some(user) => Ok(UserId::new(&user)?),
            None if shared => address::user(parts, &[]).ok_or(Unidentified::Missing("user")),
            None => Err(Unidentified::Missing("user")),
        }
    }
}

fn is_premium(names: &Names, shared: bool) -> Result<bool, Unidentified> {
    match names.value("class", shared)?.as_deref() {
        None | Some("standard") => Ok(false),
        Some("premium") => Ok(true),
        Some(_) if shared => Ok(false),
        Some(_) => Err(Unidentified::Value {
            name: "class",
            known: &CLASSES,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;
    use axum::http::Request;

    use super::*;
    use wastegate_core::signals::DeviceClass;

    fn identify(query: &str) -> Result<Identity, String> {
        let request = Request::get(format!("/ws?{query}")).body(()).unwrap();
        DevIdentity::default()
            .read(&request.into_parts().0)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn takes_names_from_the_query() {
        let identity =
            identify("user=ann%20b&key=k&device=d&device-class=mobile&class=premium").unwrap();
        assert_eq!(
            (identity.user.as_str(), identity.key.as_str()),
            ("ann b", "k")
        );
        assert_eq!(
            (identity.device_class, identity.protected),
            (DeviceClass::Mobile, true)
        );
        assert_eq!(identify("user=ann&device=d").unwrap().key.as_str(), "d");
        let (one, two) = (identify("user=ann").unwrap(), identify("user=ann").unwrap());
        assert_ne!(one.key, two.key);
        assert_ne!(one.device, two.device);
        assert!(one.key.is_unnamed() && one.device.is_unnamed());
    }

    #[test]
    fn bad_queries_say_what_to_mend() {
        let long = format!("user={}", "u".repeat(257));
        let cases = [
            (
                "",
                "query parameter `user` is missing; connect to e.g. `/ws?user=ann&key=chat-1&device=laptop`",
            ),
            ("user=", "`user` is empty; give it at least one character"),
            (
                "user=a&user=b",
                "query parameter `user` is given more than once",
            ),
            (
                "user=a&usr=b",
                "query parameter `usr` is unknown; known are user, key, device, device-class, class",
            ),
            (
                "user=a%0Ab",
                "`user` has a control character at byte 1; use printable characters only",
            ),
            (&long, "`user` has 257 bytes; at most 256 are allowed"),
            (
                "user=a&key=",
                "`key` is empty; give it at least one character",
            ),
            (
                "user=a&key=k&key=l",
                "query parameter `key` is given more than once",
            ),
            (
                "user=a&device-class=toaster",
                "query parameter `device-class` must be one of unknown, desktop, mobile, server",
            ),
            ("user=%ff", "the query is not valid percent-encoded UTF-8"),
            (
                "user=a&class=vip",
                "query parameter `class` must be one of standard, premium",
            ),
        ];
        for (query, expected) in cases {
            assert_eq!(identify(query).unwrap_err(), expected, "{query}");
        }
    }

    /// S14, S21: a proxy, a name that was made to lead here, and a client of elsewhere are refused.
    #[test]
    fn s14_s21_only_who_is_at_this_machine_is_believed() {
        let refused = |socket: &str, headers: &[(&str, &str)]| {
            let from = ConnectInfo(SocketAddr::new(socket.parse().unwrap(), 1));
            let mut request = Request::get("/ws?user=ann").extension(from);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let mut parts = request.body(()).unwrap().into_parts().0;
            peer::find(&mut parts, &["127.0.0.0/8".parse().unwrap()]);
            let taken = DevIdentity::default().takes(&parts);
            let anywhere = DevIdentity {
                reach: Reach::Anywhere,
                ..DevIdentity::default()
            };
            assert!(anywhere.takes(&parts).is_ok());
            taken
                .err()
                .map(|error| (error.status().as_u16(), error.to_string()))
        };
        for host in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:80",
        ] {
            assert_eq!(refused("127.0.0.1", &[("host", host)]), None, "{host}");
        }
        // A program may ask for any host, and a page of `https` is not led here.
        let host = ("host", "chat.example");
        let upgrade = ("upgrade", "websocket");
        let page = ("origin", "https://chat.example");
        assert_eq!(refused("127.0.0.1", &[host, upgrade]), None);
        assert_eq!(refused("127.0.0.1", &[host, upgrade, page]), None);
        let local = ("host", "localhost");
        for (socket, headers, why) in [
            (
                "127.0.0.1",
                &[("host", "rebind.example:8080")][..],
                "rebind.example:8080",
            ),
            (
                "127.0.0.1",
                &[host, upgrade, ("origin", "http://chat.example")],
                "chat.example",
            ),
            (
                "127.0.0.1",
                &[("host", "localhost.evil.example")],
                "evil.example",
            ),
            (
                "127.0.0.1",
                &[local, ("x-forwarded-for", "203.0.113.9")],
                "x-forwarded-for",
            ),
            (
                "127.0.0.1",
                &[local, ("x_real_ip", "127.0.0.1")],
                "x_real_ip",
            ),
            (
                "127.0.0.1",
                &[local, ("forwarded", "for=127.0.0.1")],
                "forwarded",
            ),
            ("127.0.0.1", &[local, ("via", "1.1 proxy")], "via"),
            ("192.0.2.7", &[local], "192.0.2.7"),
        ] {
            let (status, said) = refused(socket, headers).unwrap();
            assert_eq!(status, 403, "{said}");
            assert!(
                said.contains(why) && said.contains("`identity.mode`"),
                "{said}"
            );
        }
    }

    /// In front of a backend its own parameters are none of our business, and a client that sends
    /// nothing is its address; only whose limit counts has to be clear.
    #[test]
    fn in_front_of_a_backend_a_client_need_not_say_anything() {
        let naming = Naming {
            shared: true,
            ..Naming::default()
        };
        let dev = DevIdentity {
            naming,
            ..DevIdentity::default()
        };
        let read = |query: &str| {
            let from = ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 1)));
            let request = Request::get(format!("/chat?{query}")).extension(from);
            let parts = request.body(()).unwrap().into_parts().0;
            dev.read(&parts).map(|identity| identity.user.to_string())
        };
        for (query, user) in [
            ("", "192.0.2.7"),
            ("user=", "192.0.2.7"),
            ("class=5&device-class=x&room=7&room=8", "192.0.2.7"),
            ("user=ann&class=5", "ann"),
            ("user=ann&x=%ff", "ann"),
        ] {
            assert_eq!(read(query).unwrap(), user, "{query}");
        }
        for query in ["user=a&user=b", "user=%ff", "user=a%00"] {
            assert_eq!(read(query).unwrap_err().status().as_u16(), 400, "{query}");
        }
        assert!(
            DevIdentity::default()
                .read(
                    &Request::get("/ws?user=ann&room=7")
                        .body(())
                        .unwrap()
                        .into_parts()
                        .0
                )
                .is_err()
        );
    }
}
