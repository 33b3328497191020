//! A place for one more connection of a manager, where a newcomer joins one.

use super::denied::DenialReason;
use super::ladder::Admission;
use super::offer::Newcomer;
use super::room::Out;
use super::way::Way;
use crate::health::judge;
use crate::manager::Manager;
use crate::registry::Permit;
use wastegate_core::types::{Health, Timestamp};

impl Admission {
    /// Sees to it that the permit's manager has a place for the newcomer's connection. Dead connections
    /// make room first, and one of the newcomer's own device gives way.
    pub(super) async fn place(
        &self,
        permit: &Permit,
        newcomer: Newcomer<'_>,
        way: &Way,
    ) -> Result<(), Out> {
        let Some(manager) = permit.manager() else {
            return Ok(());
        };
        let now = self.clock.now();
        let most = manager.config().connections_max;
        let out = |why, retry_after| Out {
            why,
            held: u32::try_from(manager.ports().len()).unwrap_or(u32::MAX),
            limit: u32::try_from(most).unwrap_or(u32::MAX),
            retry_after,
        };
        self.contest(manager, newcomer, now)
            .map_err(|wait| out(DenialReason::DeviceContested, Some(wait)))?;
        let left = way.deadline.since(now);
        let place = self.cleaner.make_place(manager, newcomer.device);
        let placed = tokio::time::timeout(left, place).await.unwrap_or(false);
        if placed {
            Ok(())
        } else {
            Err(out(DenialReason::ManagerConnections, None))
        }
    }

    /// Whether the newcomer may take over from an older connection of its device.
    fn contest(
        &self,
        manager: &Manager,
        newcomer: Newcomer<'_>,
        now: Timestamp,
    ) -> Result<(), std::time::Duration> {
        let Some(device) = newcomer.device.filter(|device| !device.is_unnamed()) else {
            return Ok(());
        };
        let health = self.cleaner.health();
        let answers = manager.ports().iter().any(|port| {
            port.device == *device
                && !port.is_closing()
                && matches!(
                    judge(port, health, now).health,
                    Health::Alive | Health::Unknown
                )
        });
        if !answers {
            return Ok(());
        }
        let contested = (newcomer.user.clone(), newcomer.key.clone(), device.clone());
        self.contests.take_over(contested, &self.config, now)
    }
}
