//! From a request to a running connection.
//!
//! What is held on the way (a permit, a place in the queue, a connection slot) is owned by the
//! future or task that works on it, so a client that goes away gives all of it back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use axum::http::request::Parts;
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message as Frame, Utf8Bytes};

use super::config::RefusalStyle;
use super::handshake::Handshake;
use super::identity::Identity;
use super::listener::ConnectionSlot;
use super::notice::Notice;
use super::upstream::{Asked, Leg};
use super::{Gateway, SUBPROTOCOL, close, refuse};
use crate::admission::{Admitted, Denied, Ticket};
use crate::connection::{self, Transport};
use crate::manager::{EndReport, Message, Port};
use crate::observe::metrics::Label;
use crate::registry::Permit;
use crate::types::CloseReason;

/// Answers one request.
pub(super) async fn answer(gateway: Arc<Gateway>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let handshake = match Handshake::check(&parts) {
        Ok(handshake) => handshake,
        Err(error) => {
            gateway.metrics.handshakes_bad.inc();
            return refuse::bad_handshake(&error);
        }
    };
    let identity = match gateway.identify.identify(&parts) {
        Ok(identity) => identity,
        Err(error) => {
            gateway.metrics.unidentified.inc();
            return refuse::unidentified(&error);
        }
    };
    let slot = parts.extensions.get::<ConnectionSlot>().cloned();
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        // Only a server without upgrades, e.g. one that embeds us wrongly, comes here.
        let mut response = Response::new(Body::from("this server cannot upgrade connections"));
        *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
        return response;
    };
    // Nothing of ours is said inside of a protocol between others.
    let notices = handshake.notices && gateway.config.upstream.is_none();
    let incoming = Incoming {
        gateway,
        identity,
        notices,
        upgrade,
        _slot: slot,
    };
    match incoming
        .gateway
        .admission
        .admit(&incoming.identity.user, &incoming.identity.key)
        .await
    {
        Ok(Admitted::Now(permit)) => incoming.enter(&handshake, parts, permit).await,
        // A client that understands notices is told its place; for others the answer waits.
        Ok(Admitted::Queued(ticket)) if notices => {
            incoming.accept(&handshake, Entry::Ticket(ticket))
        }
        Ok(Admitted::Queued(ticket)) => {
            let Identity { user, key, .. } = &incoming.identity;
            match incoming.gateway.admission.wait(ticket, user, key).await {
                Ok(permit) => incoming.enter(&handshake, parts, permit).await,
                Err(denied) => incoming.refuse(&handshake, denied),
            }
        }
        Err(denied) => incoming.refuse(&handshake, denied),
    }
}

/// A client whose request is not answered yet.
struct Incoming {
    gateway: Arc<Gateway>,
    identity: Identity,
    notices: bool,
    upgrade: OnUpgrade,
    /// Its place among the node's connections; held until the connection has ended.
    _slot: Option<ConnectionSlot>,
}

/// A connection that runs, and what it holds until it has ended.
struct Running {
    gateway: Arc<Gateway>,
    connection: Pin<Box<dyn Future<Output = EndReport> + Send>>,
    _slot: Option<ConnectionSlot>,
}

/// With what a connection is upgraded.
enum Entry {
    Permit(Permit),
    /// Through to a backend that has answered already.
    Through(Permit, Box<Leg>),
    Ticket(Ticket),
    Denied(Denied),
}

impl Incoming {
    /// Lets a client in: where there is a backend, once that has answered, so that a client hears of a
    /// failure as of any other, by a status.
    async fn enter(self, handshake: &Handshake, parts: Parts, permit: Permit) -> Response {
        let Some(upstream) = &self.gateway.config.upstream else {
            return self.accept(handshake, Entry::Permit(permit));
        };
        let asked = Asked {
            parts: &parts,
            identity: &self.identity,
            accept: &handshake.accept,
        };
        let timeout = self.gateway.config.upstream_timeout;
        match upstream.connect(asked, timeout, &self.gateway.tasks).await {
            Ok(leg) => self.accept(handshake, Entry::Through(permit, Box::new(leg))),
            Err(error) => {
                self.gateway.metrics.upstream_failed.inc();
                tracing::warn!(%upstream, %error, "the upstream did not take a connection");
                refuse::upstream(&error)
            }
        }
    }

    fn refuse(self, handshake: &Handshake, denied: Denied) -> Response {
        match self.gateway.config.refusal {
            RefusalStyle::Http => refuse::denied(&denied),
            RefusalStyle::Close => self.accept(handshake, Entry::Denied(denied)),
        }
    }

    /// Answers 101 and goes on in a task of its own.
    fn accept(self, handshake: &Handshake, entry: Entry) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Ok(accept) = HeaderValue::from_str(&handshake.accept) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        if self.notices {
            headers.insert(
                SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static(SUBPROTOCOL),
            );
        }
        if let Entry::Through(_, leg) = &entry {
            leg.answer(headers);
        }
        let tasks = self.gateway.tasks.clone();
        // In memory of its own, which is given back once the connection runs: most of a connection's
        // life it does nothing, and all that it costs then is what its task holds.
        let begun = Box::pin(self.begin(entry));
        tasks.spawn("connection", async move {
            let Some(mut running) = begun.await else {
                return;
            };
            let report = running.connection.as_mut().await;
            let closed = &running.gateway.metrics.closed;
            closed.get_or_create(&Label(report.reason)).inc();
        });
        response
    }

    /// Until the connection runs, or has come to nothing.
    async fn begin(mut self, entry: Entry) -> Option<Running> {
        let upgraded = match (&mut self.upgrade).await {
            Ok(upgraded) => upgraded,
            Err(error) => {
                self.gateway.metrics.upgrades_failed.inc();
                tracing::debug!(%error, "the upgrade was not completed");
                return None;
            }
        };
        let (transport, leftover) = transport(upgraded);
        match entry {
            Entry::Permit(permit) => self.attach(transport, leftover, permit, None).await,
            Entry::Through(permit, leg) => {
                self.attach(transport, leftover, permit, Some(*leg)).await
            }
            Entry::Denied(denied) => {
                let (code, reason) = close::refusal(denied.why);
                let socket = self.socket(transport, leftover).await;
                self.close_refused(socket, code, reason).await;
                None
            }
            Entry::Ticket(ticket) => {
                let socket = self.socket(transport, leftover).await;
                let (socket, permit) = self.queue(socket, ticket).await?;
                // Between two frames, so nothing but what the socket itself holds is lost.
                let transport = socket.into_inner();
                self.attach(transport, Bytes::new(), permit, None).await
            }
        }
    }

    async fn attach(
        self,
        transport: Transport,
        leftover: Bytes,
        permit: Permit,
        leg: Option<Leg>,
    ) -> Option<Running> {
        let session = &self.gateway.session;
        let port = Port::new(
            self.identity.device.clone(),
            session.config.outbox_bytes_max,
            self.notices,
            transport.socket(),
            session.clock.now(),
        );
        if let Some(manager) = permit.manager() {
            manager.set_protected_class(self.identity.protected);
            manager.set_device_class(self.identity.device_class);
        }
        match permit.attach(port) {
            Ok(attachment) => {
                let session = session.clone();
                let connection: Pin<Box<dyn Future<Output = EndReport> + Send>> = match leg {
                    None => Box::pin(connection::run(session, transport, leftover, attachment)),
                    Some(leg) => {
                        let (near, far) = ((transport, leftover), leg.into_far());
                        Box::pin(connection::relay(session, near, far, attachment))
                    }
                };
                Some(Running {
                    gateway: self.gateway,
                    connection,
                    _slot: self._slot,
                })
            }
            Err(error) => {
                tracing::debug!(%error, "could not attach");
                let (code, reason) = close::not_attached(error);
                let socket = self.socket(transport, leftover).await;
                self.close_refused(socket, code, reason).await;
                None
            }
        }
    }

    /// Tells a client its place until it is its turn. One that leaves meanwhile frees its place.
    async fn queue(
        &self,
        mut socket: WebSocketStream<Transport>,
        ticket: Ticket,
    ) -> Option<(WebSocketStream<Transport>, Permit)> {
        let mut places = ticket.positions();
        let gateway = self.gateway.clone();
        let Identity { user, key, .. } = &self.identity;
        let mut turn = std::pin::pin!(gateway.admission.wait(ticket, user, key));
        let mut told = 0;
        let result = loop {
            let position = *places.borrow_and_update();
            if position != told {
                told = position;
                if !self.tell(&mut socket, &Notice::Queued { position }).await {
                    return None;
                }
            }
            tokio::select! {
                result = &mut turn => break result,
                changed = places.changed() => if changed.is_err() { break turn.await },
                frame = socket.next() => match frame {
                    // Nothing may be said before there is anyone to say it to.
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
                let told = self.tell(&mut socket, &Notice::Admitted).await;
                told.then_some((socket, permit))
            }
            Err(denied) => {
                let (code, reason) = close::refusal(denied.why);
                self.close_refused(socket, code, reason).await;
                None
            }
        }
    }

    /// Says something to a client that waits. False if it is gone, or does not read: one that does
    /// not would keep those behind it waiting.
    async fn tell(&self, socket: &mut WebSocketStream<Transport>, notice: &Notice) -> bool {
        let text = match notice.message() {
            Message::Text(text) => text,
            Message::Binary(_) => Utf8Bytes::default(),
        };
        let deadline = self.gateway.session.config.close_deadline;
        let told = tokio::time::timeout(deadline, socket.send(Frame::Text(text))).await;
        matches!(told, Ok(Ok(())))
    }

    /// A socket of a client that is not let in yet, or will not be; what it may send is bounded as
    /// for everybody.
    async fn socket(&self, transport: Transport, leftover: Bytes) -> WebSocketStream<Transport> {
        let limits = self.gateway.session.config.websocket();
        let role = Role::Server;
        WebSocketStream::from_partially_read(transport, leftover.into(), role, Some(limits)).await
    }

    /// Closes a socket that was upgraded only to be told why it may not stay.
    async fn close_refused(
        &self,
        mut socket: WebSocketStream<Transport>,
        code: u16,
        reason: &'static str,
    ) {
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

/// The plain TCP stream below an upgraded connection, if that is what it is, with what was read
/// from it already.
pub(super) fn transport(upgraded: Upgraded) -> (Transport, Bytes) {
    type Io = TokioIo<TcpStream>;
    let upgraded = match upgraded.downcast::<Io>() {
        Ok(parts) => {
            return (
                Transport::Tcp(Arc::new(parts.io.into_inner())),
                leftover(&parts.read_buf),
            );
        }
        Err(upgraded) => upgraded,
    };
    match auto::upgrade::downcast::<Io>(upgraded) {
        Ok(parts) => (
            Transport::Tcp(Arc::new(parts.io.into_inner())),
            leftover(&parts.read_buf),
        ),
        Err(upgraded) => (
            Transport::Other(Box::new(TokioIo::new(upgraded))),
            Bytes::new(),
        ),
    }
}

/// What is left of a read buffer, without the buffer: a slice would keep all of it, even an empty one.
fn leftover(buffer: &Bytes) -> Bytes {
    Bytes::copy_from_slice(buffer)
}
