//! Submissions on their way to being revisions, as operators see them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rollout::actor::Actor;
use crate::rollout::source::{PolicyName, PolicyOrigin};

/// How far a submission has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The bytes are here.
    Fetched,
    /// Their signature is good, or none is required; they wait for the compiler or are in it.
    Checked,
    /// They are compiled, and go through the acceptance kit.
    Compiled,
}

/// A submission on its way to being a revision.
#[derive(Debug, Clone, PartialEq)]
pub struct UnderWay {
    /// As what it was brought.
    pub name: PolicyName,
    /// How many bytes it has.
    pub size: u64,
    /// Where it came from.
    pub origin: PolicyOrigin,
    /// The operator or the source that submitted it.
    pub by: Actor,
    /// Since when, ms since the Unix epoch.
    pub since_unix_ms: u64,
    /// How far it has come.
    pub stage: Stage,
}

/// All that are under way.
#[derive(Debug, Default)]
pub(super) struct Submissions {
    next: AtomicU64,
    /// In the order in which they came. Never held while anything waits.
    listed: Mutex<BTreeMap<u64, UnderWay>>,
}

/// A submission in the list of those under way, for as long as it is.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    submissions: &'a Submissions,
    number: u64,
}

impl Submissions {
    /// One more is under way, until its progress is dropped.
    pub(super) fn begin(&self, under_way: UnderWay) -> Progress<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.listed.lock().insert(number, under_way);
        Progress {
            submissions: self,
            number,
        }
    }

    /// All of them, oldest first.
    pub(super) fn all(&self) -> Vec<UnderWay> {
        self.listed.lock().values().cloned().collect()
    }
}

impl Progress<'_> {
    pub(super) fn reached(&self, stage: Stage) {
        if let Some(under_way) = self.submissions.listed.lock().get_mut(&self.number) {
            under_way.stage = stage;
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.submissions.listed.lock().remove(&self.number);
    }
}
