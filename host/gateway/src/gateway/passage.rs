//! What a connection of a client has come to, shared by the connection and its requests.
//!
//! It begins as a stranger's: half-open, counted by its address, and with so much time to become something
//! else whatever it sends. An upgrade whose client is known, and a request that is handed on, make an end
//! of that. What is neither is answered and closed, so that nothing is held by being refused. A connection
//! that hands requests on has given its place among the node's connections back: it is counted among its
//! own kind, and has to find a place again should it become a WebSocket after all.

use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::response::Response;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::caps::HalfOpen;
#[cfg(feature = "upstream")]
use super::http::{Full, Place};
use super::places::ConnectionSlot;

/// The way of one connection.
#[derive(Debug)]
pub(super) struct Passage {
    // Locks, because requests and the connection look at it from different tasks; each held for an exchange.
    half_open: Mutex<Option<HalfOpen>>,
    kind: Mutex<Kind>,
    /// The door counted it by the address of its client, and its first request with it.
    is_charged: AtomicBool,
    /// It is no stranger's any more. Looked at when its time is over: to wake its task for it costs more.
    is_settled: AtomicBool,
    /// By which it is ended at once, whatever it is in the middle of.
    cut: CancellationToken,
    slot: ConnectionSlot,
}

/// What a connection is counted among.
#[derive(Debug)]
enum Kind {
    /// WebSockets, which it may become.
    WebSocket,
    /// Connections whose requests are handed on.
    #[cfg(feature = "upstream")]
    Plain {
        /// Counted until it is dropped.
        _place: Place,
    },
}

/// A request's own share of it.
#[derive(Debug, Clone)]
pub(super) struct OnPassage(pub(super) Arc<Passage>);

impl Passage {
    /// Of a client without identity. None where such clients are not counted.
    pub(super) fn new(slot: ConnectionSlot, half_open: Option<HalfOpen>) -> Arc<Self> {
        let is_charged = half_open.as_ref().is_some_and(HalfOpen::is_of_one);
        Arc::new(Self {
            half_open: Mutex::new(half_open),
            kind: Mutex::new(Kind::WebSocket),
            is_charged: AtomicBool::new(is_charged),
            is_settled: AtomicBool::new(false),
            cut: CancellationToken::new(),
            slot,
        })
    }

    /// By which it is ended at once.
    pub(super) const fn cut(&self) -> &CancellationToken {
        &self.cut
    }

    /// Whether a request has been paid for by the connection that it opened; once.
    pub(super) fn is_paid(&self) -> bool {
        self.is_charged.swap(false, Ordering::Relaxed)
    }

    /// It is known who this is.
    pub(super) fn settle(&self) {
        drop(self.half_open.lock().take());
        self.is_settled.store(true, Ordering::Release);
    }

    /// Whether its requests are handed on.
    pub(super) fn is_plain(&self) -> bool {
        !matches!(*self.kind.lock(), Kind::WebSocket)
    }

    /// Makes it a connection whose requests are handed on, if it is none yet.
    #[cfg(feature = "upstream")]
    pub(super) fn carry(&self, take: impl FnOnce() -> Result<Place, Full>) -> Result<(), Full> {
        let mut kind = self.kind.lock();
        if matches!(*kind, Kind::WebSocket) {
            let place = take()?;
            if !self.slot.step_aside() {
                return Err(Full::All);
            }
            *kind = Kind::Plain { _place: place };
        }
        drop(kind);
        self.settle();
        Ok(())
    }

    /// Its place among the node's connections, for a WebSocket. None if it gave its own up and there is no
    /// other.
    pub(super) fn slot(&self) -> Option<ConnectionSlot> {
        let mut kind = self.kind.lock();
        if !matches!(*kind, Kind::WebSocket) {
            if !self.slot.step_back() {
                return None;
            }
            *kind = Kind::WebSocket;
        }
        Some(self.slot.clone())
    }

    /// Notes an answer. What is refused has no reason to stay: the answer says so, and the server closes the
    /// connection behind it (RFC 9112, section 9.6). True if it has to say something else there, so that the
    /// connection has to be closed without that.
    pub(super) fn answered(&self, response: &mut Response) -> bool {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS || self.is_plain() {
            return false;
        }
        let close = HeaderValue::from_static("close");
        let connection = response.headers_mut().entry(CONNECTION).or_insert(close);
        *connection != "close"
    }

    /// Completes when it has been a stranger's for so long.
    pub(super) async fn overdue(&self, after: Duration) {
        tokio::time::sleep(after).await;
        if self.is_settled.load(Ordering::Acquire) {
            future::pending::<()>().await;
        }
    }
}
