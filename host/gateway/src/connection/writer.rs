//! The writing half: pings first, then what waits in the outbox, one message at a time.
//!
//! Every step can be dropped at any await without losing a message, so the pump can select on it
//! beside the reading half and the heartbeat.

use std::sync::Arc;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink, SinkExt};
use std::future::poll_fn;
use std::pin::Pin;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message as Frame};

use super::ear::Ear;
use super::pump::ConnectionContext;
use super::traffic::{Ending, Way};
use super::transport::Transport;
use crate::health;
use crate::manager::{Manager, Message, Port};
use crate::observe::ActivityEvent;

/// A ping with its nonce of eight bytes.
const PING_BYTES: usize = 10;

/// The writing half of one connection.
pub(super) struct Writer {
    sink: SplitSink<WebSocketStream<Ear>, Frame>,
    port: Arc<Port>,
    session: Arc<ConnectionContext>,
    manager: Arc<Manager>,
    /// The size of the message that is on its way to the socket, if one is.
    writing: Option<usize>,
    /// A ping that has to go out next.
    ping: Option<[u8; 8]>,
}

impl Writer {
    pub(super) fn new(
        sink: SplitSink<WebSocketStream<Ear>, Frame>,
        port: Arc<Port>,
        manager: Arc<Manager>,
        session: Arc<ConnectionContext>,
    ) -> Self {
        Self {
            sink,
            port,
            session,
            manager,
            writing: None,
            ping: None,
        }
    }

    /// Sends a ping before anything else that waits.
    pub(super) fn ping(&mut self, nonce: [u8; 8]) {
        self.ping = Some(nonce);
    }

    /// Makes one step: sees a started frame through, or starts the next, or waits for one.
    pub(super) async fn step(&mut self) -> Result<(), Error> {
        // Also sends the pongs that the protocol queued while reading.
        poll_fn(|cx| Pin::new(&mut self.sink).poll_flush(cx)).await?;
        if let Some(bytes) = self.writing.take() {
            self.port.outbox.written();
            self.port.vitals.count_out(bytes);
            let traffic = &self.session.traffic;
            traffic.add(Ending::Embedded, Way::Out, 1, bytes);
            self.note(ActivityEvent::Out {
                bytes: bytes as u64,
            });
            return Ok(());
        }
        poll_fn(|cx| Pin::new(&mut self.sink).poll_ready(cx)).await?;
        if let Some(nonce) = self.ping.take() {
            // Before it goes out: on a fast link the pong is here before the next step.
            let now = self.session.clock.now();
            self.port.vitals.ping_sent(now);
            let socket = self.port.socket.upgrade();
            health::note_ping(&self.port, socket.as_deref(), now, PING_BYTES);
            self.note(ActivityEvent::Ping);
            return Pin::new(&mut self.sink)
                .start_send(Frame::Ping(Bytes::copy_from_slice(&nonce)));
        }
        let Some(message) = self.port.outbox.take() else {
            self.port.outbox.changed().await;
            return Ok(());
        };
        self.writing = Some(message.len());
        Pin::new(&mut self.sink).start_send(match message {
            Message::Text(text) => Frame::Text(text),
            Message::Binary(bytes) => Frame::Binary(bytes),
        })
    }

    fn note(&self, event: ActivityEvent) {
        self.manager
            .note(self.session.clock.now(), Some(&self.port.device), event);
    }

    /// Sends a last message, if there is one, and a Close.
    pub(super) async fn close(
        &mut self,
        notice: Option<Message>,
        code: u16,
        reason: String,
    ) -> Result<(), Error> {
        if let Some(Message::Text(text)) = notice {
            self.sink.feed(Frame::Text(text)).await?;
        }
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        self.sink.send(Frame::Close(Some(frame))).await
    }

    /// Sends what the protocol still has to say, e.g. the answer to a Close.
    pub(super) async fn flush(&mut self) -> Result<(), Error> {
        self.sink.flush().await
    }

    /// What is below both halves.
    pub(super) fn into_transport(
        self,
        frames: SplitStream<WebSocketStream<Ear>>,
    ) -> Option<Transport> {
        let socket = self.sink.reunite(frames).ok()?;
        Some(socket.into_inner().into_transport())
    }
}
