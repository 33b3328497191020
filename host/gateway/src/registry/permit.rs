//! Proof of admission, and what it turns into. Both give back what they hold when they are dropped,
//! so a cancelled upgrade, a panic and an early return all end the same way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Registry;
use crate::manager::{AttachError, EndReport, Manager, Port};
use wastegate_core::types::CloseReason;

/// One connection may attach to one manager. Dropped unused, it never came.
#[derive(Debug)]
#[must_use = "a permit that is dropped gives its slot back"]
pub struct Permit {
    registry: Arc<Registry>,
    manager: Option<Arc<Manager>>,
}

impl Permit {
    /// For a manager that already knows of the connection on its way.
    pub(super) fn new(registry: Arc<Registry>, manager: Arc<Manager>) -> Self {
        Self {
            registry,
            manager: Some(manager),
        }
    }

    /// The manager that the connection may attach to.
    #[must_use]
    pub fn manager(&self) -> Option<&Arc<Manager>> {
        self.manager.as_ref()
    }

    /// Whether its manager has not ended meanwhile.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.manager
            .as_ref()
            .is_some_and(|manager| manager.end().is_none())
    }

    /// Attaches the connection.
    ///
    /// # Errors
    /// [`AttachError`] when the manager ended meanwhile, or has as many connections as it may.
    pub fn attach(mut self, port: Arc<Port>) -> Result<Attachment, AttachError> {
        let manager = self.manager.take().ok_or(AttachError::Closed)?;
        match manager.attach(&port) {
            Ok(()) => {
                self.registry.attached.fetch_add(1, Ordering::Relaxed);
                self.registry.freed.notify(&manager.user);
                self.registry.observed.changed(&manager, Some(&port.device));
                Ok(Attachment {
                    registry: self.registry.clone(),
                    manager,
                    port,
                    reason: CloseReason::ClientGone,
                    for_good: false,
                })
            }
            Err(error) => {
                self.registry.release_unused(&manager);
                Err(error)
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(manager) = self.manager.take() {
            manager.connection_failed();
            self.registry.release_unused(&manager);
        }
    }
}

/// One connection is attached to one manager, for as long as this lives.
#[derive(Debug)]
pub struct Attachment {
    registry: Arc<Registry>,
    manager: Arc<Manager>,
    port: Arc<Port>,
    reason: CloseReason,
    for_good: bool,
}

impl Attachment {
    /// The manager that the connection is attached to.
    #[must_use]
    pub fn manager(&self) -> &Arc<Manager> {
        &self.manager
    }

    /// The connection's port.
    #[must_use]
    pub fn port(&self) -> &Arc<Port> {
        &self.port
    }

    /// Whether no client is expected to come back to the manager after an end for this reason.
    #[must_use]
    pub fn is_for_good(&self, reason: CloseReason) -> bool {
        reason.is_for_good() || self.manager.config().reconnect_grace.is_zero()
    }

    /// Ends the attachment with a reason.
    pub fn leave(mut self, reason: CloseReason) {
        self.reason = reason;
    }

    /// Ends the attachment with a reason, and no client can resume it.
    #[cfg(feature = "upstream")]
    pub(crate) fn leave_for_good(mut self, reason: CloseReason) {
        self.for_good = true;
        self.leave(reason);
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.registry.attached.fetch_sub(1, Ordering::Relaxed);
        // Whoever owned it should have said how it ended; where it could not, nobody waits for it.
        self.port.report_end(EndReport {
            reason: self.reason,
            echoed_after: None,
            aborted: false,
            undecided: false,
        });
        self.registry
            .left(&self.manager, &self.port, self.reason, self.for_good);
    }
}
