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
use super::listener::Knocking;
use super::peer::Origin;
use super::places::ConnectionSlot;
use super::route::{Route, is_reserved};
use super::upstream::{Asked, Availability, Leg, Load};
use super::{Gateway, Rules, SUBPROTOCOL, close, flap, origin, peer, refuse};
use crate::admission::{self, Denied, Displace, Newcomer, Seat, Ticket};
use crate::connection::{self, Transport};
use crate::manager::{AttachError, EndReport, Port};
use crate::observe::metrics::Label;
use crate::registry::{Attachment, Permit};
use crate::types::{CloseReason, ManagerKey, Timestamp, UserId};

/// How often a connection looks for its manager's successor: each time that one ended between the
/// admission and the first byte.
const ATTACHES_MAX: usize = 5;

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
    let (user, key) = route.scope.names(&identity);
    let (user, key) = (user.into_owned(), key.into_owned());
    let incoming = Incoming {
        from: peer::origin(&parts),
        gateway,
        rules,
        route,
        identity,
        user,
        key,
        notices,
        upgrade,
        _slot: slot,
    };
    let admission = incoming.gateway.admission.clone();
    let limit = incoming.route.scope.limit(&incoming.identity);
    admission.set_limit(&incoming.user, limit);
    if let Some(left) = incoming.hopeless() {
        return refuse::no_backend(left);
    }
    let displace = incoming.displace();
    let asked = admission.ask(incoming.newcomer(), displace).await;
    let seat = match asked {
        Ok(admission::Asked::Seat(seat)) => Ok(seat),
        // A client that understands notices is told its place; for others the answer waits.
        Ok(admission::Asked::Queued(ticket)) if notices => {
            return incoming.accept(&handshake, Entry::Ticket(ticket));
        }
        Ok(admission::Asked::Queued(ticket)) => {
            let newcomer = incoming.newcomer();
            admission.wait_for_seat(ticket, newcomer, displace).await
        }
        Err(denied) => Err(denied),
    };
    match seat {
        Ok(seat) => incoming.enter(&handshake, parts, seat).await,
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
    let who = from.map(|from| flap::Who::new(&identity, from));
    let banned = who.and_then(|who| gateway.flapping.banned(&who, now));
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
    /// The user and the key by which its manager is held at its route.
    user: UserId,
    key: ManagerKey,
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
    /// As what it is counted if it does not last, if it is known where it comes from.
    who: Option<flap::Who>,
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
    /// Who is asking, as admission sees it.
    pub(super) fn newcomer(&self) -> Newcomer<'_> {
        Newcomer {
            user: &self.user,
            key: &self.key,
            device: Some(&self.identity.device),
        }
    }

    /// How long no backend is asked, where room would have to be made for this client: a backend that is
    /// known to be away is no reason to clean up. A client that finds a free place may try all the same.
    fn hopeless(&self) -> Option<Duration> {
        let now = self.gateway.session.clock.now();
        let upstreams = self.route.upstreams.as_ref()?;
        let Availability::Away { until } = upstreams.availability(now) else {
            return None;
        };
        let full = self.gateway.admission.is_full_for(self.newcomer());
        full.then(|| until.since(now))
    }

    /// Nothing irreversible before what can still fail: a backend has to answer before a manager that
    /// answers is evicted for its new client.
    fn displace(&self) -> Displace {
        match self.route.upstreams {
            Some(_) => Displace::Later,
            None => Displace::Now,
        }
    }

    /// Lets a client in: where there is a backend, once that has answered, so that a client hears of a
    /// failure as of any other, by a status.
    async fn enter(self, handshake: &Handshake, parts: Parts, seat: Seat) -> Response {
        let Some(upstreams) = self.route.upstreams.clone() else {
            return match self.take(seat).await {
                Ok(permit) => self.accept(handshake, Entry::Permit(permit)),
                Err(denied) => self.refuse(handshake, denied),
            };
        };
        if let Seat::Free(permit) = &seat
            && let Some(leg) = self.resume(&parts, permit).await
        {
            return match self.take(seat).await {
                Ok(permit) => self.accept(handshake, Entry::Through(permit, Box::new(leg))),
                Err(denied) => self.dismiss(handshake, leg, denied),
            };
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
            Ok(leg) => match self.take(seat).await {
                Ok(permit) => self.accept(handshake, Entry::Through(permit, Box::new(leg))),
                Err(denied) => self.dismiss(handshake, leg, denied),
            },
            Err(error) => {
                self.gateway.metrics.upstream_failed.inc();
                refuse::upstream(error)
            }
        }
    }

    /// Takes the place that was found, or what was promised: now a manager that answers may go for it. A
    /// place whose manager ended while the backend was asked is looked for again.
    async fn take(&self, seat: Seat) -> Result<Permit, Denied> {
        let admission = &self.gateway.admission;
        let promise = match seat {
            Seat::Promised(promise) => promise,
            Seat::Free(permit) if permit.is_live() => return Ok(permit),
            Seat::Free(_) => admission.lost(),
        };
        admission.redeem(promise, self.newcomer()).await
    }

    /// Refuses a client whose backend has answered already.
    fn dismiss(self, handshake: &Handshake, leg: Leg, denied: Denied) -> Response {
        let within = self.gateway.session.config.close_deadline;
        let tasks = &self.gateway.tasks;
        tasks.spawn("dismissed", leg.dismiss(within));
        self.refuse(handshake, denied)
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
        if let Some(slot) = &self._slot {
            port.leaves(slot.place());
        }
        let in_flight = leg.as_ref().and_then(Leg::in_flight);
        match self.attach_somewhere(permit, &port, in_flight).await {
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
                    who: self.from.map(|from| flap::Who::new(&self.identity, from)),
                    begun,
                    connection,
                    _load: load,
                    _slot: self._slot,
                })
            }
            Err((code, reason)) => {
                if let Some(leg) = leg {
                    leg.dismiss(session.config.close_deadline).await;
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
    fn ended(&mut self, reason: CloseReason) {
        let closed = &self.gateway.metrics.closed;
        closed.get_or_create(&Label(reason)).inc();
        let now = self.gateway.session.clock.now();
        let Some(who) = self.who.take() else {
            return;
        };
        let (lasted, config) = (now.since(self.begun), self.gateway.config());
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
