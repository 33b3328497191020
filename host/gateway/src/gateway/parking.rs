//! Backends' connections that wait for their clients to come back, each in a task of its own that ends
//! with the grace, the manager, the backend, or what may be held.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::request_digest::RequestDigest;
use super::upstream::Load;
use crate::connection::IdleUpstream;
use crate::manager::Manager;
use crate::tasks::Tasks;
use wastegate_core::types::{DeviceId, ManagerId};

/// Connections that wait at once. One that has no place is not kept.
const PARKED_MAX: usize = 100_000;

/// Whose connection it is: that life of a manager, and the device.
type Place = (ManagerId, DeviceId);

/// What a client gets back.
pub(super) struct Parked {
    pub(super) kept: IdleUpstream,
    /// The backend's answer to the first upgrade.
    pub(super) headers: HeaderMap,
    pub(super) load: Option<Load>,
    /// What its client had asked for.
    pub(super) request_digest: RequestDigest,
}

/// How long and how much is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) grace: Duration,
    pub(super) held_bytes_max: usize,
    pub(super) goodbye: Duration,
}

/// By which one is had: whoever asks for the same sends where to.
struct Claim {
    request_digest: RequestDigest,
    claim: oneshot::Sender<oneshot::Sender<Parked>>,
}

/// The upstream connections that wait for their client to come back.
#[derive(Default)]
pub(super) struct Parking {
    // Held for a map operation.
    claims: Mutex<HashMap<Place, Claim>>,
    arrived: Notify,
}

impl Parking {
    /// Keeps a connection until its client comes back, or is given up.
    pub(super) fn park(
        self: &Arc<Self>,
        manager: Arc<Manager>,
        device: DeviceId,
        mut parked: Parked,
        terms: Terms,
        tasks: &Tasks,
    ) {
        let place = (manager.id, device);
        let (claim, claimed) = oneshot::channel();
        {
            let mut claims = self.claims.lock();
            if claims.len() >= PARKED_MAX {
                return;
            }
            let request_digest = parked.request_digest;
            claims.insert(
                place.clone(),
                Claim {
                    request_digest,
                    claim,
                },
            );
        }
        self.arrived.notify_waiters();
        let (parking, stop) = (self.clone(), tasks.stopping());
        tasks.spawn("parked", async move {
            let given_up = async {
                tokio::select! {
                    () = parked.kept.hold(terms.held_bytes_max) => {}
                    () = manager.ended() => {}
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(terms.grace) => {}
                }
            };
            // With the claim's other half, so that it is closed before it is forgotten.
            let claimed = tokio::select! {
                claimed = claimed => claimed.ok(),
                () = given_up => None,
            };
            match claimed {
                // A client that claimed it and left meanwhile does not get it; the next client claims anew.
                Some(client) => drop(client.send(parked)),
                None => {
                    parking.forget(&place);
                    parked.kept.dismiss(terms.goodbye).await;
                }
            }
        });
    }

    /// No client can claim it any more. A newer one of the same place, whose claim is open, stays.
    fn forget(&self, place: &Place) {
        let mut claims = self.claims.lock();
        if claims.get(place).is_some_and(|it| it.claim.is_closed()) {
            claims.remove(place);
        }
    }

    /// Takes the connection of a client that comes back, if it is there. Where the client asks for
    /// something else by now, the connection is given up.
    pub(super) async fn claim(
        &self,
        manager: ManagerId,
        device: &DeviceId,
        request_digest: RequestDigest,
    ) -> Option<Parked> {
        let claimed = self.claims.lock().remove(&(manager, device.clone()))?;
        if claimed.request_digest != request_digest {
            return None;
        }
        let (client, parked) = oneshot::channel();
        claimed.claim.send(client).ok()?;
        parked.await.ok()
    }

    /// The same, for a client whose old connection is just being told to go.
    pub(super) async fn await_claim(
        &self,
        manager: ManagerId,
        device: &DeviceId,
        request_digest: RequestDigest,
        within: Duration,
    ) -> Option<Parked> {
        let place = (manager, device.clone());
        let there = async {
            loop {
                let mut arrived = std::pin::pin!(self.arrived.notified());
                arrived.as_mut().enable();
                if self.claims.lock().contains_key(&place) {
                    return;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(within, there).await.ok()?;
        self.claim(manager, device, request_digest).await
    }
}
