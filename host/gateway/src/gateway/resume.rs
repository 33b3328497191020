//! Clients that were lost and come back to the backend's connection that they had.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::parking::{Parked, Terms};
use super::request_digest::RequestDigest;
use super::upgrade::Incoming;
use super::upstream::{Load, UpstreamConnection};
use crate::connection::{IdleUpstream, IdleUpstreamHandler};
use crate::manager::Manager;
use crate::registry::Permit;

impl Incoming {
    /// What has to be asked for to have the backend's connection, if it is kept once this client is lost:
    /// one whose device has no name cannot come back.
    pub(super) fn kept_for(&self) -> Option<RequestDigest> {
        self.request_digest
            .filter(|_| !self.identity.device.is_unnamed())
    }

    /// The backend's connection of this device, if it is kept, or held by a connection that the client
    /// has lost and we have not, and the client asks for what it asked for then.
    pub(super) async fn resume(
        &self,
        parts: &Parts,
        permit: &Permit,
    ) -> Option<UpstreamConnection> {
        let (request_digest, manager) = (self.kept_for()?, permit.manager()?);
        let (parking, device) = (&self.gateway.backends.parking, &self.identity.device);
        let parked = match parking.claim(manager.id, device, request_digest).await {
            None if manager.take_over(device) => {
                let within = self.gateway.session.config.close_deadline;
                parking
                    .await_claim(manager.id, device, request_digest, within)
                    .await
            }
            parked => parked,
        };
        UpstreamConnection::resumed(parked?, parts)
    }

    /// Who keeps this client's backend if the client is lost.
    pub(super) fn keeper(
        &self,
        manager: Arc<Manager>,
        headers: HeaderMap,
        load: Option<Load>,
        request_digest: RequestDigest,
    ) -> IdleUpstreamHandler {
        let gateway = self.gateway.clone();
        let device = self.identity.device.clone();
        let terms = Terms {
            grace: self.rules.config.upstream_grace,
            held_bytes_max: self.rules.config.upstream_held_bytes_max,
            goodbye: gateway.session.config.close_deadline,
        };
        Box::new(move |kept: IdleUpstream| {
            let parked = Parked {
                kept,
                headers,
                load,
                request_digest,
            };
            let (parking, tasks) = (&gateway.backends.parking, &gateway.tasks);
            parking.park(manager, device, parked, terms, tasks);
        })
    }
}
