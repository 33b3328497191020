//! Why policies were not shared, or not taken over.

use crate::rollout::RolloutError;
use wastegate_cluster::ledger::LedgerError;
use wastegate_cluster::shared::{DOCUMENT_BYTES_MAX, FILE_BYTES_MAX};

/// Why the nodes of a cluster do not rank alike now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharingError {
    /// There is no reason, or one that is too long.
    #[error("say why, in 1 to {0} bytes (`reason`)")]
    Reason(usize),
    /// The engine did not answer.
    #[error(
        "the cluster's engine did not do it ({0}); this node ranks as it did, and so do the others: try again"
    )]
    Engine(#[from] LedgerError),
    /// Another document came meanwhile.
    #[error(
        "the cluster is at number {0} by now: another operator has shared policies meanwhile; look at them \
         (`wastegate policy shared`), and share again from there"
    )]
    Newer(u64),
    /// What ranks here takes more words than a document has.
    #[error(
        "what ranks here takes {0} bytes to write down, and {DOCUMENT_BYTES_MAX} is the most: set fewer parameters"
    )]
    TooLong(usize),
    /// A policy's file is too large for the engine.
    #[error(
        "the file of `{policy}` has {bytes} bytes, and {FILE_BYTES_MAX} is the most that is shared: push it to each node"
    )]
    TooLarge {
        /// The policy.
        policy: String,
        /// How many bytes its file has.
        bytes: usize,
    },
    /// A document that this version does not understand.
    #[error(
        "this node does not understand document {number} ({why}): run the same version on all nodes"
    )]
    Unreadable {
        /// Its number.
        number: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The engine has lost a file, or has other bytes.
    #[error(
        "the engine has not the file of `{policy}` that the document names: share it again from a node that has it"
    )]
    NoFile {
        /// The policy.
        policy: String,
    },
    /// This node did not take a policy, or could not activate it.
    #[error("this node did not take `{policy}`: {source}")]
    Refused {
        /// The policy; `built-in` for the built-in ranking.
        policy: String,
        /// Why.
        source: RolloutError,
    },
    /// What ranks here could not be read.
    #[error(transparent)]
    Rollout(#[from] RolloutError),
}
