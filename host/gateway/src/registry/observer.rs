//! One observer of slots: who tells other nodes what this one holds.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::Registry;
use crate::manager::Manager;
use wastegate_core::types::DeviceId;

/// Hears of slots that go and of managers whose connections changed. It must not block, and may be told twice.
pub(crate) trait SlotObserver: Send + Sync + 'static {
    /// A manager holds no slot any more.
    fn freed(&self, manager: &Manager);
    /// A connection of that device was attached to a manager; or, without one, a connection left.
    fn changed(&self, manager: &Manager, arrived: Option<&DeviceId>);
}

/// The observer, if there is one.
#[derive(Default)]
pub(super) struct Observed(OnceLock<Arc<dyn SlotObserver>>);

impl Observed {
    pub(super) fn freed(&self, manager: &Manager) {
        if let Some(observer) = self.0.get() {
            observer.freed(manager);
        }
    }

    pub(super) fn changed(&self, manager: &Manager, arrived: Option<&DeviceId>) {
        if let Some(observer) = self.0.get() {
            observer.changed(manager, arrived);
        }
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observed")
            .field(&self.0.get().is_some())
            .finish()
    }
}

impl Registry {
    /// Tells an observer of slots that go from now on. The first one stays.
    pub(crate) fn observed_by(&self, observer: Arc<dyn SlotObserver>) {
        // Set once, when the gateway is put together.
        let _ = self.observed.0.set(observer);
    }
}
