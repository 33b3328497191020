//! Clients that are told something before they are let in, or instead: their place in the queue, or why
//! they may not stay.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message as Frame, Utf8Bytes};

use super::close;
use super::notice::Notice;
use super::upgrade::Incoming;
use crate::admission::Ticket;
use crate::connection::Transport;
use crate::manager::Message;
use crate::observe::metrics::Label;
use crate::registry::Permit;
use wastegate_core::types::CloseReason;

impl Incoming {
    /// Tells a client its place until it is its turn. One that leaves meanwhile frees its place.
    pub(super) async fn queue(
        &self,
        mut socket: WebSocketStream<Transport>,
        ticket: Ticket,
    ) -> Option<(WebSocketStream<Transport>, Permit)> {
        let mut places = ticket.positions();
        let gateway = self.gateway.clone();
        let (user, key) = self.route.scope.names(&self.identity);
        let mut turn = std::pin::pin!(gateway.admission.wait(ticket, &user, &key));
        let mut sent = 0;
        let result = loop {
            let position = *places.borrow_and_update();
            if position != sent {
                sent = position;
                if !self.notify(&mut socket, &Notice::Queued { position }).await {
                    return None;
                }
            }
            tokio::select! {
                result = &mut turn => break result,
                changed = places.changed() => if changed.is_err() { break turn.await },
                frame = socket.next() => match frame {
                    // No message is accepted before there is a manager for it.
                    Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {}
                    Some(Ok(Frame::Text(_) | Frame::Binary(_))) => {
                        let (code, reason) = close::code(CloseReason::PolicyViolation);
                        self.close_refused(socket, code, reason).await;
                        return None;
                    }
                    _ => return None,
                },
            }
        };
        match result {
            Ok(permit) => {
                let is_sent = self.notify(&mut socket, &Notice::Admitted).await;
                is_sent.then_some((socket, permit))
            }
            Err(denied) => {
                let (code, reason) = close::refusal(denied.why);
                self.close_refused(socket, code, reason).await;
                None
            }
        }
    }

    /// Sends a notice to a client that waits. False if the client is gone, or does not read: one that does
    /// not would keep those behind it waiting.
    async fn notify(&self, socket: &mut WebSocketStream<Transport>, notice: &Notice) -> bool {
        let text = match notice.message() {
            Message::Text(text) => text,
            Message::Binary(_) => Utf8Bytes::default(),
        };
        let deadline = self.gateway.session.config.close_deadline;
        let sent = tokio::time::timeout(deadline, socket.send(Frame::Text(text))).await;
        matches!(sent, Ok(Ok(())))
    }

    /// A socket of a client that is not let in yet, or will not be; what it may send is bounded as
    /// for everybody.
    pub(super) async fn socket(
        &self,
        transport: Transport,
        leftover: Bytes,
    ) -> WebSocketStream<Transport> {
        let limits = self.gateway.session.config.websocket();
        let role = Role::Server;
        WebSocketStream::from_partially_read(transport, leftover.into(), role, Some(limits)).await
    }

    /// Closes a socket that was upgraded only to be told why it may not stay.
    pub(super) async fn close_refused(
        &self,
        mut socket: WebSocketStream<Transport>,
        code: u16,
        reason: &'static str,
    ) {
        let (refusals, clock) = (&self.gateway.refusals, &self.gateway.session.clock);
        refusals.note_close("close", code, reason, clock);
        let goodbye = async {
            let frame = CloseFrame {
                code: code.into(),
                reason: reason.into(),
            };
            socket.send(Frame::Close(Some(frame))).await?;
            while let Some(frame) = socket.next().await {
                frame?;
            }
            Ok::<(), Error>(())
        };
        let deadline = self.gateway.session.config.close_deadline;
        // However it goes, the socket ends here.
        let _ = tokio::time::timeout(deadline, goodbye).await;
        let refused = Label(CloseReason::Refused);
        self.gateway.metrics.closed.get_or_create(&refused).inc();
    }
}
