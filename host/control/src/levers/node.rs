//! Levers of the node as a whole: it is drained, and its clients are asked to connect again, so many a second.

use std::sync::Weak;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::table::LeverTerms;
use super::{LeverChange, LeverError, LeverOrder, Levers};
use crate::rollout::Actor;
use crate::rollout::audit::{Note, What};
use wastegate::manager::Port;
use wastegate_core::types::{CloseReason, Timestamp};

/// Connections that may be closed in a second, at most.
pub const PER_S_MAX: u32 = 10_000;
/// Between two parts.
const STEP: Duration = Duration::from_millis(50);

/// Connections that are being closed, so many a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disconnecting {
    /// How many are closed in a second.
    pub per_s: u32,
    /// How many are still to be closed; some of them may have ended by themselves.
    pub left: usize,
    /// Who set it, and why. It ends by itself when none is left.
    #[serde(flatten)]
    pub terms: LeverTerms,
}

/// The connections that are still to be closed.
pub(super) struct Closing {
    /// Those that were open when it began: clients that connect again are not asked twice.
    ports: Vec<Weak<Port>>,
    /// How many they were, and since when they are closed.
    begun: (usize, Timestamp),
    per_s: u32,
    terms: LeverTerms,
}

impl Closing {
    /// Takes out what is due by now.
    fn due(&mut self, now: Timestamp) -> Vec<Weak<Port>> {
        let (all, since) = self.begun;
        let micros = now.since(since).as_micros();
        // One at once, the others evenly after it.
        let due = u128::from(self.per_s) * micros / 1_000_000 + 1;
        let due = usize::try_from(due).unwrap_or(usize::MAX);
        let keep = all.saturating_sub(due).min(self.ports.len());
        self.ports.split_off(keep)
    }

    fn shown(&self) -> Disconnecting {
        Disconnecting {
            per_s: self.per_s,
            left: self.ports.len(),
            terms: self.terms.clone(),
        }
    }
}

impl Levers {
    /// Drains the node: it takes no new connection until that is taken back, and balancers see it. What is connected
    /// stays; see [`disconnect`](Self::disconnect). Survives a restart. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] with what to give instead; nothing changed.
    pub fn drain(&self, order: LeverOrder) -> Result<LeverChange<Option<LeverTerms>>, LeverError> {
        let span = order.span();
        let terms = order.terms(self.unix_ms())?;
        let (by, reason) = (terms.by.clone(), terms.reason.clone());
        let change = self.change_drain(Some(terms))?;
        self.write_node(&by, What::NodeDrained, format!("drained{span}: {reason}"));
        Ok(change)
    }

    /// Takes new connections again. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] for a reason that is too long.
    pub fn undrain(
        &self,
        order: LeverOrder,
    ) -> Result<LeverChange<Option<LeverTerms>>, LeverError> {
        let order = order.checked()?;
        let change = self.change_drain(None)?;
        if change.is_new {
            self.write_node(&order.by, What::NodeUndrained, order.reason);
        }
        Ok(change)
    }

    fn change_drain(
        &self,
        drain: Option<LeverTerms>,
    ) -> Result<LeverChange<Option<LeverTerms>>, LeverError> {
        self.replace(
            |before| Ok(before.with_drain(drain)),
            |table| table.drain().cloned(),
            |registry, table| {
                registry.set_drained(table.drain().is_some());
                0
            },
        )
    }

    /// The time of a drain is over.
    pub(super) fn drain_is_over(&self, LeverTerms { by, reason, .. }: LeverTerms) {
        let reason = format!("its time is over; {by} set it: {reason}");
        self.write_node(&Actor::expiry(), What::DrainExpired, reason);
    }

    /// Closes every connection that is open now, `per_s` in a second, so that its client connects again. Managers stay
    /// as long as they wait for a client that was lost. In the place of one that is under way. Nothing of it is left
    /// after a restart: neither are the connections. [`disconnects`](Self::disconnects) has to run. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] with what to give instead; nothing changed.
    pub fn disconnect(&self, per_s: u32, order: LeverOrder) -> Result<Disconnecting, LeverError> {
        if !(1..=PER_S_MAX).contains(&per_s) {
            return Err(LeverError::Rate);
        }
        let terms = LeverOrder {
            lasting: None,
            ..order
        }
        .terms(self.unix_ms())?;
        let (by, reason) = (terms.by.clone(), terms.reason.clone());
        let ports = self.registry.connections();
        let closing = Closing {
            begun: (ports.len(), self.clock.now()),
            ports,
            per_s,
            terms,
        };
        let shown = closing.shown();
        *self.closing.lock() = Some(closing);
        self.to_close.notify_one();
        let reason = format!("{} connections, {per_s} a second: {reason}", shown.left);
        self.write_node(&by, What::DisconnectStarted, reason);
        Ok(shown)
    }

    /// Closes no more of them. Returns how many were left; none if nothing was under way. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] for a reason that is too long.
    pub fn stop_disconnect(&self, order: LeverOrder) -> Result<Option<usize>, LeverError> {
        let order = order.checked()?;
        let closing = self.closing.lock().take();
        let left = closing.map(|closing| closing.ports.len());
        if let Some(left) = left {
            let reason = format!("{left} connections were left: {}", order.reason);
            self.write_node(&order.by, What::DisconnectStopped, reason);
        }
        Ok(left)
    }

    /// What is being closed, if anything is.
    #[must_use]
    pub fn disconnecting(&self) -> Option<Disconnecting> {
        self.closing.lock().as_ref().map(Closing::shown)
    }

    /// Closes what is due, for ever. To be kept running by a supervisor.
    pub async fn disconnects(&self) {
        loop {
            let is_under_way = {
                let mut closing = self.closing.lock();
                let due = closing
                    .as_mut()
                    .map(|closing| closing.due(self.clock.now()));
                for port in due.unwrap_or_default().iter().filter_map(Weak::upgrade) {
                    port.close(CloseReason::Reconnect);
                }
                closing.take_if(|closing| closing.ports.is_empty());
                closing.is_some()
            };
            if is_under_way {
                tokio::time::sleep(STEP).await;
            } else {
                self.to_close.notified().await;
            }
        }
    }

    /// Ends the console's sessions, and writes it down. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] for a reason that is too long; nothing changed.
    pub fn sessions_end(&self, order: LeverOrder, end: impl FnOnce()) -> Result<(), LeverError> {
        let order = order.checked()?;
        end();
        self.write_node(&order.by, What::SessionsEnded, order.reason);
        Ok(())
    }

    fn write_node(&self, by: &Actor, what: What, reason: String) {
        (*self.audit).as_ref().write(by, Note::new(what, reason));
    }
}
