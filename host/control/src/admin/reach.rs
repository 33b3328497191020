//! How far a change of a lever reaches: in a cluster it is for all nodes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policies::refusal::Refusal;
use super::{Admin, blocking};
use crate::levers::{LeverChange, LeverError, Levers};
use wastegate_core::types::chain;

/// Whether the other nodes of the cluster have a change too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reach {
    /// Whether all nodes of the cluster will have it: within two seconds, or as soon as they reach the engine. False
    /// where it holds on this node only for now; null where the node is in no cluster.
    #[serde(default)]
    pub everywhere: Option<bool>,
    /// Why it holds on this node only for now; null if it does not.
    #[serde(default)]
    pub problem: Option<String>,
}

impl Reach {
    /// In words under what a command did; empty where there is nothing to say.
    #[must_use]
    pub fn in_words(&self) -> String {
        match (self.everywhere, &self.problem) {
            (Some(true), _) => "  on all nodes of the cluster\n".to_owned(),
            (Some(false), Some(problem)) => format!("  on this node only for now: {problem}\n"),
            (Some(false), None) | (None, _) => String::new(),
        }
    }

    async fn of(admin: &Admin) -> Self {
        let Some(everywhere) = &admin.everywhere else {
            return Self::default();
        };
        let problem = everywhere.tell().await.err();
        Self {
            everywhere: Some(problem.is_none()),
            problem: problem.map(|problem| chain(&problem)),
        }
    }
}

/// Sets a lever on a thread that may wait for a disk, and then on all nodes.
pub(super) async fn set<T: Send + 'static>(
    admin: &Admin,
    change: impl FnOnce(&Levers) -> Result<LeverChange<T>, LeverError> + Send + 'static,
) -> Result<(LeverChange<T>, Reach), Refusal> {
    let levers = admin.levers.clone();
    let change = blocking(move || change(&levers)).await?;
    Ok((change, Reach::of(admin).await))
}

/// Takes a lever back. It may have been set on another node just now, so the node looks for it first.
pub(super) async fn lift<T: Send + 'static>(
    admin: &Admin,
    change: impl FnOnce(&Levers) -> Result<LeverChange<T>, LeverError> + Send + 'static,
) -> Result<(LeverChange<T>, Reach), Refusal> {
    // What it came to is told after the change.
    let _ = Reach::of(admin).await;
    set(admin, change).await
}
