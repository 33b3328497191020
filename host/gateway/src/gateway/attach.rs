//! From an answered upgrade to a connection that runs: attached to its manager, counted, and held to the
//! time that its identity is good for.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Bytes;

use super::metrics::Open;
use super::peer::ClientNetwork;
use super::places::ConnectionSlot;
use super::upgrade::{Entry, Incoming};
#[cfg(feature = "upstream")]
use super::upstream::{Load, UpstreamConnection};
use super::watch::{ConnectionEnd, ConnectionFacts};
use super::{Gateway, close, flap};
use crate::connection::{self, Transport};
use crate::manager::{AttachError, EndReport, Manager, Port};
use crate::observe::metrics::Label;
use crate::observe::spans;
use crate::registry::{Attachment, Permit};
use wastegate_core::types::{CloseReason, Timestamp};

/// How often a connection looks for its manager's successor: each time that one ended between the
/// admission and the first byte.
const ATTACHES_MAX: usize = 5;

/// A connection that runs.
pub(super) type Connection = Pin<Box<dyn Future<Output = EndReport> + Send>>;

/// What is at the other end of a client's connection.
enum FarEnd {
    Application,
    #[cfg(feature = "upstream")]
    Backend(Box<UpstreamConnection>),
}

/// One that runs, and what it holds until it has ended.
pub(super) struct Running {
    gateway: Arc<Gateway>,
    /// As what it is counted if it does not last, if it is known where it comes from.
    who: Option<flap::Who>,
    from: Option<IpAddr>,
    manager: Arc<Manager>,
    port: Arc<Port>,
    begun: Timestamp,
    pub(super) connection: Connection,
    #[cfg(feature = "upstream")]
    _load: Option<Load>,
    _slot: Option<ConnectionSlot>,
    _open: Open,
}

impl Incoming {
    /// Until the connection runs, or has come to nothing.
    pub(super) async fn begin(mut self, entry: Entry) -> Option<Running> {
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
            Entry::Permit(permit) => {
                let application = FarEnd::Application;
                self.attach(transport, leftover, permit, application).await
            }
            #[cfg(feature = "upstream")]
            Entry::Through(permit, upstream) => {
                let backend = FarEnd::Backend(upstream);
                self.attach(transport, leftover, permit, backend).await
            }
            Entry::Denied(denied) => {
                let (code, reason) = close::refusal(denied.why);
                let socket = self.socket(transport, leftover).await;
                self.close_refused(socket, code, reason).await;
                None
            }
            Entry::Ticket(ticket, wait) => {
                let socket = self.socket(transport, leftover).await;
                let queued = spans::around(wait, self.queue(socket, ticket));
                let (socket, permit) = queued.await?;
                // Between two frames, so nothing but what the socket itself holds is lost.
                let transport = socket.into_inner();
                let application = FarEnd::Application;
                self.attach(transport, Bytes::new(), permit, application)
                    .await
            }
        }
    }

    async fn attach(
        self,
        transport: Transport,
        leftover: Bytes,
        permit: Permit,
        far_end: FarEnd,
    ) -> Option<Running> {
        let session = &self.route.session;
        let port = Port::new(
            self.identity.device.clone(),
            session.config.outbox_bytes_max,
            self.notices,
            transport.socket(),
            session.clock.now(),
        );
        if let Some(slot) = &self.slot {
            port.leaves(slot.place());
        }
        if let Some(token) = &self.identity.token {
            port.came_by(token.clone());
        }
        let in_flight = match &far_end {
            FarEnd::Application => None,
            #[cfg(feature = "upstream")]
            FarEnd::Backend(upstream) => upstream.in_flight(),
        };
        match self.attach_somewhere(permit, &port, in_flight).await {
            Ok(attachment) => {
                let session = session.clone();
                let begun = session.clock.now();
                let (manager, watched) = (attachment.manager().clone(), port.clone());
                // It may have been revoked since it was looked at, and from here on a revocation finds it.
                let registry = self.gateway.admission.registry();
                registry.close_if_revoked(&manager.user, &watched);
                #[cfg(feature = "upstream")]
                let mut load = None;
                let connection = match far_end {
                    FarEnd::Application => {
                        let run = connection::run(session, transport, leftover, attachment);
                        self.until_expiry(port, run)
                    }
                    #[cfg(feature = "upstream")]
                    FarEnd::Backend(upstream) => {
                        let client = (transport, leftover);
                        let relayed = self.relayed(port, client, *upstream, attachment);
                        load = relayed.1;
                        relayed.0
                    }
                };
                let running = Running {
                    _open: self.gateway.metrics.opened(),
                    gateway: self.gateway,
                    from: self.from.and_then(ClientNetwork::address),
                    manager,
                    port: watched,
                    who: self.from.map(|from| flap::Who::new(&self.identity, from)),
                    begun,
                    connection,
                    #[cfg(feature = "upstream")]
                    _load: load,
                    _slot: self.slot,
                };
                if let Some(observer) = running.gateway.observer.get() {
                    observer.attached(&running.facts(), begun);
                }
                Some(running)
            }
            Err((code, reason)) => {
                #[cfg(feature = "upstream")]
                if let FarEnd::Backend(upstream) = far_end {
                    upstream.dismiss(session.config.close_deadline).await;
                }
                let socket = self.socket(transport, leftover).await;
                self.close_refused(socket, code, reason).await;
                None
            }
        }
    }

    /// Attaches a connection to its manager, or, if that ended in the last moment, to its successor: the
    /// client was let in, and an eviction beside it is no reason to send it away.
    async fn attach_somewhere(
        &self,
        permit: Permit,
        port: &Arc<Port>,
        in_flight: Option<u32>,
    ) -> Result<Attachment, (u16, &'static str)> {
        let mut permit = permit;
        for _ in 0..ATTACHES_MAX {
            if let Some(manager) = permit.manager() {
                manager.set_protected_class(self.identity.protected);
                manager.set_device_class(self.identity.device_class);
                if let Some(priority) = self.identity.priority {
                    manager.set_priority(priority);
                }
                if let Some(units) = in_flight {
                    manager.set_in_flight(units);
                }
            }
            match permit.attach(port.clone()) {
                Ok(attachment) => return Ok(attachment),
                Err(AttachError::Closed) => {}
                Err(error @ AttachError::TooMany(_)) => return Err(close::not_attached(error)),
            }
            let admission = &self.gateway.admission;
            let again = admission.redeem(admission.lost(), self.newcomer()).await;
            permit = again.map_err(|denied| close::refusal(denied.why))?;
        }
        Err(close::not_attached(AttachError::Closed))
    }

    /// A connection that is asked to close when what proves who it is has expired.
    pub(super) fn until_expiry(
        &self,
        port: Arc<Port>,
        run: impl Future<Output = EndReport> + Send + 'static,
    ) -> Connection {
        let Some(expires) = self.identity.expires_unix_ms else {
            return Box::pin(run);
        };
        let clock = &self.gateway.session.clock;
        let left = expires.saturating_sub(clock.unix_ms(clock.now()));
        let left = Duration::from_millis(left).saturating_add(self.rules.expiry_grace);
        let mut run = Box::pin(run);
        Box::pin(async move {
            tokio::select! {
                report = run.as_mut() => return report,
                () = tokio::time::sleep(left) => port.close(CloseReason::Expired),
            }
            run.await
        })
    }
}

impl Running {
    /// As its observer sees it.
    fn facts(&self) -> ConnectionFacts<'_> {
        ConnectionFacts {
            user: &self.manager.user,
            key: &self.manager.key,
            manager: self.manager.id,
            connection: self.port.id,
            reference: self.gateway.session.refs.of(self.port.id),
            device: &self.port.device,
            from: self.from,
        }
    }

    /// Takes note of the end.
    pub(super) fn ended(&mut self, report: EndReport) {
        let reason = report.reason;
        let closed = &self.gateway.metrics.closed;
        closed.get_or_create(&Label(reason)).inc();
        let now = self.gateway.session.clock.now();
        if let Some(observer) = self.gateway.observer.get() {
            let relayed = reason.is_clients() || reason == CloseReason::UpstreamClosed;
            let end = ConnectionEnd {
                at: now,
                report,
                told: (!relayed).then(|| close::code(reason)),
                lasted: now.since(self.begun),
                bytes: self.port.vitals.bytes(),
            };
            observer.ended(&self.facts(), &end);
        }
        let Some(who) = self.who.take() else {
            return;
        };
        let (lasted, config) = (now.since(self.begun), self.gateway.config());
        let flapping = &self.gateway.flapping;
        if let Some(ban) = flapping.ended(&who, reason, lasted, &config.flap, now) {
            self.gateway.refusals.note_ban(&self.gateway.session.clock);
            if let Some(cluster) = self.gateway.admission.cluster() {
                cluster.tell_banned(who.user(), &who.description(), ban);
            }
        }
    }
}

/// What is below an upgraded connection, with what was read from it already: our own transport behind
/// our own listener, the TCP stream of a server that embeds us, or whatever else there is.
pub(super) fn transport(upgraded: Upgraded) -> (Transport, Bytes) {
    let upgraded = match upgraded.downcast::<TokioIo<Transport>>() {
        Ok(parts) => return (parts.io.into_inner(), parts.read_buf),
        Err(upgraded) => upgraded,
    };
    match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => (parts.io.into_inner().into(), parts.read_buf),
        Err(upgraded) => (
            Transport::Other(Box::new(TokioIo::new(upgraded))),
            Bytes::new(),
        ),
    }
}
