//! The backend's side of a connection: from a client's checked upgrade to one of our own.
//!
//! Only the configured backend is ever connected to. It has to answer with 101 and the right
//! `Sec-WebSocket-Accept` (RFC 6455, section 4.1) before the client is answered; anything else is a
//! refusal, and its connection is never used again.

mod head;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{
    HeaderMap, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderValue, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Bytes;

use super::identity::Identity;
use super::upgrade::transport;
use crate::connection::{Far, Transport};
use crate::types::Tasks;

/// Bytes of a backend's response head.
const RESPONSE_BYTES_MAX: usize = 16 * 1_024;
/// Headers of a backend's response.
const RESPONSE_HEADERS_MAX: usize = 64;

/// A backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    authority: Authority,
    /// None hands on the client's own path.
    path: Option<String>,
}

/// Text that names no backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUpstream {
    /// It is no URL of a WebSocket server.
    #[error("{0:?} is not a WebSocket URL, such as ws://127.0.0.1:8000")]
    Url(String),
    /// It asks for TLS.
    #[error(
        "{0:?} asks for TLS, which is not spoken to backends yet: use ws:// on a network that you trust"
    )]
    Tls(String),
    /// It has a name, a password or a query.
    #[error("{0:?} has a user, a query or a fragment: give ws://HOST[:PORT][/PATH] only")]
    More(String),
}

/// Why a backend did not take a connection.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// It cannot be reached.
    #[error("it cannot be reached: {0}")]
    Connect(#[source] std::io::Error),
    /// It did not answer in time.
    #[error("it did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// It does not speak HTTP, or said too much.
    #[error("its answer is no HTTP that can be used: {0}")]
    Http(#[source] hyper::Error),
    /// It refused.
    #[error("it answered {0}")]
    Status(StatusCode),
    /// It said yes in a way that no WebSocket server does.
    #[error("its 101 is none: {0}")]
    Handshake(&'static str),
}

impl UpstreamError {
    /// The status that the client hears: the backend's own where it refused.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Status(status) if status.is_client_error() || status.is_server_error() => *status,
            _ => StatusCode::BAD_GATEWAY,
        }
    }

    /// What a client is told: nothing of the backend's address or answer.
    pub(super) fn told(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "the server behind the gateway did not answer in time",
            Self::Status(_) => "the server behind the gateway refused the connection",
            _ => "the server behind the gateway cannot be reached",
        }
    }
}

impl FromStr for Upstream {
    type Err = BadUpstream;

    fn from_str(text: &str) -> Result<Self, BadUpstream> {
        let bad = || BadUpstream::Url(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| bad())?;
        match uri.scheme_str() {
            Some("ws") => {}
            Some("wss") => return Err(BadUpstream::Tls(text.to_owned())),
            _ => return Err(bad()),
        }
        let authority = uri.authority().ok_or_else(bad)?.clone();
        if authority.as_str().contains('@') || uri.query().is_some() || text.contains('#') {
            return Err(BadUpstream::More(text.to_owned()));
        }
        if authority.host().is_empty() {
            return Err(bad());
        }
        let path = Some(uri.path()).filter(|path| !matches!(*path, "" | "/"));
        Ok(Self {
            authority,
            path: path.map(ToOwned::to_owned),
        })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.as_deref().unwrap_or_default();
        write!(f, "ws://{}{path}", self.authority)
    }
}

/// A client's upgrade.
pub(super) struct Asked<'a> {
    pub(super) parts: &'a Parts,
    pub(super) identity: &'a Identity,
    /// What answers the client's key.
    pub(super) accept: &'a str,
}

/// A connection to a backend that has said yes.
pub(super) struct Leg {
    transport: Transport,
    /// What it sent behind its answer.
    leftover: Bytes,
    protocol: Option<HeaderValue>,
    extensions: Vec<HeaderValue>,
}

impl Upstream {
    /// Opens a connection as the client asked for it.
    pub(super) async fn connect(
        &self,
        asked: Asked<'_>,
        timeout: Duration,
        tasks: &Tasks,
    ) -> Result<Leg, UpstreamError> {
        let connected = tokio::time::timeout(timeout, self.open(asked, tasks)).await;
        connected.unwrap_or(Err(UpstreamError::Timeout(timeout)))
    }

    async fn open(&self, asked: Asked<'_>, tasks: &Tasks) -> Result<Leg, UpstreamError> {
        let address = (
            self.authority.host().trim_matches(['[', ']']),
            self.authority.port_u16().unwrap_or(80),
        );
        let stream = TcpStream::connect(address)
            .await
            .map_err(UpstreamError::Connect)?;
        // Messages are whole by the time they are written.
        stream.set_nodelay(true).map_err(UpstreamError::Connect)?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(RESPONSE_BYTES_MAX)
            .max_headers(RESPONSE_HEADERS_MAX)
            .handshake::<_, Body>(TokioIo::new(stream))
            .await
            .map_err(UpstreamError::Http)?;
        // Ends with the upgrade, or when `sender` is dropped.
        tasks.spawn("upstream-handshake", async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to the upstream failed");
            }
        });
        let request = head::request(&self.authority, self.path.as_deref(), &asked);
        let response = sender
            .send_request(request)
            .await
            .map_err(UpstreamError::Http)?;
        let headers = response.headers();
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(UpstreamError::Status(response.status()));
        }
        check(headers, &asked)?;
        let protocol = headers.get(SEC_WEBSOCKET_PROTOCOL).cloned();
        let extensions = headers.get_all(SEC_WEBSOCKET_EXTENSIONS);
        let extensions = extensions.iter().cloned().collect();
        let upgraded = hyper::upgrade::on(response)
            .await
            .map_err(UpstreamError::Http)?;
        let (transport, leftover) = transport(upgraded);
        Ok(Leg {
            transport,
            leftover,
            protocol,
            extensions,
        })
    }
}

/// Whether a 101 is the answer to that upgrade.
fn check(headers: &HeaderMap, asked: &Asked<'_>) -> Result<(), UpstreamError> {
    let is = |name, wanted: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.trim() == wanted) && values.next().is_none()
    };
    if !is(SEC_WEBSOCKET_ACCEPT, asked.accept) {
        return Err(UpstreamError::Handshake(
            "`Sec-WebSocket-Accept` does not answer our key",
        ));
    }
    let upgrade = headers.get(UPGRADE).and_then(|value| value.to_str().ok());
    if !upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        return Err(UpstreamError::Handshake("`Upgrade` is not `websocket`"));
    }
    if let Some(chosen) = headers.get(SEC_WEBSOCKET_PROTOCOL) {
        let offered = head::protocols(&asked.parts.headers);
        let chosen = chosen.to_str().unwrap_or_default().trim();
        if !offered.iter().any(|offered| offered == chosen) {
            return Err(UpstreamError::Handshake(
                "it chose a subprotocol that was not offered",
            ));
        }
    }
    Ok(())
}

impl Leg {
    /// Tells the client what the backend chose.
    pub(super) fn answer(&self, headers: &mut HeaderMap) {
        if let Some(protocol) = &self.protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol.clone());
        }
        for extension in &self.extensions {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, extension.clone());
        }
    }

    pub(super) fn into_far(self) -> Far {
        let compresses = self.extensions.iter().any(|extension| {
            let extension = extension.to_str().unwrap_or_default();
            extension.contains("permessage-deflate")
        });
        Far {
            transport: self.transport,
            leftover: self.leftover,
            compresses,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_a_plain_websocket_url() {
        for (text, shown) in [
            ("ws://127.0.0.1:8000", "ws://127.0.0.1:8000"),
            ("ws://backend/", "ws://backend"),
            ("ws://[::1]:9/chat/v1", "ws://[::1]:9/chat/v1"),
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
        assert!(matches!(bad("wss://backend"), BadUpstream::Tls(_)));
        for text in ["ws://a:b@backend", "ws://backend?x=1", "ws://backend/#x"] {
            assert!(matches!(bad(text), BadUpstream::More(_)), "{text}");
        }
    }
}
