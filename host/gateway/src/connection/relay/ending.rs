//! How a connection that is handed on ends: with words to both sides, or kept for its client.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::farewell::Farewell;
use super::step::Moved;
use super::{IdleUpstream, IdleUpstreamHandler, Relay};
use crate::connection::echo::EchoWait;
use crate::connection::faults::PeerSide;
use crate::connection::frames::{ControlKind, encode};
use crate::connection::heartbeat::random;
use crate::connection::linger::linger;
use crate::connection::patience::Uptake;
use crate::connection::transport::{Transport, abort_on_drop, set_kernel_patience};
use crate::manager::EndReport;
use wastegate_core::types::{CloseReason, Timestamp};

impl Relay {
    /// Whether another connection of the client can go on where this one ended: it was lost, or is taken
    /// over, and the backend has had whole messages only.
    pub(super) fn may_be_kept(&self, reason: CloseReason) -> bool {
        let lost = matches!(reason, CloseReason::ClientGone | CloseReason::TakenOver);
        lost && self.up.is_at_rest() && !self.closed_by_backend && !self.down.is_broken()
    }

    /// Gives the backend's side to its handler, which keeps it.
    pub(super) fn hand_over(self, reason: CloseReason, keeper: IdleUpstreamHandler) -> EndReport {
        if reason == CloseReason::TakenOver && self.down.is_at_rest() {
            let (code, text) = self.session.told(reason, self.port.id);
            let mut payload = code.to_be_bytes().to_vec();
            payload.extend(text.as_bytes());
            // If it is still there it should know; nobody waits for it.
            self.client
                .send_now(&encode(ControlKind::Close, &payload, None));
        }
        let report = EndReport {
            reason,
            echoed_after: None,
            aborted: false,
            undecided: false,
        };
        self.port.report_end(report);
        // First, so that the place is taken before a client can come back to it.
        keeper(IdleUpstream::new(self.backend, self.down.into_scanner()));
        self.attachment.leave(reason);
        report
    }

    /// Says goodbye to both, lets go of the place, and ends the sockets.
    pub(super) async fn end(mut self, reason: CloseReason, may_come_back: bool) -> EndReport {
        let (report, farewell) = self.finish(reason).await;
        self.port.report_end(report);
        let Self {
            mut client,
            mut backend,
            attachment,
            session,
            ..
        } = self;
        if may_come_back {
            // The backend's side is gone, so there is nothing to come back to.
            attachment.leave_for_good(report.reason);
        } else {
            attachment.leave(report.reason);
        }
        let patience = session.health.dead_after;
        let within = session.config.close_deadline;
        let is_client_over = !farewell.reads.client && report.reason != CloseReason::ClientGone;
        let end = async |transport: &mut Transport, is_over: bool, takes_nothing: bool| {
            if takes_nothing {
                abort_on_drop(&transport.socket());
                return;
            }
            if is_over {
                // Nothing of it is left unread, so closing its socket is a FIN and no reset.
                return;
            }
            set_kernel_patience(transport.tcp(), patience);
            linger(transport, within).await;
        };
        tokio::join!(
            end(&mut client, is_client_over, farewell.client_takes_nothing),
            end(
                &mut backend,
                farewell.is_backend_over,
                farewell.backend_takes_nothing
            ),
        );
        report
    }

    /// Says goodbye to both, and learns on the way whether the client was there.
    async fn finish(&mut self, reason: CloseReason) -> (EndReport, Farewell) {
        let start = self.session.clock.now();
        let relayed = reason.is_clients() || reason == CloseReason::UpstreamClosed;
        if reason.is_clients() {
            let for_good = self.attachment.is_for_good(reason);
            self.port.note_client_gone(for_good, start);
        }
        if reason == CloseReason::ClientGone {
            // Nobody is left to hear anything but the backend.
            self.down.discard();
        }
        if !relayed {
            let (code, text) = self.session.told(reason, self.port.id);
            self.seal_down(code, &text);
        }
        if !relayed || reason == CloseReason::ClientGone {
            let (code, _) = match reason {
                // A backend that sends what is no frame hears so; the client is not to blame for it.
                _ if self.down.is_broken() => (self.session.close_code)(CloseReason::ProtocolError),
                // Why a client has to go is between it and us: for a backend it went away, which
                // libraries take for an ordinary end. It did not say that all is well (1000).
                _ if reason.is_our_wish() || reason == CloseReason::ClientGone => {
                    (CloseCode::Away.into(), "")
                }
                _ => (self.session.close_code)(reason),
            };
            let mask = random().first_chunk::<4>().copied().unwrap_or_default();
            let close = encode(ControlKind::Close, &code.to_be_bytes(), Some(mask));
            self.up.seal(&close);
        }
        let echo = EchoWait::new(&self.session, reason, start);
        let mut farewell = Farewell::new(reason, start, echo.deadline);
        // What one end said is delivered for as long as the other takes it. Where we end it, that has
        // to come to an end.
        if !farewell.delivers() {
            farewell.hurry(start);
        } else if reason == CloseReason::UpstreamGone && !self.down.is_broken() {
            self.lose_backend(&mut farewell);
        }
        self.goodbye(&mut farewell).await;
        let answered = self.client_closed_at;
        let aborted = farewell.unanswered && answered.is_none();
        let report = EndReport {
            reason,
            // Whether it answered, and not whether the backend let us finish.
            echoed_after: answered.filter(|_| !relayed).map(|at| at.since(start)),
            aborted,
            undecided: aborted && echo.is_undecided(&self.port.vitals),
        };
        (report, farewell)
    }

    fn seal_down(&mut self, code: u16, text: &str) {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend(text.as_bytes());
        self.down.seal(&encode(ControlKind::Close, &payload, None));
    }

    /// Moves on until both have what was said to them, and the client has answered.
    async fn goodbye(&mut self, farewell: &mut Farewell) {
        let port = self.port.clone();
        let mut asked = pin!(port.close_asked());
        let mut alarm = pin!(tokio::time::sleep(Duration::ZERO));
        let mut alarm_at = None;
        let mut hung_up = false;
        loop {
            let now = self.session.clock.now();
            let Some(wake) = self.next_step(farewell, now) else {
                return;
            };
            let has_received_all =
                self.down.is_empty() && (self.down.is_sealed() || self.closed_by_backend);
            let has_sent_all = self.client_closed_at.is_some() || self.up.is_broken();
            if has_received_all && has_sent_all && !hung_up {
                // It is us who end the connection (RFC 6455, section 7.1.1): of a client that has sent a
                // Close, or broke the protocol, nothing more is wanted. Only the sending half, because a
                // reset for what it still sends could overtake our Close.
                hung_up = true;
                let client = &mut self.client;
                let _ = poll_fn(|cx| Pin::new(&mut *client).poll_shutdown(cx)).await;
            }
            // Set anew only where there is another moment to wait for.
            if alarm_at != Some(now.after(wake)) {
                alarm_at = Some(now.after(wake));
                alarm.set(tokio::time::sleep(wake));
            }
            let step = poll_fn(|cx| {
                if farewell.until.is_none() && asked.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Step::Hurry);
                }
                if let Poll::Ready(moved) = self.poll_move_to_end(cx, farewell.reads) {
                    return Poll::Ready(Step::Moved(moved));
                }
                alarm.as_mut().poll(cx).map(|()| Step::Look)
            });
            match step.await {
                // An eviction or a stop of the server cannot wait for a slow reader, nor for a backend that
                // does not answer: a client that sent a Close is answered in time.
                Step::Hurry => {
                    farewell.hurry(self.session.clock.now());
                    if farewell.reason.is_clients() {
                        self.lose_backend(farewell);
                    }
                }
                Step::Moved(Moved::Gone(PeerSide::Client)) => {
                    farewell.reads.client = false;
                    if !farewell.delivers() {
                        self.down.discard();
                    }
                }
                Step::Moved(Moved::Gone(PeerSide::Backend)) => {
                    farewell.is_backend_over = true;
                    self.lose_backend(farewell);
                }
                Step::Moved(Moved::Broken(PeerSide::Backend, _)) => self.lose_backend(farewell),
                Step::Moved(_) => {}
                Step::Look => alarm_at = None,
            }
        }
    }

    /// Nothing more comes of the backend, and nothing can be said to it.
    fn lose_backend(&mut self, farewell: &mut Farewell) {
        farewell.reads.backend = false;
        self.up.discard();
        if farewell.reason.is_clients() && !self.closed_by_backend {
            // A client that sent a Close is answered, if not by its backend: by its own code, if it had one.
            let of_client = self
                .client_code
                .filter(|code| *code != u16::from(CloseCode::Status));
            let code = of_client.unwrap_or_else(|| CloseCode::Normal.into());
            self.seal_down(code, "");
        }
    }

    /// When to look again; none once it is over.
    fn next_step(&mut self, farewell: &mut Farewell, now: Timestamp) -> Option<Duration> {
        let left = farewell.until.map(|until| until.since(now));
        if left.is_some_and(|left| left.is_zero()) {
            farewell.give_up(self, now);
            return None;
        }
        // The backend first: where it is given up, there is something to say to the client.
        let backend = self.backend_step(farewell, now);
        let client = self.client_step(farewell, now);
        let wake = backend.into_iter().chain(client).min()?;
        Some(left.map_or(wake, |left| wake.min(left)))
    }

    /// How long to wait for the backend, if for anything.
    fn backend_step(&mut self, farewell: &mut Farewell, now: Timestamp) -> Option<Duration> {
        if !farewell.reads.backend || self.up.is_discarded() {
            return None;
        }
        if self.closed_by_backend && self.up.is_empty() && farewell.reason.is_clients() {
            // It has answered the client's Close, so it has everything before that.
            return None;
        }
        let peer = (&self.backend_backlog, self.backend.tcp());
        let stall_max = farewell.stall_max(self.session.config.stall_max);
        let uptake = farewell
            .backend
            .look(peer, !self.up.is_empty(), stall_max, now);
        let answers = farewell.reason.is_clients() && farewell.reason != CloseReason::ClientGone;
        match uptake {
            Uptake::Waits(tick) => Some(tick),
            Uptake::Has(_) if !answers || self.closed_by_backend => None,
            Uptake::Has(_) => {
                // Only the time in which it could have been heard counts.
                let left = farewell.backend_left(&self.session.config, self.down.is_empty(), now);
                if !left.is_zero() {
                    return Some(left);
                }
                self.lose_backend(farewell);
                None
            }
            Uptake::Stalled => {
                farewell.backend_takes_nothing = true;
                self.lose_backend(farewell);
                None
            }
        }
    }

    /// How long to wait for the client, if for anything.
    fn client_step(&mut self, farewell: &mut Farewell, now: Timestamp) -> Option<Duration> {
        if self.down.is_discarded() {
            return None;
        }
        // A frame that the backend does not end leaves no place for a Close.
        let held = self.down.is_close_held() && farewell.reads.backend;
        let pending = !self.down.is_empty() || held;
        if !pending && !farewell.reads.client && self.client_closed_at.is_some() {
            // It has closed in words and in deed.
            return None;
        }
        let peer = (&self.port.vitals.backlog, self.client.tcp());
        let stall_max = farewell.stall_max(self.session.config.stall_max);
        match farewell.client.look(peer, pending, stall_max, now) {
            Uptake::Waits(tick) => Some(tick),
            Uptake::Has(since) => {
                let was_sent_close = self.closed_by_backend || self.down.is_sealed();
                if self.client_closed_at.is_some() || !farewell.reads.client || !was_sent_close {
                    return None;
                }
                let until = since.after(farewell.answer_within);
                farewell.unanswered = now >= until;
                (!farewell.unanswered).then(|| until.since(now))
            }
            Uptake::Stalled => {
                (farewell.client_takes_nothing, farewell.unanswered) = (true, true);
                self.down.discard();
                None
            }
        }
    }
}

/// What a step of the goodbye came to.
enum Step {
    /// It was asked for an end.
    Hurry,
    /// Something was moved.
    Moved(Moved),
    /// It is time to look.
    Look,
}
