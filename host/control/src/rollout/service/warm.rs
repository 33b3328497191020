//! Policies that are ready although they sit in no seat: those used last, for an instant way back.

use std::sync::Arc;

use wastegate_core::types::RevisionId;
use wastegate_engine::policy::Policy;

#[derive(Debug)]
pub(super) struct Warm {
    max: usize,
    /// The one used last at the end.
    ready: Vec<(RevisionId, Arc<Policy>)>,
}

impl Warm {
    pub(super) const fn new(max: usize) -> Self {
        let ready = Vec::new();
        Self { max, ready }
    }

    /// Keeps one, and lets go of those used longest ago. What went, to be dropped where dropping
    /// compiled code holds up nobody.
    #[must_use]
    pub(super) fn keep(&mut self, id: RevisionId, policy: Arc<Policy>) -> Vec<Arc<Policy>> {
        self.ready.retain(|(known, _)| *known != id);
        self.ready.push((id, policy));
        let surplus = self.ready.len().saturating_sub(self.max);
        self.ready
            .drain(..surplus)
            .map(|(_, policy)| policy)
            .collect()
    }

    /// Lets go of all that is not wanted any more.
    #[must_use]
    pub(super) fn retain(&mut self, wanted: impl Fn(RevisionId) -> bool) -> Vec<Arc<Policy>> {
        let gone = self.ready.extract_if(.., |(id, _)| !wanted(*id));
        gone.map(|(_, policy)| policy).collect()
    }

    pub(super) fn get(&self, id: RevisionId) -> Option<Arc<Policy>> {
        self.policies()
            .find(|(known, _)| *known == id)
            .map(|(_, policy)| policy.clone())
    }

    pub(super) fn policies(&self) -> impl Iterator<Item = (RevisionId, &Arc<Policy>)> {
        self.ready.iter().map(|(id, policy)| (*id, policy))
    }
}
