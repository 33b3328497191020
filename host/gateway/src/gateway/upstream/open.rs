//! One backend's connection: TCP, TLS where it is asked for, and an upgrade that is really one.

use std::io::ErrorKind;
use std::time::Duration;

use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use axum::http::request::Parts;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Bytes;

use super::dial::Dialer;
use super::exchange::{self, Switched};
use super::member::Load;
use super::{Upstream, UpstreamError, UpstreamHost, extensions, head};
use crate::connection::{IdleUpstream, RelayedUpstream, Transport};
use crate::gateway::identity::Identity;
use crate::gateway::lists::items;
use crate::gateway::parking::Parked;
use crate::tasks::Tasks;
use wastegate_core::types::Clock;

/// A client's upgrade.
#[derive(Clone, Copy)]
pub(in crate::gateway) struct Asked<'a> {
    pub(in crate::gateway) parts: &'a Parts,
    pub(in crate::gateway) identity: &'a Identity,
    /// What answers the client's key.
    pub(in crate::gateway) accept: &'a str,
    /// Which host the backend is asked for.
    pub(in crate::gateway) host: UpstreamHost,
}

/// A connection to a backend that has said yes.
pub(in crate::gateway) struct UpstreamConnection {
    transport: Transport,
    /// What it sent behind its answer.
    leftover: Bytes,
    /// Its answer's head.
    headers: HeaderMap,
    /// That it has one more connection.
    load: Option<Load>,
}

impl Upstream {
    /// Whether it can be reached at all.
    pub(super) async fn is_there(&self, timeout: Duration) -> Result<(), UpstreamError> {
        let reached = TcpStream::connect((self.host(), self.port()));
        match tokio::time::timeout(timeout, reached).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(UpstreamError::Connect(error)),
            Err(_) => Err(UpstreamError::Connect(ErrorKind::TimedOut.into())),
        }
    }

    /// Opens a connection as the client asked for it; also how long it took to reach the backend, TLS included.
    pub(super) async fn connect(
        &self,
        asked: Asked<'_>,
        dialer: &Dialer,
        (tasks, clock): (&Tasks, &Clock),
    ) -> Result<(UpstreamConnection, Duration), UpstreamError> {
        let begun = clock.now();
        let stream = dialer.reach(self).await?;
        let took = clock.now().since(begun);
        let request = head::upgrade(&self.authority, self.path.as_deref(), &asked);
        let Switched {
            transport,
            headers,
            leftover,
        } = exchange::switch(stream, request, tasks).await?;
        check(&headers, &asked)?;
        let connection = UpstreamConnection {
            transport,
            leftover,
            headers,
            load: None,
        };
        Ok((connection, took))
    }
}

/// The value of a header that has exactly one, as text.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then(|| value.trim())
}

/// Whether a 101 is the answer to that upgrade.
fn check(headers: &HeaderMap, asked: &Asked<'_>) -> Result<(), UpstreamError> {
    if only(headers, SEC_WEBSOCKET_ACCEPT) != Some(asked.accept) {
        return Err(UpstreamError::Handshake(
            "`Sec-WebSocket-Accept` does not answer our key",
        ));
    }
    let upgrade = only(headers, UPGRADE);
    if !upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        return Err(UpstreamError::Handshake("`Upgrade` is not `websocket`"));
    }
    if !items(headers, CONNECTION).any(|item| item.eq_ignore_ascii_case(b"upgrade")) {
        return Err(UpstreamError::Handshake(
            "`Connection` does not say `Upgrade`",
        ));
    }
    if !extensions::fits(headers, &asked.parts.headers) {
        return Err(UpstreamError::Handshake(
            "it agreed to an extension that was not offered",
        ));
    }
    if headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        let offered = head::protocols(&asked.parts.headers);
        let chosen = only(headers, SEC_WEBSOCKET_PROTOCOL);
        if !chosen.is_some_and(|chosen| offered.iter().any(|offered| offered == chosen)) {
            return Err(UpstreamError::Handshake(
                "it chose a subprotocol that was not offered",
            ));
        }
    }
    Ok(())
}

impl UpstreamConnection {
    /// One that was kept for its client, if that speaks what was agreed with the backend.
    pub(in crate::gateway) fn resumed(parked: Parked, parts: &Parts) -> Option<Self> {
        let Parked {
            kept,
            headers,
            load,
            ..
        } = parked;
        let agreed = headers.get(SEC_WEBSOCKET_PROTOCOL);
        let agreed = agreed.and_then(|protocol| protocol.to_str().ok());
        let offered = head::protocols(&parts.headers);
        if agreed.is_some_and(|agreed| !offered.iter().any(|offered| offered == agreed)) {
            return None;
        }
        let (transport, leftover) = kept.into_parts();
        Some(Self {
            transport,
            leftover,
            headers,
            load,
        })
    }

    /// Tells the backend that its client will not come.
    pub(in crate::gateway) async fn dismiss(self, within: Duration) {
        IdleUpstream::fresh(self.transport).dismiss(within).await;
    }

    /// What was agreed, if the connection can be kept for another of the client's: not if they agreed on
    /// an extension, whose state is in the two ends.
    pub(in crate::gateway) fn agreed(&self) -> Option<HeaderMap> {
        let extended = self.headers.contains_key(SEC_WEBSOCKET_EXTENSIONS);
        (!extended).then(|| self.headers.clone())
    }

    /// The backend, while its connection is counted here.
    pub(super) fn backend(&self) -> Option<&Upstream> {
        self.load.as_ref().map(Load::backend)
    }

    pub(super) fn counted(self, load: Option<Load>) -> Self {
        Self { load, ..self }
    }

    /// Tells the client what the backend answered, but what is of one hop and what is for us.
    pub(in crate::gateway) fn answer(&self, headers: &mut HeaderMap) {
        let answer = head::answer(&self.headers);
        for name in answer.keys() {
            if *name == CONTENT_LENGTH || headers.contains_key(name) {
                continue;
            }
            for value in answer.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
    }

    /// Units of work that the backend says are under way for this client from the start.
    pub(in crate::gateway) fn in_flight(&self) -> Option<u32> {
        let value = self.headers.get(head::IN_FLIGHT)?.to_str().ok()?;
        value.trim().parse().ok()
    }

    /// The backend's side, and that it counts as one of its connections until that is dropped.
    pub(in crate::gateway) fn into_relayed(self) -> (RelayedUpstream, Option<Load>) {
        let relayed = RelayedUpstream {
            transport: self.transport,
            leftover: self.leftover,
            compresses: extensions::compresses(&self.headers),
            keeper: None,
        };
        (relayed, self.load)
    }
}
