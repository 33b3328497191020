//! The backend's side of a connection: from a client's checked upgrade to one of our own.
//!
//! Only configured backends are ever connected to; which of several, [`Balance`] says. One has to
//! answer with 101 and the right `Sec-WebSocket-Accept` (RFC 6455, section 4.1) before the client is
//! answered; anything else is a refusal, and its connection is never used again.

mod blame;
mod dial;
mod exchange;
mod extensions;
mod forwarding;
mod head;
mod member;
mod open;
mod pool;
mod refusal;
mod traced;
mod tries;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::uri::{Authority, PathAndQuery, Scheme, Uri};

pub(super) use dial::Dialer;
pub(super) use head::{Onward, answer, is_coded};
pub use member::BackendView;
pub(super) use member::{Load, Members};
pub(super) use open::{Asked, UpstreamConnection};
pub use pool::Balance;
pub(crate) use pool::{Availability, Upstreams};
pub(crate) use refusal::BackendRefusal;
pub(super) use tries::{Attempt, Purpose};

use wastegate_core::types::host;

/// Which host a backend is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UpstreamHost {
    /// The client's, so that a backend can compare it with the origin of a page.
    #[default]
    Client,
    /// The backend's own, as it is configured: for one that many hosts share.
    Backend,
}

/// The address of one backend, as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    wire: Wire,
    authority: Authority,
    /// None hands on the client's own path.
    path: Option<String>,
}

/// What is spoken below HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Plain,
    #[cfg(feature = "tls")]
    Tls,
}

/// Text that names no backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadUpstream {
    /// It is no URL of a WebSocket server.
    #[error("{url:?} is not a WebSocket URL{hint}", url = .0, hint = hint(.0))]
    Url(String),
    /// It wants TLS, which this program was built without.
    #[cfg(not(feature = "tls"))]
    #[error("{0:?} wants TLS, which this program does not have: build it with the feature `tls`")]
    NoTls(String),
    /// It has a name, a password or a query.
    #[error("{0:?} has a user, a query or a fragment: give ws://HOST[:PORT][/PATH] or wss:// only")]
    More(String),
}

/// Why a backend did not take a connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum UpstreamError {
    /// It cannot be reached.
    #[error("it cannot be reached: {0}")]
    Connect(#[source] std::io::Error),
    /// It speaks no TLS that can be trusted.
    #[error("its TLS cannot be trusted: {0}")]
    Tls(#[source] std::io::Error),
    /// It did not answer in time.
    #[error("it did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// It does not speak HTTP, or said too much.
    #[error("its answer is no HTTP that can be used: {0}")]
    Http(#[source] hyper::Error),
    /// It refused; the client gets that answer.
    #[error("{0}")]
    Refused(Box<BackendRefusal>),
    /// It said yes in a way that no WebSocket server does.
    #[error("its 101 is none: {0}")]
    Handshake(&'static str),
}

impl UpstreamError {
    /// The status of an answer of our own.
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        }
    }

    /// What a client is told: nothing of the backend's address or answer.
    pub(super) const fn client_message(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "the server behind the gateway did not answer in time",
            Self::Http(_) | Self::Handshake(_) => {
                "the server behind the gateway gave no answer that can be used"
            }
            _ => "the server behind the gateway cannot be reached",
        }
    }
}

impl FromStr for Upstream {
    type Err = BadUpstream;

    fn from_str(text: &str) -> Result<Self, BadUpstream> {
        let bad = || BadUpstream::Url(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let wire = match uri.scheme_str() {
            Some("ws") => Wire::Plain,
            #[cfg(feature = "tls")]
            Some("wss") => Wire::Tls,
            #[cfg(not(feature = "tls"))]
            Some("wss") => return Err(BadUpstream::NoTls(text.to_owned())),
            _ => return Err(bad()),
        };
        let authority = uri.authority().ok_or_else(bad)?.clone();
        if authority.as_str().contains('@') || uri.query().is_some() || text.contains('#') {
            return Err(BadUpstream::More(text.to_owned()));
        }
        if authority.host().is_empty() {
            return Err(bad());
        }
        let path = Some(uri.path()).filter(|path| !matches!(*path, "" | "/"));
        Ok(Self {
            wire,
            authority,
            path: path.map(ToOwned::to_owned),
        })
    }
}

/// What to write instead of a text that is no URL of a backend.
fn hint(text: &str) -> String {
    match meant(text) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => ", such as ws://127.0.0.1:8000 or wss://chat.example".to_owned(),
    }
}

/// The URL that a text with another scheme, or with none, was probably meant to be.
fn meant(text: &str) -> Option<String> {
    let meant = match text.split_once("://") {
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" | "tcp" => format!("ws://{rest}"),
            "https" | "wss" => format!("wss://{rest}"),
            _ => return None,
        },
        // `localhost:8000` alone: a host with a port, or at least a name with a dot.
        None if text.contains([':', '.']) || text.starts_with("localhost") => {
            format!("ws://{}", text.trim_start_matches('/'))
        }
        None => return None,
    };
    (meant != text && meant.parse::<Upstream>().is_ok()).then_some(meant)
}

impl Upstream {
    /// Whether it wants TLS.
    const fn is_encrypted(&self) -> bool {
        !matches!(self.wire, Wire::Plain)
    }

    /// Its host and port.
    pub(super) const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Whether it is certain that this is a listener of ours: a backend that would be this server again.
    #[must_use]
    pub fn is_listener(&self, listener: SocketAddr) -> bool {
        let is_local = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
        let ip = match self.host().parse::<IpAddr>() {
            Ok(ip) => ip.to_canonical(),
            // It may be either of the two.
            Err(_) if self.host().eq_ignore_ascii_case("localhost") && is_local(listener.ip()) => {
                listener.ip()
            }
            Err(_) => return false,
        };
        // Which addresses besides these are of this machine is not known here.
        let may_be_ours = ip == listener.ip().to_canonical() || is_local(ip);
        may_be_ours && host::takes(listener, SocketAddr::new(ip, self.port()))
    }

    /// Where it is asked for what a request that is no upgrade wants. Its own path is that of its
    /// WebSockets, so it is none for these.
    pub(super) fn target(&self, client: &Uri) -> Uri {
        let mut parts = client.clone().into_parts();
        let scheme = if self.is_encrypted() {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        };
        parts.scheme = Some(scheme);
        parts.authority = Some(self.authority.clone());
        let path = parts.path_and_query.take();
        parts.path_and_query = path.or_else(|| Some(PathAndQuery::from_static("/")));
        // All three are there, and each is what it should be.
        Uri::from_parts(parts).unwrap_or_default()
    }

    /// The backend of such a target.
    pub(super) fn of_target(target: &Uri) -> Option<Self> {
        Some(Self {
            wire: match target.scheme() {
                #[cfg(feature = "tls")]
                Some(scheme) if *scheme == Scheme::HTTPS => Wire::Tls,
                _ => Wire::Plain,
            },
            authority: target.authority()?.clone(),
            path: None,
        })
    }

    fn host(&self) -> &str {
        self.authority.host().trim_matches(['[', ']'])
    }

    fn port(&self) -> u16 {
        let usual = if self.is_encrypted() { 443 } else { 80 };
        self.authority.port_u16().unwrap_or(usual)
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.as_deref().unwrap_or_default();
        let scheme = if self.is_encrypted() { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{path}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_that_is_ourselves_is_known() {
        for (url, listener, is_ours) in [
            ("ws://127.0.0.1:8080", "127.0.0.1:8080", true),
            ("ws://127.0.0.1:8080/chat", "0.0.0.0:8080", true),
            ("ws://localhost:8080", "127.0.0.1:8080", true),
            ("ws://LOCALHOST:8080", "[::]:8080", true),
            ("ws://127.0.0.1:8080", "[::]:8080", true),
            ("ws://[::1]:8080", "[::]:8080", true),
            ("ws://[::ffff:127.0.0.1]:8080", "127.0.0.1:8080", true),
            ("ws://10.0.0.5", "10.0.0.5:80", true),
            ("ws://0.0.0.0:8080", "0.0.0.0:8080", true),
            ("ws://127.0.0.1:8081", "127.0.0.1:8080", false),
            ("ws://127.0.0.2:8080", "127.0.0.1:8080", false),
            ("ws://[::1]:8080", "0.0.0.0:8080", false),
            // Another machine, or not known before it is asked for.
            ("ws://10.0.0.5:8080", "0.0.0.0:8080", false),
            ("ws://backend:8080", "127.0.0.1:8080", false),
            ("ws://127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            let upstream: Upstream = url.parse().unwrap();
            let found = upstream.is_listener(listener.parse().unwrap());
            assert_eq!(found, is_ours, "{url} {listener}");
        }
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn a_backend_that_wants_tls_is_refused_where_there_is_none() {
        let refused = "wss://backend".parse::<Upstream>().unwrap_err();
        assert_eq!(refused, BadUpstream::NoTls("wss://backend".to_owned()));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_backend_is_a_plain_websocket_url() {
        for (text, shown) in [
            ("ws://127.0.0.1:8000", "ws://127.0.0.1:8000"),
            ("ws://backend/", "ws://backend"),
            ("ws://[::1]:9/chat/v1", "ws://[::1]:9/chat/v1"),
            ("wss://backend/chat", "wss://backend/chat"),
        ] {
            let upstream: Upstream = text.parse().unwrap();
            assert_eq!(upstream.to_string(), shown);
        }
        let bad = |text: &str| text.parse::<Upstream>().unwrap_err();
        for text in [
            "",
            "backend:8000",
            "http://backend",
            "ws://",
            "ws:///x",
            "/ws",
        ] {
            assert!(matches!(bad(text), BadUpstream::Url(_)), "{text}");
        }
        for text in ["ws://a:b@backend", "ws://backend?x=1", "ws://backend/#x"] {
            assert!(matches!(bad(text), BadUpstream::More(_)), "{text}");
        }
        for (text, hint) in [
            ("http://backend", "; did you mean `ws://backend`?"),
            ("HTTPS://backend:1/x", "; did you mean `wss://backend:1/x`?"),
            ("backend:8000", "; did you mean `ws://backend:8000`?"),
            ("/ws", ", such as ws://127.0.0.1:8000 or wss://chat.example"),
        ] {
            let said = bad(text).to_string();
            assert_eq!(said, format!("{text:?} is not a WebSocket URL{hint}"));
        }
    }
}
