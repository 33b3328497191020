//! The owner task of one connection, frame by frame to its one end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message as Frame};

use super::budget::{BudgetShare, Budgets, Exceeded};
use super::config::Config;
use super::ear::Ear;
use super::echo::EchoListeners;
use super::faults::{PeerFault, PeerFaults, PeerSide};
use super::frames::{Unmasked, Violation};
use super::heartbeat::{ControlRate, Heartbeat};
use super::progress::next_look;
use super::traffic::{Ending, Traffic, Way};
use super::transport::Transport;
use super::writer::Writer;
use crate::health;
use crate::manager::{Delivery, EndReport, Message, Peer, Port};
use crate::observe::ActivityEvent;
use crate::registry::Attachment;
use wastegate_core::types::{Clock, CloseReason, ConnectionId, ConnectionRefs, Timestamp};

/// What a connection needs besides its socket. One for all connections of a gateway.
pub struct ConnectionContext {
    /// Sizes and deadlines.
    pub config: Config,
    /// The heartbeat's times.
    pub health: health::Config,
    /// Where moments come from.
    pub clock: Clock,
    /// The close code and reason that tell a client why.
    pub close_code: fn(CloseReason) -> (u16, &'static str),
    /// The references that connections have in close reasons.
    pub refs: ConnectionRefs,
    /// The last message to a client that understands our notices, before it is closed.
    pub notice: fn(CloseReason) -> Option<Message>,
    /// What peers did that may not be done, counted.
    pub faults: Arc<PeerFaults>,
    /// What passes, counted.
    pub traffic: Arc<Traffic>,
    /// The bound on evicted clients that are listened to.
    pub listeners: EchoListeners,
    /// How much the clients of one user may send.
    pub budgets: Budgets,
}

impl ConnectionContext {
    /// The same with other sizes and deadlines.
    #[must_use]
    pub fn with(&self, config: Config) -> Self {
        Self {
            config,
            health: self.health.clone(),
            clock: self.clock.clone(),
            close_code: self.close_code,
            refs: self.refs,
            notice: self.notice,
            faults: self.faults.clone(),
            traffic: self.traffic.clone(),
            listeners: self.listeners.clone(),
            budgets: self.budgets.clone(),
        }
    }
}

impl ConnectionContext {
    /// The close code and the reason that a client is told. Where the gateway ends a connection by itself, the
    /// reason has its reference, which `wastegate why` takes.
    pub(super) fn told(&self, reason: CloseReason, connection: ConnectionId) -> (u16, String) {
        let (code, text) = (self.close_code)(reason);
        if reason.is_our_wish() {
            (code, format!("{text} (why {})", self.refs.of(connection)))
        } else {
            (code, text.to_owned())
        }
    }
}

/// Runs a connection that has been upgraded and attached, until it has ended. `leftover` is what
/// the client sent behind its request head.
pub async fn run(
    session: Arc<ConnectionContext>,
    transport: Transport,
    leftover: Bytes,
    attachment: Attachment,
) -> EndReport {
    let port = attachment.port().clone();
    let user = &attachment.manager().user;
    let ear = Ear::new(transport, leftover, port.clone(), user, &session);
    let limits = Some(session.config.websocket());
    let stream = WebSocketStream::from_raw_socket(ear, Role::Server, limits).await;
    let (sink, frames) = stream.split();
    let mut pump = Pump {
        writer: Writer::new(
            sink,
            port.clone(),
            attachment.manager().clone(),
            session.clone(),
        ),
        frames,
        peer: Peer {
            connection: port.id,
            device: port.device.clone(),
        },
        heartbeat: Heartbeat::new(session.clock.now()),
        control: ControlRate::default(),
        held_back: None,
        budget: session.budgets.join(&attachment.manager().user),
        attachment,
        session,
        port,
    };
    let reason = pump.pump().await;
    // Boxed, for it is needed once and most often short.
    Box::pin(pump.end(reason)).await
}

impl Config {
    /// The same limits as the protocol's implementation takes them.
    #[must_use]
    pub fn websocket(&self) -> WebSocketConfig {
        // One message is written at a time, so this holds the largest and the control frames
        // around it; what else waits is in the outbox, where it is seen.
        const CONTROL_BYTES: usize = 4 * 1_024;
        WebSocketConfig::default()
            .read_buffer_size(self.read_buffer_bytes)
            .write_buffer_size(0)
            .max_write_buffer_size(self.outbox_bytes_max + CONTROL_BYTES)
            .max_message_size(Some(self.message_bytes_max))
            .max_frame_size(Some(self.own_frame_bytes_max()))
            // Which of them may come, the ear knows; a client that waits for its place may say nothing.
            .accept_unmasked_frames(self.unmasked_frames != Unmasked::Refuse)
    }
}

pub(super) struct Pump {
    pub(super) session: Arc<ConnectionContext>,
    pub(super) attachment: Attachment,
    pub(super) port: Arc<Port>,
    peer: Peer,
    pub(super) writer: Writer,
    pub(super) frames: SplitStream<WebSocketStream<Ear>>,
    heartbeat: Heartbeat,
    control: ControlRate,
    /// A message that the manager's mailbox had no space for. While there is one, nothing is read.
    held_back: Option<(Peer, Message)>,
    /// What it may send, together with its user's other connections.
    budget: Option<Box<BudgetShare>>,
}

impl Pump {
    /// Until there is a reason to end.
    async fn pump(&mut self) -> CloseReason {
        loop {
            let now = self.session.clock.now();
            if self.port.outbox.overflowed() {
                return CloseReason::SlowConsumer;
            }
            if let Some(reason) = self.stalled(now) {
                return reason;
            }
            if let Some(nonce) = self.heartbeat.due(&self.port, &self.session.health, now) {
                // It waits from now on, behind what the client has not taken yet.
                let backlog = &self.port.vitals.backlog;
                health::look(backlog, self.port.socket.upgrade().as_deref(), now);
                backlog.grew(now);
                self.control.expect(1);
                self.writer.ping(nonce);
            }
            let is_over_budget = self.over_budget_for(now).is_some();
            if self.held_back.is_none() {
                self.port.vitals.set_read_paused(is_over_budget);
            }
            let wake = self.wake_in(now);
            let manager = self.attachment.manager();
            tokio::select! {
                biased;
                reason = self.port.close_asked() => return reason,
                () = self.port.vitals.ping_asked() => {
                    let nonce = self.heartbeat.fresh_nonce(self.session.clock.now());
                    self.control.expect(1);
                    self.writer.ping(nonce);
                }
                delivered = manager.mailbox.deliver_held(now, &mut self.held_back),
                    if self.held_back.is_some() =>
                {
                    self.port.vitals.set_read_paused(false);
                    if delivered == Delivery::Closed {
                        return self.ended_under_us();
                    }
                }
                frame = self.frames.next(), if self.held_back.is_none() && !is_over_budget => {
                    if let Some(reason) = self.take(frame) {
                        return reason;
                    }
                }
                step = self.writer.step() => {
                    if let Err(error) = step {
                        return self.failed(&error);
                    }
                }
                () = tokio::time::sleep(wake) => {}
            }
        }
    }

    fn take(&mut self, frame: Option<Result<Frame, Error>>) -> Option<CloseReason> {
        let now = self.session.clock.now();
        let message = match frame {
            Some(Ok(Frame::Text(text))) => Message::Text(text),
            Some(Ok(Frame::Binary(bytes))) => Message::Binary(bytes),
            Some(Ok(Frame::Pong(nonce))) => {
                let manager = self.attachment.manager();
                manager.note(now, Some(&self.peer.device), ActivityEvent::Pong);
                self.heartbeat.pong(&self.port, &nonce, now);
                // However often a round asks, its answers are no flood.
                let unasked = self.control.unexpected(1) > 0;
                return unasked.then(|| self.control_flood(now)).flatten();
            }
            Some(Ok(Frame::Ping(_) | Frame::Frame(_))) => return self.control_flood(now),
            Some(Ok(Frame::Close(frame))) => {
                let away = frame.is_some_and(|frame| frame.code == CloseCode::Away);
                return Some(if away {
                    CloseReason::ClientLeft
                } else {
                    CloseReason::ClientClosed
                });
            }
            Some(Err(error)) => return Some(self.failed(&error)),
            None => return Some(CloseReason::ClientGone),
        };
        self.port.vitals.count_in(message.len());
        let traffic = &self.session.traffic;
        traffic.add(Ending::Embedded, Way::In, 1, message.len());
        let manager = self.attachment.manager();
        manager.touch(now, &self.peer.device, message.len());
        let mut letter = Some((self.peer.clone(), message));
        match manager.mailbox.try_deliver(now, &mut letter) {
            Some(Delivery::Accepted) => None,
            Some(Delivery::Closed) => Some(self.ended_under_us()),
            None => {
                // Backpressure: until there is space, the peer's silence is our own doing.
                self.held_back = letter;
                self.port.vitals.set_read_paused(true);
                None
            }
        }
    }

    /// How long the client is not read from because its user is over its budget; none if it is.
    fn over_budget_for(&self, now: Timestamp) -> Option<Duration> {
        self.budget.as_ref()?.held_for(now)
    }

    fn ended_under_us(&self) -> CloseReason {
        self.attachment
            .manager()
            .end()
            .unwrap_or(CloseReason::ManagerClosed)
    }

    fn control_flood(&mut self, now: Timestamp) -> Option<CloseReason> {
        let flood = self.control.count(now) > self.session.config.control_frames_per_s_max;
        flood.then(|| self.at_fault(PeerFault::ControlRate))
    }

    fn failed(&self, error: &Error) -> CloseReason {
        let fault = match error {
            Error::Io(error) if caused_by::<Exceeded>(error).is_some() => {
                return CloseReason::OverBudget;
            }
            Error::Io(error) => caused_by::<Violation>(error).copied().map(PeerFault::of),
            Error::Capacity(CapacityError::MessageTooLong { .. }) => Some(PeerFault::MessageSize),
            Error::Utf8(_) => Some(PeerFault::Utf8),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
            Error::Protocol(_) | Error::Capacity(_) => Some(PeerFault::Protocol),
            _ => None,
        };
        tracing::debug!(connection = %self.port.id, %error, ?fault, "connection failed");
        let Some(fault) = fault else {
            return CloseReason::ClientGone;
        };
        self.port.vitals.count_error();
        self.at_fault(fault)
    }

    /// Takes note of what the client did, and says what its connection ends with for it.
    fn at_fault(&self, fault: PeerFault) -> CloseReason {
        let ConnectionContext { faults, clock, .. } = &*self.session;
        faults.note(fault, PeerSide::Client, self.port.id, clock.now());
        fault.reason()
    }

    /// Whether the client takes nothing for too long, and what follows.
    fn stalled(&self, now: Timestamp) -> Option<CloseReason> {
        let backlog = &self.port.vitals.backlog;
        let waited = now.since(backlog.since()?);
        if waited < health::look_interval(&self.session.health) {
            return None;
        }
        health::look(backlog, self.port.socket.upgrade().as_deref(), now);
        let waited = now.since(backlog.since()?);
        let (limit, reason) = self.limit();
        (waited >= limit).then_some(reason)
    }

    /// How long the client may take nothing. What waits in the kernel alone holds nothing up; a peer
    /// that does not acknowledge it for so long has vanished.
    fn limit(&self) -> (Duration, CloseReason) {
        if self.port.outbox.queued().messages > 0 {
            (self.session.config.stall_max, CloseReason::SlowConsumer)
        } else {
            (self.session.health.dead_after, CloseReason::ClientGone)
        }
    }

    /// When to look again if nothing happens.
    fn wake_in(&self, now: Timestamp) -> Duration {
        let health = &self.session.health;
        let beat = self.heartbeat.next(health, now);
        let beat = self
            .over_budget_for(now)
            .map_or(beat, |held| held.min(beat));
        let Some(since) = self.port.vitals.backlog.since() else {
            return beat;
        };
        let (limit, reason) = self.limit();
        let over = since.after(limit).since(now).min(beat);
        match reason {
            CloseReason::SlowConsumer => over.min(next_look(since, health, now)),
            _ => over,
        }
    }
}

/// What an error of a transport is about, if it is about that.
fn caused_by<E: std::error::Error + 'static>(error: &std::io::Error) -> Option<&E> {
    error.get_ref()?.downcast_ref::<E>()
}
