//! Who identifies clients, for each proof that the routes of a gateway want.

use std::sync::Arc;

use super::{Identify, Mode};

/// One for every route, and others for routes that want another proof.
#[derive(Clone)]
pub struct Identifiers {
    usual: Arc<dyn Identify>,
    others: Vec<(Mode, Arc<dyn Identify>)>,
}

impl From<Arc<dyn Identify>> for Identifiers {
    fn from(usual: Arc<dyn Identify>) -> Self {
        let others = Vec::new();
        Self { usual, others }
    }
}

impl Identifiers {
    /// With another one for routes that want that proof.
    #[must_use]
    pub fn with(mut self, mode: Mode, identify: Arc<dyn Identify>) -> Self {
        self.others.push((mode, identify));
        self
    }

    /// The one for a route.
    pub(in crate::gateway) fn of(&self, mode: Option<Mode>) -> &Arc<dyn Identify> {
        let mut others = self.others.iter();
        let found = mode.and_then(|mode| others.find(|(other, _)| *other == mode));
        found.map_or(&self.usual, |(_, identify)| identify)
    }
}
