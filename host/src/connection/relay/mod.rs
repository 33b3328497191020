//! The owner task of a connection that is handed on to a backend, frame by frame as they are.
//!
//! Nothing is read for a side that does not take what waits for it, so each side slows the other down
//! and nothing piles up here. What we say ourselves (pings, a Close) goes between frames; the pongs to
//! our pings stay here, all others are handed on.

mod lane;
mod step;

use std::sync::Arc;
use std::time::Duration;

use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use self::lane::Lane;
use self::step::{Moved, Side};
use super::frames::{ControlKind, Limits, Scanner, Sender, Violation, encode};
use super::heartbeat::{ControlRate, Heartbeat};
use super::pump::Session;
use super::transport::{Transport, abort_on_drop, give_up_on_silence};
use crate::manager::{EndReport, Peer, Port};
use crate::observe::Event;
use crate::registry::Attachment;
use crate::types::{CloseReason, Timestamp};

/// Frames that a client may cut a message into.
const FRAGMENTS_MAX: u32 = 4_096;

/// The backend's side.
pub struct Far {
    /// Its bytes.
    pub transport: Transport,
    /// What it sent behind its response head.
    pub leftover: Bytes,
    /// permessage-deflate was negotiated, end to end.
    pub compresses: bool,
}

/// Runs a connection that has been upgraded on both sides and attached, until it has ended.
/// `leftover` is what the client sent behind its request head.
pub async fn relay(
    session: Arc<Session>,
    (client, leftover): (Transport, Bytes),
    far: Far,
    attachment: Attachment,
) -> EndReport {
    let port = attachment.port().clone();
    let (socket, far_socket) = (client.socket(), far.transport.socket());
    let health = &session.health;
    give_up_on_silence(&far_socket, health.ping_interval, health.dead_after);
    let limits = Limits {
        frame_bytes_max: session.config.frame_bytes_max as u64,
        message_bytes_max: session.config.message_bytes_max as u64,
        fragments_max: FRAGMENTS_MAX,
    };
    // The backend is the operator's own.
    let trusted = Limits {
        frame_bytes_max: u64::MAX,
        message_bytes_max: u64::MAX,
        fragments_max: u32::MAX,
    };
    let mut relay = Relay {
        up: Lane::new(Scanner::new(Sender::Client, far.compresses, limits)),
        down: Lane::new(Scanner::new(Sender::Server, far.compresses, trusted)),
        client,
        backend: far.transport,
        peer: Peer {
            connection: port.id,
            device: port.device.clone(),
        },
        heartbeat: Heartbeat::new(session.clock.now()),
        control: ControlRate::default(),
        client_blocked: None,
        backend_blocked: None,
        backend_heard: session.clock.now(),
        client_closed_at: None,
        closed_by_backend: false,
        attachment,
        session,
        port,
    };
    let early = relay
        .take(Side::Client, &leftover)
        .or_else(|| relay.take(Side::Backend, &far.leftover));
    let reason = match early.and_then(|moved| relay.ends(moved)) {
        Some(reason) => reason,
        None => relay.pump().await,
    };
    let report = relay.finish(reason).await;
    if report.aborted {
        abort_on_drop(&socket);
    }
    if !relay.up.is_empty() {
        abort_on_drop(&far_socket);
    }
    relay.port.report_end(report);
    relay.attachment.leave(report.reason);
    report
}

struct Relay {
    session: Arc<Session>,
    attachment: Attachment,
    port: Arc<Port>,
    peer: Peer,
    client: Transport,
    backend: Transport,
    /// From the client to the backend.
    up: Lane,
    /// From the backend to the client.
    down: Lane,
    heartbeat: Heartbeat,
    control: ControlRate,
    /// Since when the client has not taken what waits for it.
    client_blocked: Option<Timestamp>,
    /// Since when the backend has not.
    backend_blocked: Option<Timestamp>,
    /// When the backend said something last.
    backend_heard: Timestamp,
    /// When the client sent its Close, or its answer to ours.
    client_closed_at: Option<Timestamp>,
    closed_by_backend: bool,
}

impl Relay {
    /// Until there is a reason to end.
    async fn pump(&mut self) -> CloseReason {
        loop {
            let now = self.session.clock.now();
            if let Some(reason) = self.stalled(now) {
                return reason;
            }
            if let Some(nonce) = self.heartbeat.due(&self.port, &self.session.health, now) {
                self.ping(&nonce, now);
            }
            let wake = self.wake_in(now);
            let (port, session) = (self.port.clone(), self.session.clone());
            tokio::select! {
                biased;
                reason = port.close_asked() => return reason,
                () = port.vitals.ping_asked() => {
                    let nonce = self.heartbeat.fresh_nonce();
                    self.ping(&nonce, session.clock.now());
                }
                moved = self.moved() => {
                    if let Some(reason) = self.ends(moved) {
                        return reason;
                    }
                }
                () = tokio::time::sleep(wake) => {}
            }
        }
    }

    fn ping(&mut self, nonce: &[u8], now: Timestamp) {
        self.down.ping(&encode(ControlKind::Ping, nonce, None));
        if self.down.own_waits() {
            // In the middle of a frame of the backend: the client is not asked yet.
            self.note_silence(true);
            return;
        }
        self.asked(now);
    }

    /// Our ping is on its way to the client.
    fn asked(&self, now: Timestamp) {
        self.port.vitals.ping_sent(now);
        self.attachment
            .manager()
            .note(now, Some(&self.peer.device), Event::Ping);
    }

    /// Since when somebody keeps the connection from going on, and who.
    fn stalls(&self) -> impl Iterator<Item = (Timestamp, CloseReason)> {
        // Whoever has begun a frame and does not go on keeps us from asking the client anything.
        let inside = self.down.own_waits() && self.client_blocked.is_none();
        let client = self
            .client_blocked
            .map(|at| (at, CloseReason::SlowConsumer));
        let backend = self.backend_blocked;
        let backend = backend.or(inside.then_some(self.backend_heard));
        let backend = backend.map(|at| (at, CloseReason::UpstreamGone));
        client.into_iter().chain(backend)
    }

    /// Whether that lasts for too long.
    fn stalled(&self, now: Timestamp) -> Option<CloseReason> {
        let stall_max = self.session.config.stall_max;
        self.stalls()
            .find(|(at, _)| now.since(*at) >= stall_max)
            .map(|(_, reason)| reason)
    }

    /// When to look again if nothing happens.
    fn wake_in(&self, now: Timestamp) -> Duration {
        let beat = self.heartbeat.next(&self.session.health, now);
        let stall_max = self.session.config.stall_max;
        self.stalls()
            .map(|(at, _)| at.after(stall_max).since(now))
            .fold(beat, Duration::min)
    }

    /// Whether that is the end, and why.
    fn ends(&self, moved: Moved) -> Option<CloseReason> {
        match moved {
            Moved::Some => None,
            Moved::Close(Side::Client, code) => {
                let away = code == Some(CloseCode::Away.into());
                Some(if away {
                    CloseReason::ClientLeft
                } else {
                    CloseReason::ClientClosed
                })
            }
            Moved::Close(Side::Backend, _) => Some(CloseReason::UpstreamClosed),
            Moved::Gone(Side::Client) => Some(CloseReason::ClientGone),
            Moved::Gone(Side::Backend) => Some(CloseReason::UpstreamGone),
            Moved::Flood => Some(CloseReason::PolicyViolation),
            Moved::Broken(side, violation) => {
                tracing::debug!(connection = %self.port.id, %violation, "the stream cannot go on");
                self.port.vitals.count_error();
                Some(match (side, violation) {
                    (Side::Backend, _) => CloseReason::UpstreamGone,
                    (
                        Side::Client,
                        Violation::FrameTooLong { .. } | Violation::MessageTooLong { .. },
                    ) => CloseReason::MessageTooBig,
                    (Side::Client, Violation::TooManyFragments { .. }) => {
                        CloseReason::PolicyViolation
                    }
                    (Side::Client, _) => CloseReason::ProtocolError,
                })
            }
        }
    }

    /// Says goodbye to both within the deadline, and learns on the way whether the client was there.
    async fn finish(&mut self, reason: CloseReason) -> EndReport {
        let start = self.session.clock.now();
        let deadline = self.session.config.close_deadline;
        let relayed = reason.is_clients() || reason == CloseReason::UpstreamClosed;
        if !relayed {
            let (code, text) = (self.session.close_code)(reason);
            let mut payload = code.to_be_bytes().to_vec();
            payload.extend(text.as_bytes());
            self.down.seal(&encode(ControlKind::Close, &payload, None));
        }
        if !relayed || reason == CloseReason::ClientGone {
            // A client that vanished went away; it did not say that all is well (1000).
            let (code, _) = match reason {
                CloseReason::ClientGone => (CloseCode::Away.into(), ""),
                _ => (self.session.close_code)(reason),
            };
            let mask = self.heartbeat.fresh_nonce();
            let mask = mask.first_chunk::<4>().copied().unwrap_or_default();
            let close = encode(ControlKind::Close, &code.to_be_bytes(), Some(mask));
            self.up.seal(&close);
        }
        let ended = tokio::time::timeout(deadline, self.goodbye(reason)).await;
        let answered = self.client_closed_at;
        EndReport {
            reason,
            // Whether it answered, and not whether the backend let us finish.
            echoed_after: answered.filter(|_| !relayed).map(|at| at.since(start)),
            aborted: ended.is_err() && answered.is_none() && !reason.is_clients(),
        }
    }

    /// Moves on until both have said what they had to.
    async fn goodbye(&mut self, reason: CloseReason) {
        let mut backend_gone = reason == CloseReason::UpstreamGone;
        if backend_gone {
            self.up.discard();
        }
        if reason == CloseReason::ClientGone {
            // Nobody is left to hear anything but the backend.
            let _ = std::future::poll_fn(|cx| self.up.poll_send(&mut self.backend, cx)).await;
            return;
        }
        loop {
            let sealed = self.down.is_sealed();
            let answered = self.client_closed_at.is_some()
                && (self.closed_by_backend || backend_gone || sealed);
            // A frame that the backend does not end leaves no place for a Close.
            let speechless = backend_gone && !self.closed_by_backend && !sealed;
            if (answered || speechless) && self.up.is_empty() && self.down.is_empty() {
                return;
            }
            match self.moved_to_end(backend_gone).await {
                Moved::Gone(Side::Client) => return,
                Moved::Gone(Side::Backend) | Moved::Broken(Side::Backend, _) => {
                    backend_gone = true;
                    self.up.discard();
                    if reason.is_clients() {
                        return;
                    }
                }
                _ => {}
            }
        }
    }
}
