//! From a request to a running connection.
//!
//! What is held on the way (a permit, a place in the queue, a connection slot) is owned by the
//! future or task that works on it, so a client that goes away gives all of it back.

use std::sync::Arc;

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
use super::passage::OnPassage;
#[cfg(feature = "upstream")]
use super::passage::Passage;
use super::peer::ClientNetwork;
use super::places::ConnectionSlot;
#[cfg(feature = "upstream")]
use super::request_digest::RequestDigest;
use super::route::{Destination, Route, is_reserved};
#[cfg(feature = "upstream")]
use super::upstream::UpstreamConnection;
use super::{Gateway, Rules, SUBPROTOCOL, flap, origin, peer, refuse};
use crate::admission::{self, Denied, Displace, Newcomer, SlotOffer, Ticket};
use crate::observe::spans::{self, Apart, SpanKind};
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
    #[cfg(feature = "upstream")]
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
        #[cfg(feature = "upstream")]
        let request_digest = RequestDigest::if_kept(&parts, &rules.config);
        Ok(Self {
            gateway,
            rules,
            route,
            parts,
            handshake,
            #[cfg(feature = "upstream")]
            request_digest,
        })
    }

    /// Answers it for the client that the route's identification finds.
    pub(super) async fn answer(mut self) -> Response {
        let step = spans::child("identity", SpanKind::Internal);
        let identified = self.route.identify.identify(&mut self.parts).await;
        spans::note("wastegate.identified", || identified.is_ok());
        drop(step);
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
            #[cfg_attr(
                not(feature = "upstream"),
                expect(unused_mut, reason = "only backends cut the path")
            )]
            mut parts,
            handshake,
            #[cfg(feature = "upstream")]
            request_digest,
        } = self;
        // Nothing of ours is said inside of a protocol between others.
        let notices = handshake.notices && route.is_application();
        #[cfg(feature = "upstream")]
        route.cut(&mut parts.uri);
        let (user, key) = route.scope.names(&identity);
        let (user, key) = (user.into_owned(), key.into_owned());
        spans::note_user(&user);
        let incoming = Incoming {
            from: peer::origin(&parts),
            gateway,
            rules,
            route,
            identity,
            user,
            key,
            #[cfg(feature = "upstream")]
            request_digest,
            notices,
            upgrade,
            slot,
            #[cfg(feature = "upstream")]
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
        let registry = gateway.admission.registry();
        let token = identity.token.as_ref();
        if token.is_some_and(|token| registry.is_revoked(&identity.user, token)) {
            return Err(Box::new(self.unidentified(&Unidentified::Revoked)));
        }
        origin::check(parts, identity, &rules.config).map_err(|error| {
            gateway.metrics.origins_refused.inc();
            Box::new(refuse::origin(&error))
        })?;
        let now = gateway.session.clock.now();
        let who = peer::origin(parts).map(|from| flap::Who::new(identity, from));
        let banned = who.and_then(|who| {
            let here = gateway.flapping.banned(&who, now);
            let cluster = gateway.admission.cluster();
            here.max(cluster.and_then(|it| it.banned_elsewhere(who.user(), || who.description())))
        });
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
    #[cfg(feature = "upstream")]
    pub(super) request_digest: Option<RequestDigest>,
    /// Where it comes from, as far as that is known.
    pub(super) from: Option<ClientNetwork>,
    pub(super) notices: bool,
    pub(super) upgrade: OnUpgrade,
    /// Its place among the node's connections; held until the connection has ended.
    pub(super) slot: Option<ConnectionSlot>,
    /// The connection that its request came by, if it came by our listener.
    #[cfg(feature = "upstream")]
    pub(super) passage: Option<Arc<Passage>>,
}

/// With what a connection is upgraded.
pub(super) enum Entry {
    Permit(Permit),
    /// Through to a backend that has answered already.
    #[cfg(feature = "upstream")]
    Through(Permit, Box<UpstreamConnection>),
    /// Its wait is a span of its own, since the handshake is over.
    Ticket(Ticket, Option<Apart>),
    Denied(Denied),
}

impl Incoming {
    /// Asks admission for a slot, and answers as it decides.
    #[cfg_attr(
        not(feature = "upstream"),
        expect(unused_variables, reason = "only a backend gets the request's head")
    )]
    async fn ask(self, handshake: &Handshake, parts: Parts) -> Response {
        let admission = self.gateway.admission.clone();
        let limit = self.route.scope.limit(&self.identity);
        admission.set_limit(&self.user, limit);
        #[cfg(feature = "upstream")]
        if let Some(left) = self.hopeless() {
            return refuse::no_backend(left);
        }
        let displace = self.displace();
        let step = spans::child("admission", SpanKind::Internal);
        let asked = admission.ask(self.newcomer(), displace).await;
        let offer = match asked {
            Ok(admission::OfferAnswer::Offered(offer)) => Ok(offer),
            // A client that understands notices is told its place; for others the answer waits.
            Ok(admission::OfferAnswer::Queued(ticket)) if self.notices => {
                let wait = spans::apart("queue");
                drop(step);
                return self.accept(handshake, Entry::Ticket(ticket, wait));
            }
            Ok(admission::OfferAnswer::Queued(ticket)) => {
                let newcomer = self.newcomer();
                let _wait = spans::child("queue", SpanKind::Internal);
                admission.wait_for_offer(ticket, newcomer, displace).await
            }
            Err(denied) => Err(denied),
        };
        drop(step);
        let offer = match offer {
            Ok(offer) => offer,
            Err(denied) => return self.refuse(handshake, denied),
        };
        match &self.route.to {
            Destination::Application => match self.take(offer).await {
                Ok(permit) => self.accept(handshake, Entry::Permit(permit)),
                Err(denied) => self.refuse(handshake, denied),
            },
            #[cfg(feature = "upstream")]
            Destination::Backends(upstreams) => {
                let upstreams = upstreams.clone();
                let through = self.enter_through(&upstreams, handshake, parts, offer);
                through.await
            }
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

    /// Nothing irreversible before what can still fail: a backend has to answer before a manager that
    /// answers is evicted for its new client.
    fn displace(&self) -> Displace {
        match self.route.to {
            Destination::Application => Displace::Now,
            #[cfg(feature = "upstream")]
            Destination::Backends(_) => Displace::Later,
        }
    }

    /// Takes the place that was found, or what was promised: now a manager that answers may go for it. A
    /// place whose manager ended while the backend was asked is looked for again.
    pub(super) async fn take(&self, offer: SlotOffer) -> Result<Permit, Denied> {
        let admission = &self.gateway.admission;
        let promise = match offer {
            SlotOffer::Promised(promise) => promise,
            SlotOffer::Free(permit) if permit.is_live() => return Ok(permit),
            SlotOffer::Free(_) => admission.lost(),
        };
        let _step = spans::child("redeem", SpanKind::Internal);
        admission.redeem(promise, self.newcomer()).await
    }

    pub(super) fn refuse(self, handshake: &Handshake, denied: Denied) -> Response {
        match self.rules.config.refusal {
            RefusalStyle::Http => refuse::denied(&denied),
            RefusalStyle::Close => self.accept(handshake, Entry::Denied(denied)),
        }
    }

    /// Answers 101 and goes on in a task of its own.
    pub(super) fn accept(self, handshake: &Handshake, entry: Entry) -> Response {
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
        #[cfg(feature = "upstream")]
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
            running.ended(report);
        });
        response
    }
}
