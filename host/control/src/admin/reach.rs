//! How far a change of a lever reaches: in a cluster it is for all nodes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policies::refusal::Refusal;
use super::{Admin, blocking};
use crate::levers::everywhere::EverywhereError;
use crate::levers::{LeverChange, LeverError, Levers};
use wastegate_core::types::chain;

/// Whether the other nodes of the cluster have a change too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeverReach {
    /// Whether all nodes of the cluster will have it: within two seconds, or as soon as they reach the engine. False
    /// where it holds on this node only for now; null where the node is in no cluster.
    #[serde(default)]
    pub everywhere: Option<bool>,
    /// Why it holds on this node only for now; null if it does not.
    #[serde(default)]
    pub problem: Option<String>,
}

impl LeverReach {
    /// In words under what a command did; empty where there is nothing to say.
    #[must_use]
    pub fn in_words(&self) -> String {
        match (self.everywhere, &self.problem) {
            (Some(true), _) => "  on all nodes of the cluster\n".to_owned(),
            (Some(false), Some(problem)) => format!("  on this node only for now: {problem}\n"),
            (Some(false), None) | (None, _) => String::new(),
        }
    }

    fn of(told: &Told) -> Self {
        Self {
            everywhere: told.as_ref().map(Result::is_ok),
            problem: match told {
                Some(Err(problem)) => Some(chain(problem)),
                Some(Ok(())) | None => None,
            },
        }
    }
}

/// What telling the other nodes came to; none where there is no cluster.
type Told = Option<Result<(), EverywhereError>>;

async fn tell(admin: &Admin) -> Told {
    match &admin.everywhere {
        Some(everywhere) => Some(everywhere.tell().await),
        None => None,
    }
}

/// Sets a lever on a thread that may wait for a disk, and then on all nodes.
pub(super) async fn set<T: Send + 'static>(
    admin: &Admin,
    change: impl FnOnce(&Levers) -> Result<LeverChange<T>, LeverError> + Send + 'static,
) -> Result<(LeverChange<T>, LeverReach), Refusal> {
    let levers = admin.levers.clone();
    let change = blocking(move || change(&levers)).await?;
    Ok((change, LeverReach::of(&tell(admin).await)))
}

/// Takes a lever back. It may have been set on another node just now, so the node looks for it first.
pub(super) async fn lift<T: Send + 'static>(
    admin: &Admin,
    change: impl FnOnce(&Levers) -> Result<LeverChange<T>, LeverError> + Send + 'static,
) -> Result<(LeverChange<T>, LeverReach), Refusal> {
    let told = tell(admin).await;
    if !told.as_ref().is_some_and(is_away) {
        return set(admin, change).await;
    }
    // An operator does not wait for an engine twice.
    let levers = admin.levers.clone();
    let change = blocking(move || change(&levers)).await?;
    Ok((change, LeverReach::of(&told)))
}

/// Whether the engine does not answer.
const fn is_away(told: &Result<(), EverywhereError>) -> bool {
    matches!(
        told,
        Err(EverywhereError::Engine(_) | EverywhereError::Slow(_))
    )
}
