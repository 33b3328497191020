//! Why a lever is not on all nodes.

use crate::levers::LEVERS_MAX;
use wastegate_cluster::ledger::LedgerError;
use wastegate_cluster::shared::LEVERS_BYTES_MAX;

/// Why the nodes of a cluster do not have the same levers now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EverywhereError {
    /// The engine did not do it.
    #[error("the cluster's engine does not answer ({0}): this node tries again each second")]
    Engine(#[from] LedgerError),
    /// It was not done in the time that an operator waits.
    #[error("the cluster's engine did not take it in {0} ms: this node tries again each second")]
    Slow(u128),
    /// Other nodes wrote the document each time.
    #[error(
        "other nodes wrote the levers of all nodes {0} times meanwhile: this node tries again in a second"
    )]
    Contended(u32),
    /// It was written with another secret.
    #[error(
        "the levers of all nodes (document {0}) do not open with this node's secret: give all nodes the same \
         `cluster.secret_file`; if that is so, delete the key that ends in `:{{shared}}l` in the engine, and nodes \
         write it again from what they have"
    )]
    OtherSecret(u64),
    /// A document that this version does not understand.
    #[error(
        "this node does not understand the levers of all nodes (document {number}: {why}): run the same version on \
         all nodes"
    )]
    Unreadable {
        /// Its number.
        number: u64,
        /// What is wrong with it.
        why: String,
    },
    /// There is no room for all levers of this node.
    #[error(
        "{0} levers of this node hold here only: all nodes have as many as there may be, {LEVERS_MAX} or \
         {LEVERS_BYTES_MAX} bytes with their reasons; take some back"
    )]
    Full(usize),
    /// There is no room on this node.
    #[error(
        "{0} levers of other nodes do not hold here: with its pins this node has {LEVERS_MAX}, as many as there may \
         be; take some back"
    )]
    FullHere(usize),
    /// The system failed.
    #[error("this node could not write the levers of all nodes: {0}")]
    System(&'static str),
}
