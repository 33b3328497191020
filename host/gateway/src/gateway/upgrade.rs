//! From a request to a running connection.
//!
//! What is held on the way (a permit, a place in the queue, a connection slot) is owned by the
//! future or task that works on it, so a client that goes away gives all of it back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use axum::http::request::Parts;
use axum::response::Response;
use hyper::upgrade::OnUpgrade;

use super::config::RefusalStyle;
use super::handshake::Handshake;
use super::identity::{Identity, Unidentified};
use super::passage::{OnPassage, Passage};
use super::peer::ClientNetwork;
use super::places::ConnectionSlot;
use super::request_digest::RequestDigest;
use super::route::{Route, is_reserved};
use super::upstream::{Asked, Availability, UpstreamConnection, UpstreamError};
use super::{Gateway, Rules, SUBPROTOCOL, flap, origin, peer, refuse};
use crate::admission::{self, AdmissionSeat, Denied, Displace, Newcomer, Ticket};
use crate::registry::Permit;
use wastegate_core::types::{ManagerKey, UserId};

/// An upgrade whose handshake is accepted, and whose client is not known yet.
pub(super) struct Opening {
    pub(super) gateway: Arc<Gateway>,
    rules: Arc<Rules>,
    route: Arc<Route>,
    /// Without what proves who its client is, once that is known: what a backend gets to see.
    pub(super) parts: Parts,
    handshake: Handshake,
    /// The request as it came, where the backend's connection of a lost client is kept.
    request_digest: Option<RequestDigest>,
}

impl Opening {
    /// Checks the handshake of a request that leads to a route.
    pub(super) fn check(
        gateway: Arc<Gateway>,
        rules: Arc<Rules>,
        route: Arc<Route>,
        parts: Parts,
    ) -> Result<Self, Box<Response>> {
        let handshake = Handshake::check(&parts).map_err(|error| {
            gateway.metrics.handshakes_bad.inc();
            Box::new(refuse::bad_handshake(&error))
        })?;
        // As it came: what proves who it is will be taken out.
        let keeps = !rules.config.upstream_grace.is_zero();
        let request_digest = keeps.then(|| RequestDigest::of(&parts));
        Ok(Self {
            gateway,
            rules,
            route,
            parts,
            handshake,
            request_digest,
        })
    }

    /// Answers it for the client that the route's identification finds.
    pub(super) async fn answer(mut self) -> Response {
        let identified = self.route.identify.identify(&mut self.parts).await;
        match identified {
            Ok(identity) => self.answer_as(identity).await,
            Err(error) => self.unidentified(&error),
        }
    }

    /// Answers it for a client that is known.
    pub(super) async fn answer_as(mut self, identity: Identity) -> Response {
        if let Err(refusal) = self.welcome(&identity) {
            return *refusal;
        }
        let passage = self.parts.extensions.remove::<OnPassage>();
        let passage = passage.map(|OnPassage(passage)| passage);
        let slot = match &passage {
            None => None,
            Some(passage) => {
                // It is known who it is: no half-open handshake any more.
                passage.settle();
                let Some(slot) = passage.slot() else {
                    return refuse::no_place();
                };
                Some(slot)
            }
        };
        let Some(upgrade) = self.parts.extensions.remove::<OnUpgrade>() else {
            // Only a server without upgrades, e.g. one that embeds us wrongly, comes here.
            return refuse::cannot_upgrade();
        };
        let Self {
            gateway,
            rules,
            route,
            mut parts,
            handshake,
            request_digest,
        } = self;
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
            request_digest,
            notices,
            upgrade,
            slot,
            passage,
        };
        incoming.ask(&handshake, parts).await
    }

    fn unidentified(&self, error: &Unidentified) -> Response {
        self.gateway.metrics.unidentified.inc();
        refuse::unidentified(error)
    }

    /// Whether a client that is known may ask for a slot.
    fn welcome(&self, identity: &Identity) -> Result<(), Box<Response>> {
        let Self {
            gateway,
            rules,
            parts,
            ..
        } = self;
        let reserved = is_reserved(identity).filter(|_| rules.routes.has_scopes());
        if let Some(name) = reserved {
            return Err(Box::new(self.unidentified(&Unidentified::OfRoute(name))));
        }
        origin::check(parts, identity, &rules.config).map_err(|error| {
            gateway.metrics.origins_refused.inc();
            Box::new(refuse::origin(&error))
        })?;
        let now = gateway.session.clock.now();
        let who = peer::origin(parts).map(|from| flap::Who::new(identity, from));
        let banned = who.and_then(|who| gateway.flapping.banned(&who, now));
        banned.map_or(Ok(()), |left| {
            gateway.metrics.flapping.inc();
            Err(Box::new(refuse::flapping(left)))
        })
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
    /// What it asked for, where the backend's connection of a lost client is kept.
    pub(super) request_digest: Option<RequestDigest>,
    /// Where it comes from, as far as that is known.
    pub(super) from: Option<ClientNetwork>,
    pub(super) notices: bool,
    pub(super) upgrade: OnUpgrade,
    /// Its place among the node's connections; held until the connection has ended.
    pub(super) slot: Option<ConnectionSlot>,
    /// The connection that its request came by, if it came by our listener.
    passage: Option<Arc<Passage>>,
}

/// With what a connection is upgraded.
pub(super) enum Entry {
    Permit(Permit),
    /// Through to a backend that has answered already.
    Through(Permit, Box<UpstreamConnection>),
    Ticket(Ticket),
    Denied(Denied),
}

impl Incoming {
    /// Asks admission for a slot, and answers as it decides.
    async fn ask(self, handshake: &Handshake, parts: Parts) -> Response {
        let admission = self.gateway.admission.clone();
        let limit = self.route.scope.limit(&self.identity);
        admission.set_limit(&self.user, limit);
        if let Some(left) = self.hopeless() {
            return refuse::no_backend(left);
        }
        let displace = self.displace();
        let asked = admission.ask(self.newcomer(), displace).await;
        let seat = match asked {
            Ok(admission::SeatAnswer::Seat(seat)) => Ok(seat),
            // A client that understands notices is told its place; for others the answer waits.
            Ok(admission::SeatAnswer::Queued(ticket)) if self.notices => {
                return self.accept(handshake, Entry::Ticket(ticket));
            }
            Ok(admission::SeatAnswer::Queued(ticket)) => {
                let newcomer = self.newcomer();
                admission.wait_for_seat(ticket, newcomer, displace).await
            }
            Err(denied) => Err(denied),
        };
        match seat {
            Ok(seat) => self.enter(handshake, parts, seat).await,
            Err(denied) => self.refuse(handshake, denied),
        }
    }

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
    async fn enter(self, handshake: &Handshake, parts: Parts, seat: AdmissionSeat) -> Response {
        let Some(upstreams) = self.route.upstreams.clone() else {
            return match self.take(seat).await {
                Ok(permit) => self.accept(handshake, Entry::Permit(permit)),
                Err(denied) => self.refuse(handshake, denied),
            };
        };
        if let AdmissionSeat::Free(permit) = &seat
            && let Some(upstream) = self.resume(&parts, permit).await
        {
            return match self.take(seat).await {
                Ok(permit) => self.accept(handshake, Entry::Through(permit, Box::new(upstream))),
                Err(denied) => self.dismiss(handshake, upstream, denied),
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
            Ok(upstream) => match self.take(seat).await {
                Ok(permit) => self.accept(handshake, Entry::Through(permit, Box::new(upstream))),
                Err(denied) => self.dismiss(handshake, upstream, denied),
            },
            Err(error) => {
                self.gateway.metrics.upstream_failed.inc();
                match error {
                    UpstreamError::Refused(refusal) => {
                        let cut = self.passage.map(|passage| passage.cut().clone());
                        refuse::backend(*refusal, tasks, cut.unwrap_or_default())
                    }
                    error => refuse::upstream(&error),
                }
            }
        }
    }

    /// Takes the place that was found, or what was promised: now a manager that answers may go for it. A
    /// place whose manager ended while the backend was asked is looked for again.
    async fn take(&self, seat: AdmissionSeat) -> Result<Permit, Denied> {
        let admission = &self.gateway.admission;
        let promise = match seat {
            AdmissionSeat::Promised(promise) => promise,
            AdmissionSeat::Free(permit) if permit.is_live() => return Ok(permit),
            AdmissionSeat::Free(_) => admission.lost(),
        };
        admission.redeem(promise, self.newcomer()).await
    }

    /// Refuses a client whose backend has answered already.
    fn dismiss(
        self,
        handshake: &Handshake,
        upstream: UpstreamConnection,
        denied: Denied,
    ) -> Response {
        let within = self.gateway.session.config.close_deadline;
        let tasks = &self.gateway.tasks;
        tasks.spawn("dismissed", upstream.dismiss(within));
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
        if let Entry::Through(_, upstream) = &entry {
            upstream.answer(headers);
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
}
