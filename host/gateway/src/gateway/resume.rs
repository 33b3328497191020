//! Clients that were lost and come back to the backend's connection that they had.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::parking::{Parked, Terms};
use super::upgrade::Incoming;
use super::upstream::{Leg, Load};
use super::wish::Wish;
use crate::connection::{Keeper, Kept};
use crate::manager::Manager;
use crate::registry::Permit;

impl Incoming {
    /// What has to be asked for to have the backend's connection, if it is kept once this client is lost:
    /// one whose device has no name cannot come back.
    pub(super) fn kept_for(&self) -> Option<Wish> {
        self.wish.filter(|_| !self.identity.device.is_unnamed())
    }

    /// The backend's connection of this device, if it is kept, or held by a connection that the client
    /// has lost and we have not, and the client asks for what it asked for then.
    pub(super) async fn resume(&self, parts: &Parts, permit: &Permit) -> Option<Leg> {
        let (wish, manager) = (self.kept_for()?, permit.manager()?);
        let (parking, device) = (&self.gateway.parking, &self.identity.device);
        let parked = match parking.claim(manager.id, device, wish).await {
            None if manager.take_over(device) => {
                let within = self.gateway.session.config.close_deadline;
                parking.await_claim(manager.id, device, wish, within).await
            }
            parked => parked,
        };
        Leg::resumed(parked?, parts)
    }

    /// Who keeps this client's backend if the client is lost.
    pub(super) fn keeper(
        &self,
        manager: Arc<Manager>,
        headers: HeaderMap,
        load: Option<Load>,
        wish: Wish,
    ) -> Keeper {
        let gateway = self.gateway.clone();
        let device = self.identity.device.clone();
        let terms = Terms {
            grace: self.rules.config.upstream_grace,
            held_bytes_max: self.rules.config.upstream_held_bytes_max,
            goodbye: gateway.session.config.close_deadline,
        };
        Box::new(move |kept: Kept| {
            let parked = Parked {
                kept,
                headers,
                load,
                wish,
            };
            let (parking, tasks) = (&gateway.parking, &gateway.tasks);
            parking.park(manager, device, parked, terms, tasks);
        })
    }
}
