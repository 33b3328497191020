//! What can be seen of a manager. Reading changes nothing.

use std::sync::Arc;

use super::Config;
use super::port::Port;
use super::unit::Manager;
use wastegate_core::decision::Standing;
use wastegate_core::signals::Activity;
use wastegate_core::types::{CloseReason, Timestamp};

impl Manager {
    /// Whether no connection is attached or on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.ports.is_empty() && state.pending == 0
    }

    /// Why it ended, if it has.
    #[must_use]
    pub fn end(&self) -> Option<CloseReason> {
        self.state.lock().end
    }

    /// Whether a connection is attached, and how long that may stay so.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        let config = &self.surroundings.config;
        let state = self.state.lock();
        if !state.ports.is_empty() {
            return Standing::Attached;
        }
        if state.pending > 0 && now.since(state.pending_since) < config.attach_grace {
            return Standing::Newborn;
        }
        match state.detached_since {
            None => Standing::NeverAttached,
            Some(since) if now.since(since) < config.reconnect_grace => Standing::Detached,
            Some(_) => Standing::Expired,
        }
    }

    /// Until when nothing may touch it, if its first connection is still on its way.
    #[must_use]
    pub(crate) fn newborn_until(&self, now: Timestamp) -> Option<Timestamp> {
        if self.standing(now) != Standing::Newborn {
            return None;
        }
        let since = self.state.lock().pending_since;
        Some(since.after(self.surroundings.config.attach_grace))
    }

    /// Its connections now.
    #[must_use]
    pub fn ports(&self) -> Vec<Arc<Port>> {
        self.state.lock().ports.clone()
    }

    /// Since when no connection is attached.
    #[must_use]
    pub fn detached_since(&self) -> Option<Timestamp> {
        self.state.lock().detached_since
    }

    /// How often a connection came back to it.
    #[must_use]
    pub fn reconnects(&self) -> u32 {
        self.state.lock().reconnects
    }

    /// Payload in and out and errors, of connections past and present.
    #[must_use]
    pub fn totals(&self) -> (u64, u64, u32) {
        let state = self.state.lock();
        let (mut bytes_in, mut bytes_out) = state.bytes_before;
        let mut errors = state.errors_before;
        for port in &state.ports {
            let (more_in, more_out) = port.vitals.bytes();
            bytes_in += more_in;
            bytes_out += more_out;
            errors += port.vitals.errors();
        }
        (bytes_in, bytes_out, errors)
    }

    /// What its user's activity was so far.
    #[must_use]
    pub fn activity(&self) -> Activity {
        *self.activity.lock()
    }

    /// How much the bytes held for it grew over about a minute; none in its first minute.
    #[must_use]
    pub fn growth(&self, now: Timestamp) -> Option<f64> {
        self.held.lock().growth(now)
    }

    /// The settings of the room.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.surroundings.config
    }

    /// Now, by the gateway's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.surroundings.clock.now()
    }
}
