//! The owner task of a connection that is handed on to a backend, frame by frame as they are.
//!
//! Nothing is read for a side that does not take what waits for it, so each side slows the other down
//! and nothing piles up here. What we say ourselves (pings, a Close) goes between frames; the pongs to
//! our pings stay here, all others are handed on.

mod ending;
mod farewell;
mod kept;
mod lane;
mod progress;
mod step;

#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

pub use self::kept::IdleUpstream;
pub(crate) use self::kept::IdleUpstreamHandler;
use self::lane::Lane;
use self::step::{Moved, Reads};
use super::budget::BudgetShare;
use super::faults::{PeerFault, PeerSide};
use super::frames::{ControlKind, FrameLimits, Scanner, Sender, Unmasked, encode};
use super::heartbeat::{ControlRate, Heartbeat};
use super::pump::ConnectionContext;
use super::transport::{Transport, give_up_on_silence};
use crate::health;
use crate::manager::{Backlog, EndReport, Port};
use crate::observe::ActivityEvent;
use crate::registry::Attachment;
use wastegate_core::types::{CloseReason, Timestamp};

/// The backend's side.
pub struct RelayedUpstream {
    /// The socket to the backend, or a pipe in tests.
    pub transport: Transport,
    /// What it sent behind its response head.
    pub leftover: Bytes,
    /// permessage-deflate was negotiated, end to end.
    pub compresses: bool,
    /// Keeps it after its client was lost; none if it ends with the client.
    pub keeper: Option<IdleUpstreamHandler>,
}

/// Runs a connection that has been upgraded on both sides and attached, until it has ended.
/// `leftover` is what the client sent behind its request head.
///
/// Not an `async fn`: what it is given would be kept a second time beside what is made of it, and most
/// of what a gateway's idle connections cost is this future.
pub fn relay(
    session: Arc<ConnectionContext>,
    (client, leftover): (Transport, Bytes),
    upstream: RelayedUpstream,
    attachment: Attachment,
) -> impl Future<Output = EndReport> + Send + 'static {
    let port = attachment.port().clone();
    let now = session.clock.now();
    let limits = session
        .config
        .limits(session.config.relayed_frame_bytes_max());
    // The backend is the operator's own.
    let trusted = FrameLimits {
        frame_bytes_max: u64::MAX,
        message_bytes_max: u64::MAX,
        fragments_max: u32::MAX,
        unmasked: Unmasked::Refuse,
    };
    let is_unwatched = upstream.transport.tcp().is_some();
    let mut relay = Relay {
        up: Lane::new(Scanner::new(Sender::Client, upstream.compresses, limits)),
        down: Lane::new(Scanner::new(Sender::Server, upstream.compresses, trusted)),
        client,
        backend: upstream.transport,
        heartbeat: Heartbeat::new(now),
        control: ControlRate::default(),
        backend_backlog: Backlog::default(),
        backend_received_at: now,
        is_unwatched,
        client_closed_at: None,
        client_code: None,
        closed_by_backend: false,
        keeper: upstream.keeper,
        budget: session.budgets.join(&attachment.manager().user),
        attachment,
        session,
        port,
    };
    let early = relay
        .take(PeerSide::Client, &leftover)
        .or_else(|| relay.take(PeerSide::Backend, &upstream.leftover))
        .and_then(|moved| relay.ends(moved));
    async move {
        let reason = match early {
            Some(reason) => reason,
            None => relay.pump().await,
        };
        let may_come_back = relay.keeper.is_some();
        if let Some(keeper) = relay.keeper.take().filter(|_| relay.may_be_kept(reason)) {
            return relay.hand_over(reason, keeper);
        }
        // Boxed, for it is needed once and most often short.
        Box::pin(relay.end(reason, may_come_back)).await
    }
}

/// How long a backend's socket is left alone: to have its kernel ask whether it is there takes four calls,
/// which connections that come and go need not pay.
const UNWATCHED_FOR: Duration = Duration::from_secs(1);

/// What a relay waited for.
enum Next {
    /// A close was requested.
    End(CloseReason),
    /// A ping was requested.
    Ping,
    /// Something was moved.
    Moved(Moved),
    /// It is time to look.
    Look,
}

struct Relay {
    session: Arc<ConnectionContext>,
    attachment: Attachment,
    port: Arc<Port>,
    client: Transport,
    backend: Transport,
    /// From the client to the backend.
    up: Lane,
    /// From the backend to the client.
    down: Lane,
    heartbeat: Heartbeat,
    control: ControlRate,
    /// What waits for the backend. The client's is in its port's vitals.
    backend_backlog: Backlog,
    /// When the backend said something last.
    backend_received_at: Timestamp,
    /// Whether its kernel is not asked yet whether it is there.
    is_unwatched: bool,
    /// When the client sent its Close, or its answer to ours.
    client_closed_at: Option<Timestamp>,
    /// The code of the client's Close.
    client_code: Option<u16>,
    closed_by_backend: bool,
    /// Keeps the backend's side after the client was lost; none if it ends with the client.
    keeper: Option<IdleUpstreamHandler>,
    /// What the client may send, together with its user's other connections.
    budget: Option<Box<BudgetShare>>,
}

impl Relay {
    /// Until there is a reason to end.
    async fn pump(&mut self) -> CloseReason {
        let port = self.port.clone();
        let mut close = pin!(port.close_asked());
        let mut ping = pin!(port.vitals.ping_asked());
        let mut alarm = pin!(tokio::time::sleep(Duration::ZERO));
        let mut alarm_at = None;
        loop {
            let now = self.session.clock.now();
            if let Some(reason) = self.stalled(now) {
                return reason;
            }
            if self.unwatched_until().is_some_and(|until| now >= until) {
                self.is_unwatched = false;
                let health = &self.session.health;
                let tcp = self.backend.tcp();
                give_up_on_silence(tcp, health.ping_interval, health.dead_after);
            }
            if let Some(nonce) = self.heartbeat.due(&self.port, &self.session.health, now) {
                self.ping(&nonce, now);
            }
            let next = poll_fn(|cx| {
                if let Poll::Ready(reason) = close.as_mut().poll(cx) {
                    return Poll::Ready(Next::End(reason));
                }
                if ping.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Next::Ping);
                }
                if let Poll::Ready(moved) = self.poll_move(cx, Reads::BOTH) {
                    return Poll::Ready(Next::Moved(moved));
                }
                if alarm_at.is_some() && alarm.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Next::Look);
                }
                // After the move, which may have left something that has to be looked at earlier. A
                // timer is set when there is another moment to wait for, not whenever we look.
                let now = self.session.clock.now();
                let wake = self.wake_in(now);
                if wake.is_zero() {
                    // Due while something was moved.
                    return Poll::Ready(Next::Look);
                }
                if alarm_at == Some(now.after(wake)) {
                    return Poll::Pending;
                }
                alarm_at = Some(now.after(wake));
                alarm.set(tokio::time::sleep(wake));
                alarm.as_mut().poll(cx).map(|()| Next::Look)
            });
            match next.await {
                Next::End(reason) => return reason,
                Next::Ping => {
                    ping.set(port.vitals.ping_asked());
                    let now = self.session.clock.now();
                    let nonce = self.heartbeat.fresh_nonce(now);
                    self.ping(&nonce, now);
                }
                Next::Moved(moved) => {
                    if let Some(reason) = self.ends(moved) {
                        return reason;
                    }
                }
                Next::Look => alarm_at = None,
            }
        }
    }

    /// Until when the backend's kernel is left alone, if it still is.
    fn unwatched_until(&self) -> Option<Timestamp> {
        let until = self.heartbeat.started().after(UNWATCHED_FOR);
        self.is_unwatched.then_some(until)
    }

    fn ping(&mut self, nonce: &[u8], now: Timestamp) {
        self.down.ping(&encode(ControlKind::Ping, nonce, None));
        if self.down.own_waits() {
            // In the middle of a frame of the backend: the client is not asked yet.
            self.port.vitals.ping_held();
            return;
        }
        self.asked(now);
    }

    /// Our ping is on its way to the client.
    fn asked(&mut self, now: Timestamp) {
        self.control.expect(1);
        self.port.vitals.ping_sent(now);
        health::note_ping(&self.port, self.client.tcp(), now, self.down.pending());
        self.attachment
            .manager()
            .note(now, Some(&self.port.device), ActivityEvent::Ping);
    }

    /// Takes note of what one side did, and says what the connection ends with for it.
    fn at_fault(&self, side: PeerSide, fault: PeerFault) -> CloseReason {
        let ConnectionContext { faults, clock, .. } = &*self.session;
        faults.note(fault, side, self.port.id, clock.now());
        match side {
            PeerSide::Client => fault.reason(),
            PeerSide::Backend => CloseReason::UpstreamGone,
        }
    }

    /// Whether that is the end, and why.
    fn ends(&self, moved: Moved) -> Option<CloseReason> {
        match moved {
            Moved::Some => None,
            Moved::Close(PeerSide::Client, code) => {
                let away = code == Some(CloseCode::Away.into());
                Some(if away {
                    CloseReason::ClientLeft
                } else {
                    CloseReason::ClientClosed
                })
            }
            Moved::Close(PeerSide::Backend, _) => Some(CloseReason::UpstreamClosed),
            Moved::Gone(PeerSide::Client) => Some(CloseReason::ClientGone),
            Moved::Gone(PeerSide::Backend) => Some(CloseReason::UpstreamGone),
            Moved::Exceeded => Some(CloseReason::OverBudget),
            Moved::Flood => Some(self.at_fault(PeerSide::Client, PeerFault::ControlRate)),
            Moved::Broken(side, violation) => {
                tracing::debug!(connection = %self.port.id, %violation, "the stream cannot go on");
                self.port.vitals.count_error();
                Some(self.at_fault(side, PeerFault::of(violation)))
            }
        }
    }
}
