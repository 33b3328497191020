//! Who identifies clients, for each proof that the routes of a gateway want.

use std::sync::Arc;

use axum::http::request::Parts;

use super::{Identified, Identify, Mode, Unidentified};

/// One for every route, and others for routes that want another proof.
#[derive(Clone)]
pub struct Identifiers {
    usual: Arc<dyn Identify>,
    others: Vec<(Mode, Arc<dyn Identify>)>,
}

/// Refuses every client: no identification is set.
impl Default for Identifiers {
    fn default() -> Self {
        Self::from(Unset)
    }
}

impl<I: Identify> From<I> for Identifiers {
    fn from(usual: I) -> Self {
        Self::from(Arc::new(usual) as Arc<dyn Identify>)
    }
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

/// What stands where no identification is set.
struct Unset;

impl Identify for Unset {
    fn identify<'a>(&'a self, _: &'a mut Parts) -> Identified<'a> {
        let why = "this server has no identification of clients here, so it lets none in";
        Box::pin(std::future::ready(Err(Unidentified::Forbidden(why.into()))))
    }
}
