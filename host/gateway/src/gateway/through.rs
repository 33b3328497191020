//! A client on its way through to a backend: asked first, so that nothing irreversible happens for a client
//! that no backend takes.

use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use axum::response::Response;

use super::attach::Connection;
use super::handshake::Handshake;
use super::upgrade::{Entry, Incoming};
use super::upstream::{Asked, Availability, Load, UpstreamConnection, UpstreamError, Upstreams};
use super::{Gateway, refuse, traced};
use crate::admission::{Denied, SlotOffer};
use crate::connection::{self, Transport};
use crate::manager::Port;
use crate::observe::spans::{self, SpanKind};
use crate::registry::Attachment;
use tokio_tungstenite::tungstenite::Bytes;

impl Incoming {
    /// How long no backend is asked, where room would have to be made for this client: a backend that is
    /// known to be away is no reason to clean up. A client that finds a free place may try all the same.
    pub(super) fn hopeless(&self) -> Option<Duration> {
        let now = self.gateway.session.clock.now();
        let upstreams = self.route.upstreams()?;
        let Availability::Away { until } = upstreams.availability(now) else {
            return None;
        };
        let full = self.gateway.admission.is_full_for(self.newcomer());
        full.then(|| until.since(now))
    }

    /// Lets a client in once a backend has answered, so that it hears of a failure as of any other, by a
    /// status.
    pub(super) async fn enter_through(
        self,
        upstreams: &Upstreams,
        handshake: &Handshake,
        mut parts: Parts,
        offer: SlotOffer,
    ) -> Response {
        if let SlotOffer::Free(permit) = &offer
            && let Some(upstream) = self.resume(&parts, permit).await
        {
            return self.enter_with(upstream, handshake, offer).await;
        }
        let step = spans::child("upstream", SpanKind::Client);
        traced::hand_on(&mut parts);
        let asked = Asked {
            parts: &parts,
            identity: &self.identity,
            accept: &handshake.accept,
            host: self.rules.config.upstream_host,
        };
        let timeout = self.rules.config.upstream_timeout;
        let Gateway { tasks, session, .. } = &*self.gateway;
        let connected = upstreams
            .connect(asked, timeout, tasks, &session.clock)
            .await;
        match &connected {
            Ok(upstream) => upstream.note(),
            Err(error) => error.note(),
        }
        drop(step);
        match connected {
            Ok(upstream) => self.enter_with(upstream, handshake, offer).await,
            Err(error) => {
                self.gateway.metrics.backends.upstream_failed.inc();
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

    /// Lets a client in whose backend has answered, if it gets a slot.
    async fn enter_with(
        self,
        upstream: UpstreamConnection,
        handshake: &Handshake,
        offer: SlotOffer,
    ) -> Response {
        match self.take(offer).await {
            Ok(permit) => self.accept(handshake, Entry::Through(permit, Box::new(upstream))),
            Err(denied) => self.dismiss(handshake, upstream, denied),
        }
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

    /// The connection of a client and its backend, and that it counts as one of the backend's, unless that
    /// goes with what is kept for the client.
    pub(super) fn relayed(
        &self,
        port: Arc<Port>,
        client: (Transport, Bytes),
        upstream: UpstreamConnection,
        attachment: Attachment,
    ) -> (Connection, Option<Load>) {
        let agreed = upstream.agreed();
        let (mut relayed, mut load) = upstream.into_relayed();
        if let (Some(headers), Some(request_digest)) = (agreed, self.kept_for()) {
            let manager = attachment.manager().clone();
            relayed.keeper = Some(self.keeper(manager, headers, load.take(), request_digest));
        }
        let session = self.route.session.clone();
        let run = connection::relay(session, client, relayed, attachment);
        (self.until_expiry(port, run), load)
    }
}
