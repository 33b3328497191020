//! From a request to a running connection.
//!
//! What is held on the way (a permit, a place in the queue, a connection slot) is owned by the
//! future or task that works on it, so a client that goes away gives all of it back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use axum::http::request::Parts;
use axum::response::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Bytes;

use super::config::RefusalStyle;
use super::handshake::Handshake;
use super::identity::{Identity, Unidentified};
use super::listener::{ConnectionSlot, Knocking};
use super::peer::Origin;
use super::route::{Route, is_reserved};
use super::upstream::{Asked, Leg, Load};
use super::{Gateway, Rules, SUBPROTOCOL, close, origin, peer, refuse};
use crate::admission::{Admitted, Denied, Ticket};
use crate::connection::{self, Transport};
use crate::manager::{EndReport, Port};
use crate::observe::metrics::Label;
use crate::registry::Permit;
use crate::types::{CloseReason, Timestamp, UserId};

/// Answers one request that leads to a route.
pub(super) async fn answer(
    gateway: Arc<Gateway>,
    rules: Arc<Rules>,
    route: Arc<Route>,
    mut parts: Parts,
) -> Response {
    let handshake = match Handshake::check(&parts) {
        Ok(handshake) => handshake,
        Err(error) => {
            gateway.metrics.handshakes_bad.inc();
            return refuse::bad_handshake(&error);
        }
    };
    let identity = match welcome(&gateway, &rules, &route, &mut parts).await {
        Ok(identity) => identity,
        Err(refusal) => return *refusal,
    };
    // It is known who it is: no half-open handshake any more.
    parts.extensions.remove::<Knocking>();
    let slot = parts.extensions.get::<ConnectionSlot>().cloned();
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        // Only a server without upgrades, e.g. one that embeds us wrongly, comes here.
        return refuse::cannot_upgrade();
    };
    // Nothing of ours is said inside of a protocol between others.
    let notices = handshake.notices && route.upstreams.is_none();
    route.cut(&mut parts.uri);
    let incoming = Incoming {
        from: peer::origin(&parts),
        gateway,
        rules,
        route,
        identity,
        notices,
        upgrade,
        _slot: slot,
    };
    let scope = &incoming.route.scope;
    let (user, key) = scope.names(&incoming.identity);
    let (user, key) = (&user.into_owned(), &key.into_owned());
    let admission = &incoming.gateway.admission;
    admission.set_limit(user, scope.limit(&incoming.identity));
    match admission.admit(user, key).await {
        Ok(Admitted::Now(permit)) => incoming.enter(&handshake, parts, permit).await,
        // A client that understands notices is told its place; for others the answer waits.
        Ok(Admitted::Queued(ticket)) if notices => {
            incoming.accept(&handshake, Entry::Ticket(ticket))
        }
        Ok(Admitted::Queued(ticket)) => {
            match incoming.gateway.admission.wait(ticket, user, key).await {
                Ok(permit) => incoming.enter(&handshake, parts, permit).await,
                Err(denied) => incoming.refuse(&handshake, denied),
            }
        }
        Err(denied) => incoming.refuse(&handshake, denied),
    }
}

/// Who it is, if it may knock at all.
async fn welcome(
    gateway: &Gateway,
    rules: &Rules,
    route: &Route,
    parts: &mut Parts,
) -> Result<Identity, Box<Response>> {
    peer::find(parts, &rules.config.trusted_proxies);
    let identified = route.identify.identify(parts).await.and_then(|identity| {
        let reserved = is_reserved(&identity).filter(|_| rules.routes.has_scopes());
        reserved.map_or(Ok(identity), |name| Err(Unidentified::OfRoute(name)))
    });
    let identity = identified.map_err(|error| {
        gateway.metrics.unidentified.inc();
        Box::new(refuse::unidentified(&error))
    })?;
    let checked = origin::check(parts, &identity, &rules.config);
    checked.map_err(|error| {
        gateway.metrics.origins_refused.inc();
        Box::new(refuse::origin(&error))
    })?;
    let now = gateway.session.clock.now();
    let from = peer::origin(parts);
    let banned = from.and_then(|from| gateway.flapping.banned(&identity.user, from, now));
    match banned {
        None => Ok(identity),
        Some(left) => {
            gateway.metrics.flapping.inc();
            Err(Box::new(refuse::flapping(left)))
        }
    }
}

/// A client whose request is not answered yet.
pub(super) struct Incoming {
    pub(super) gateway: Arc<Gateway>,
    pub(super) rules: Arc<Rules>,
    pub(super) route: Arc<Route>,
    pub(super) identity: Identity,
    /// Where it comes from, as far as that is known.
    from: Option<Origin>,
    notices: bool,
    upgrade: OnUpgrade,
    /// Its place among the node's connections; held until the connection has ended.
    _slot: Option<ConnectionSlot>,
}

/// A connection that runs.
type Connection = Pin<Box<dyn Future<Output = EndReport> + Send>>;

/// One that runs, and what it holds until it has ended.
struct Running {
    gateway: Arc<Gateway>,
    user: UserId,
    /// Where it comes from, as far as that is known.
    from: Option<Origin>,
    begun: Timestamp,
    connection: Connection,
    _load: Option<Load>,
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
        let Some(upstreams) = self.route.upstreams.clone() else {
            return self.accept(handshake, Entry::Permit(permit));
        };
        if let Some(leg) = self.resume(&parts, &permit).await {
            return self.accept(handshake, Entry::Through(permit, Box::new(leg)));
        }
        let asked = Asked {
            parts: &parts,
            identity: &self.identity,
            accept: &handshake.accept,
            host: self.rules.config.upstream_host,
        };
        let timeout = self.rules.config.upstream_timeout;
        let Gateway { tasks, session, .. } = &*self.gateway;
        match upstreams
            .connect(asked, timeout, tasks, &session.clock)
            .await
        {
            Ok(leg) => self.accept(handshake, Entry::Through(permit, Box::new(leg))),
            Err(error) => {
                self.gateway.metrics.upstream_failed.inc();
                refuse::upstream(error)
            }
        }
    }

    fn refuse(self, handshake: &Handshake, denied: Denied) -> Response {
        match self.rules.config.refusal {
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
            running.ended(report.reason);
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
        let session = &self.route.session;
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
            if let Some(priority) = self.identity.priority {
                manager.set_priority(priority);
            }
            if let Some(units) = leg.as_ref().and_then(Leg::in_flight) {
                manager.set_in_flight(units);
            }
        }
        match permit.attach(port.clone()) {
            Ok(attachment) => {
                let session = session.clone();
                let begun = session.clock.now();
                let client = (transport, leftover);
                let (connection, load): (Connection, _) = match leg {
                    None => {
                        let (transport, leftover) = client;
                        let run = connection::run(session, transport, leftover, attachment);
                        (self.until_expiry(port, run), None)
                    }
                    Some(leg) => {
                        let agreed = leg.agreed();
                        let (mut far, mut load) = leg.into_far();
                        if let Some(headers) = agreed.filter(|_| self.keeps()) {
                            let manager = attachment.manager().clone();
                            far.keeper = Some(self.keeper(manager, headers, load.take()));
                        }
                        let run = connection::relay(session, client, far, attachment);
                        (self.until_expiry(port, run), load)
                    }
                };
                Some(Running {
                    gateway: self.gateway,
                    user: self.identity.user,
                    from: self.from,
                    begun,
                    connection,
                    _load: load,
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

    /// A connection that is asked to close when what proves who it is has expired.
    fn until_expiry(
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
    /// Takes note of the end.
    fn ended(&self, reason: CloseReason) {
        let closed = &self.gateway.metrics.closed;
        closed.get_or_create(&Label(reason)).inc();
        let now = self.gateway.session.clock.now();
        let Some(from) = self.from else {
            return;
        };
        let (lasted, config) = (now.since(self.begun), self.gateway.config());
        let who = (&self.user, from);
        let flapping = &self.gateway.flapping;
        if flapping.ended(who, reason, lasted, &config.flap, now) {
            tracing::warn!("a client comes and goes; it has to stay away for a while");
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
