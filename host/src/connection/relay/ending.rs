//! How a connection that is handed on ends: with words to both sides, or kept for its client.

use std::future::poll_fn;
use std::pin::Pin;

use tokio::io::AsyncWrite;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::step::Moved;
use super::{Keeper, Kept, Relay};
use crate::connection::faults::Side;
use crate::connection::frames::{ControlKind, encode};
use crate::connection::heartbeat::random;
use crate::manager::EndReport;
use crate::types::CloseReason;

impl Relay {
    /// Whether another connection of the client can go on where this one ended: it was lost, or is taken
    /// over, and the backend has had whole messages only.
    pub(super) fn may_be_kept(&self, reason: CloseReason) -> bool {
        let lost = matches!(reason, CloseReason::ClientGone | CloseReason::TakenOver);
        lost && self.up.is_at_rest() && !self.closed_by_backend && !self.down.is_broken()
    }

    /// Gives the backend's side to whoever keeps it.
    pub(super) fn hand_over(self, reason: CloseReason, keeper: Keeper) -> EndReport {
        if reason == CloseReason::TakenOver && self.down.is_at_rest() {
            let (code, text) = (self.session.close_code)(reason);
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
        };
        self.port.report_end(report);
        // First, so that the place is taken before anybody can come back to it.
        keeper(Kept::new(self.backend, self.down.into_scanner()));
        self.attachment.leave(reason);
        report
    }

    /// Says goodbye to both within the deadline, and learns on the way whether the client was there.
    pub(super) async fn finish(&mut self, reason: CloseReason) -> EndReport {
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
        let mut backend_gone = reason == CloseReason::UpstreamGone && !self.down.is_broken();
        let mut hung_up = false;
        if backend_gone {
            self.up.discard();
        }
        if reason == CloseReason::ClientGone {
            // Nobody is left to hear anything but the backend.
            let _ = poll_fn(|cx| self.up.poll_send(&mut self.backend, cx)).await;
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
            let has_said_all = self.down.is_sealed() && self.down.is_empty();
            if self.up.is_broken() && has_said_all && !hung_up {
                // Of a client that broke the protocol nothing is read any more, not even its Close
                // (RFC 6455, section 7.1.7): it is us who end the connection. Only the sending half,
                // because a reset for what it still sends could overtake our Close.
                hung_up = true;
                let client = &mut self.client;
                let _ = poll_fn(|cx| Pin::new(&mut *client).poll_shutdown(cx)).await;
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
